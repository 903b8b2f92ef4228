"""A record answers by the measure its run was judged by."""

import pytest

from pipeline.base.record import RunRecord, Status, name_score

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
    [(ONE, "rmse", (4.0, 5.0, 6.0)), (SEVERAL, "rmsse", (0.4, 0.5, 0.6))],
    ids=["one target", "several targets"],
)
def test_scores_are_those_the_run_was_judged_by(
    metrics: dict[str, float], measure: str, scores: tuple[float, ...]
) -> None:
    """A table shows an error without a unit as passengers, or averages targets of different units."""
    record = RunRecord("id", Status.finished, {}, metrics)
    assert record.measure == measure
    assert (record.score("validation"), record.score("test"), record.baseline("linear")) == scores


def test_a_run_without_scores_has_a_measure_but_no_score() -> None:
    """A failed run counts as a score, or its table cannot be drawn."""
    record = RunRecord("id", Status.failed, {}, {}, reason="diverged")
    assert record.measure == "rmse"
    with pytest.raises(KeyError, match="validation_rmse"):
        record.score("validation")


def test_records_and_metrics_call_a_score_alike() -> None:
    """A run is chosen by another metric than the one that is shown."""
    for targets, metrics in ((["a"], ONE), (["a", "b"], SEVERAL)):
        assert RunRecord("id", Status.finished, {}, metrics).score("test") == metrics[name_score("test", targets)]
