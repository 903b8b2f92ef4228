"""The words that terminal and page share: nothing is left out, and no number is invented for what is not known."""

import pytest

from pipeline.base.document import (
    AxisEffect,
    AxisRow,
    BaselineRow,
    ComparisonRow,
    ConfigurationRow,
    DatasetFacts,
    Document,
    FailedRow,
    Summary,
)
from pipeline.base.record import Measure
from pipeline.models.heads.point import RMSE, RMSSE
from pipeline.report.wording import describe_failed, list_sentences, name_row, show_interval, show_spread, title

NAN = float("nan")
ONE_SEED = Summary(67.57, NAN, NAN, NAN)


def versus(sentence: str) -> ComparisonRow:
    return ComparisonRow(1.0, NAN, NAN, NAN, 0.5, 0.2, 0.41, False, sentence)


def row(look_back: int, against: ComparisonRow | None) -> ConfigurationRow:
    return ConfigurationRow({"look_back": look_back}, ("id",), 1, ONE_SEED, ONE_SEED, ONE_SEED, {}, NAN, against)


def document(measure: Measure = RMSE) -> Document:
    return Document(
        selection="",
        dataset=DatasetFacts("air\nline", "m", "", "48 timestamps", measure),
        by=("look_back",),
        configurations=(row(3, None), row(1, versus("1 vs 3")), row(6, versus("6 vs 3"))),
        axes=(
            AxisRow("look_back", ("batch_size",), (), (AxisEffect(1, 3, 1, versus("3 vs 1")),)),
            AxisRow("stateful", (), (), ()),
        ),
        baselines=(BaselineRow("linear", "", 48.0, versus("3 vs linear fit")),),
        failed=(FailedRow("id", {"look_back": None}, "FAILED", ""),),
        sentences=(),
        verdict=("One.",),
    )


def test_every_sentence_stands_under_its_heading() -> None:
    """A kind of comparison is missing in the answer, or an axis without matched pairs says nothing."""
    against, *others = list_sentences(document(), 1)
    assert against == ("Every configuration vs the best by validation", ["1 vs 3"])
    assert others == [
        ("Main effect of look_back (with batch_size)", ["3 vs 1"]),
        ("Main effect of stateful", ["no two configurations differ in this axis alone, so it has no main effect"]),
        ("The best by validation vs forecasts that need no network", ["3 vs linear fit"]),
        ("Did not finish", ["FAILED: look_back=null: no reason was logged"]),
    ]
    assert list_sentences(document(), 1, failed=False) == [against, *others[:-1]]


def test_a_run_is_named_by_its_parameters_or_at_all() -> None:
    """A line about a run names none."""
    assert describe_failed(FailedRow("0123", {}, "KILLED", "crash")) == "KILLED: 0123: crash"
    assert name_row(row(3, None)) == "look_back=3"


def test_one_seed_has_no_spread_and_no_interval() -> None:
    """`nan` stands in a table, or a spread of 0 is shown for what was trained once."""
    assert (show_spread(67.57, NAN), show_spread(67.57, None), show_interval(ONE_SEED)) == ("67.57", "67.57", "-")
    assert show_spread(67.57, 13.4) == "67.57 ± 13"
    assert show_interval(Summary(1.0, 1.0, 60.1, 75.2)) == "60.10 to 75.20"


@pytest.mark.parametrize(("measure", "words"), [(RMSE, "RMSE and MAE in m"), (RMSSE, "RMSSE, RMSE over")])
def test_the_title_says_the_unit_or_that_there_is_none(measure: Measure, words: str) -> None:
    """Scores of several targets are read in the unit of the first; or a line break in a name breaks the table."""
    assert title(document(measure)).startswith(f"air\\nline: {words}")
