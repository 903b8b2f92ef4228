"""A sentence about a comparison says what its numbers support, and nothing else."""

import pytest

from pipeline.comparison.pairwise import Comparison, Kind
from pipeline.comparison.sentences import doubt_of, label, say_evidence, state_comparison
from pipeline.models.heads.point import RMSE, RMSSE

NAN = float("nan")


def comparison(**changes) -> Comparison:
    values = {
        "kind": Kind.axis, "first": {"look_back": "6"}, "second": {"look_back": "3"}, "first_rmse": 60.0,
        "second_rmse": 50.0, "low": 4.0, "high": 16.0, "p_seeds": 0.001, "statistic": 3.0, "p": 0.001, "p_holm": 0.004,
    }  # fmt: skip
    return Comparison(**(values | changes))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"p_holm": 0.41}, "look_back=6 vs 3: no evidence (p=0.41); RMSE of look_back=6 10.0 higher (20 %)"),
        (
            {"first_rmse": 50.1, "p_holm": 0.41},
            "look_back=6 vs 3: no evidence (p=0.41); RMSE of look_back=6 on par (0.100 higher)",
        ),
        ({}, "look_back=6 vs 3: evidence that 3 is better (p=0.004); RMSE 10.0 lower (17 %)"),
        (
            {"first_rmse": 50.0, "second_rmse": 60.0, "low": -16.0, "high": -4.0, "statistic": -3.0, "matched": 2},
            "look_back=6 vs 3 (mean of 2 matched pairs): evidence that look_back=6 is better (p=0.004); RMSE 10.0 "
            "lower (17 %)",
        ),
        (
            {"low": -1.0, "p_seeds": 0.2},
            "look_back=6 vs 3: 3 is better for these trainings only (p=0.004); RMSE 10.0 lower (17 %), but the seeds "
            "do not decide it (p=0.20, 95 % interval of the difference -1.00 to 16.0)",
        ),
        (
            {"p_seeds": float("nan"), "p_holm": 0.0002},
            "look_back=6 vs 3: 3 is better for these trainings only (p<0.001); RMSE 10.0 lower (17 %), but one seed "
            "cannot tell luck from skill",
        ),
        (
            {"statistic": float("nan"), "p": float("nan"), "p_holm": float("nan")},
            "look_back=6 vs 3: cannot be tested, too few test timestamps for this horizon",
        ),
        (
            {"statistic": -3.0},
            "look_back=6 vs 3: no evidence (p=0.004, but squared errors and mean RMSE disagree on which is better); "
            "RMSE of look_back=6 10.0 higher (20 %)",
        ),
        (
            {
                "kind": Kind.best,
                "first": {"look_back": "6", "stateful": "true", "horizon": "2"},
                "second": {"look_back": "3", "stateful": "false", "horizon": "2"},
            },
            "look_back=6 stateful=true vs look_back=3 stateful=false at horizon=2: evidence that look_back=3 "
            "stateful=false is better (p=0.004); RMSE 10.0 lower (17 %)",
        ),
        (
            {"kind": Kind.baseline, "second": {"baseline": "seasonal"}},
            "look_back=6 vs seasonal naive: evidence that seasonal naive is better (p=0.004); RMSE 10.0 lower (17 %)",
        ),
    ],
)  # fmt: skip
def test_the_sentence_says_what_the_numbers_support(changes: dict, sentence: str) -> None:
    """A reader is told of evidence that is none, of the wrong winner, or of the wrong size."""
    assert state_comparison(comparison(**changes), RMSE) == sentence


@pytest.mark.parametrize(
    ("changes", "doubt"),
    [
        ({}, ""),
        ({"p": NAN, "p_holm": NAN}, "there are too few test timestamps to test it"),
        ({"p_holm": 0.05}, "the test timestamps do not decide it (p=0.050)"),
        ({"statistic": -3.0}, "squared errors and the mean score disagree on which is better"),
        ({"p_seeds": NAN}, "one seed cannot tell luck from skill"),
        ({"p_seeds": 0.2, "low": -1.0}, "the seeds do not decide it (p=0.20, 95 % interval of the difference -1.00 to"),
    ],
)
def test_a_doubt_is_raised_exactly_where_there_is_no_evidence(changes: dict, doubt: str) -> None:
    """The verdict doubts what is evidence, or gives another reason than the numbers."""
    found = comparison(**changes)
    assert doubt_of(found).startswith(doubt)
    assert (doubt_of(found) == "") == found.evidence
    assert ("evidence that" in state_comparison(found, RMSE)) == found.evidence


def test_evidence_names_both_tests() -> None:
    """One p value stands for both, and a reader cannot tell timestamps from seeds."""
    assert say_evidence(comparison(p_seeds=0.0001)) == "p=0.004 over the test timestamps, p<0.001 over the seeds"


def test_the_measure_is_named_where_there_are_several_targets() -> None:
    """An RMSSE without a unit is called an RMSE."""
    assert "; RMSSE 10.0 lower" in state_comparison(comparison(), RMSSE)
    assert "RMSE " not in state_comparison(comparison(), RMSSE)


def test_a_baseline_of_a_configuration_says_of_which() -> None:
    """Two baselines that saw different lags have the same name."""
    assert label({"baseline": "linear", "look_back": "3"}) == "linear fit of look_back=3"
