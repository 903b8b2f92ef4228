"""A record answers by the measure its run was judged by."""

import pytest

from pipeline.base.record import Measure, RunRecord, Status
from pipeline.models.heads.point import RMSE, RMSSE

ONE = {
    "test_rmse": 5.0,
    "test_rmsse": 0.5,
    "validation_rmse": 4.0,
    "validation_rmsse": 0.4,
    "baseline_linear_rmse": 6.0,
}
SEVERAL = {"test_rmsse": 0.5, "validation_rmsse": 0.4, "baseline_linear_rmsse": 0.6, "test_rmse.gdp": 100.0}


@pytest.mark.parametrize(
    ("metrics", "measure", "scores"),
    [(ONE, RMSE, (4.0, 5.0, 6.0)), (SEVERAL, RMSSE, (0.4, 0.5, 0.6))],
    ids=["one target", "several targets"],
)
def test_scores_are_those_the_run_was_judged_by(
    metrics: dict[str, float], measure: Measure, scores: tuple[float, ...]
) -> None:
    """A table shows an error without a unit as passengers, or averages targets of different units."""
    record = RunRecord("id", Status.finished, {}, metrics, measure)
    assert (record.score("validation"), record.score("test"), record.baseline("linear")) == scores


@pytest.mark.parametrize(
    ("params", "judged"),
    [
        ({"dataset.validation_fraction": "0.17", "protocol": "fair"}, "validation RMSE"),
        ({}, "validation RMSE"),  # of before these keys
        ({"dataset.validation_fraction": "0.0", "protocol": "fair"}, "training RMSE"),
        ({"dataset.validation_fraction": "0.17", "protocol": "tutorial"}, "training RMSE"),
    ],
)
def test_a_score_is_named_by_the_part_that_it_is_of(params: dict[str, str], judged: str) -> None:
    """The error of what was trained on is told, or chosen by, as if it were of a validation part."""
    record = RunRecord("id", Status.finished, params, ONE, RMSE)
    assert (record.judged, record.validates) == (judged, judged.startswith("validation"))


def test_a_run_without_scores_has_a_measure_but_no_score() -> None:
    """A failed run counts as a score, or its table cannot be drawn."""
    record = RunRecord("id", Status.failed, {}, {}, RMSE, reason="diverged")
    with pytest.raises(KeyError, match="validation_rmse"):
        record.score("validation")


def test_the_better_score_ranks_lower() -> None:
    """The worst run is called the best where a higher score is better."""
    accuracy = Measure("accuracy", "accuracy", has_unit=False, cost="errors", lower_is_better=False)
    assert sorted([0.5, 0.9], key=accuracy.rank) == [0.9, 0.5]
    assert sorted([0.9, 0.5], key=RMSE.rank) == [0.5, 0.9]
