"""All scores of a run by their MLflow names, each from the rows of its own part."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.evaluation.scores import Truth, dress, score_run, score_seed
from pipeline.models.heads.families import Free
from pipeline.models.heads.point import POINT
from pipeline.models.heads.quantile import QuantileHead

ROWS = [("train", 4), ("validation", 2), ("test", 2)]
PARTS = {part: np.repeat([name == part for name, _ in ROWS], [count for _, count in ROWS]) for part, _ in ROWS}
ACTUAL = np.array([0.0, 2.0, 0.0, 2.0, 10.0, 10.0, 20.0, 20.0])[:, None]  # (time, targets = 1)


def make_truth(actual: np.ndarray = ACTUAL, scorable: np.ndarray | None = None) -> Truth:
    scorable = np.ones(actual.shape, dtype=bool) if scorable is None else scorable
    return Truth(actual, scorable, PARTS, [f"stock{column}" for column in range(actual.shape[1])])


def off_by(*errors: float) -> np.ndarray:
    """Forecasts with the given error at each row. Shape (time, horizon_steps = 1, targets = 1)."""
    return ACTUAL[:, None] + np.array(errors)[:, None, None]


def test_scores_of_a_seed() -> None:
    """validation_rmse, which chooses configurations, or a test score would come from the rows of another part."""
    scores = score_seed(make_truth(), off_by(np.nan, 1, 1, 1, 2, 2, 3, 5))
    assert scores == pytest.approx(
        {
            "train_rmse": 1,
            "validation_rmse": 2,
            "test_rmse": np.sqrt((9 + 25) / 2),
            "test_mae": 4,
            "test_mase": 2,  # repeating the last value errs by 2 in the training part
            "test_smape": (200 * 3 / 43 + 200 * 5 / 45) / 2,
            "validation_rmsse": 2 / 2,
            "test_rmsse": np.sqrt((9 + 25) / 2) / 2,
        }
    )


def test_filled_rows_are_not_scored() -> None:
    """A value that nobody measured would count in the score."""
    scorable = np.ones((8, 1), dtype=bool)
    scorable[[3, 5, 7]] = False
    scores = score_seed(make_truth(scorable=scorable), off_by(1, 1, 1, 99, 2, 99, 3, 99))
    assert (scores["train_rmse"], scores["validation_rmse"], scores["test_rmse"]) == pytest.approx((1, 2, 3))


@pytest.mark.parametrize("row", [5, 7])
def test_a_missing_forecast_is_refused(row) -> None:
    """A configuration with a longer look_back would be scored on fewer validation or test rows than the others."""
    forecasts = off_by(*np.ones(8))
    forecasts[row] = np.nan
    with pytest.raises(ValueError, match=f"row {row} is scored but has no forecast"):
        score_seed(make_truth(), forecasts)


def test_every_target_has_its_own_test_score() -> None:
    """With several targets nobody could see which one is predicted badly."""
    truth = make_truth(np.hstack([ACTUAL, ACTUAL]))
    forecasts = np.concatenate([off_by(*np.ones(8)), off_by(*np.full(8, 7.0))], axis=2)
    scores = score_seed(truth, forecasts)
    assert (scores["test_rmse.stock0"], scores["test_rmse.stock1"]) == pytest.approx((1, 7))
    assert scores["test_rmsse"] == pytest.approx((1 / 2 + 7 / 2) / 2)  # repeating the last value errs by 2
    assert "test_rmse" not in scores and "validation_rmse" not in scores  # units may differ: never pooled
    assert "test_rmse.stock0" not in score_seed(make_truth(), off_by(*np.ones(8)))


def test_scores_of_a_run() -> None:
    """The table's means or skills would not belong to its seeds: skill is that of the mean test RMSE."""
    seeds = [score_seed(make_truth(), off_by(*np.full(8, error))) for error in (1.0, 3.0)]
    baselines = {
        name: off_by(*np.full(8, error)) for name, error in (("persistence", 4), ("seasonal", 2), ("linear", 1))
    }
    metrics = score_run(make_truth(), seeds, baselines)
    wanted = {
        "test_rmse": 2,
        "test_rmse_std": np.sqrt(2),
        "test_rmse_median": 2,
        "baseline_persistence_rmse": 4,
        "skill_persistence": 0.5,
        "baseline_seasonal_rmse": 2,
        "skill_seasonal": 0,
        "baseline_linear_rmse": 1,
        "skill_linear": -1,
    }
    assert {name: metrics[name] for name in wanted} == pytest.approx(wanted)
    names = ["train_rmse", "validation_rmse", "test_rmse", "test_mae", "test_mase", "test_smape"]
    suffixes = ["", "_std", "_median", "_low", "_high"]
    assert {name + suffix for name in names for suffix in suffixes} <= set(metrics)


def test_a_baseline_is_as_sure_as_it_was_right_in_the_validation_part() -> None:
    """A baseline would be judged as if it were sure of itself, or by what its errors in the test part say."""
    lanes = (slice(0, 20), slice(20, 40), slice(40, 44))
    parts = {part: np.zeros(44, bool) for part in ("train", "validation", "test")}
    for rows in lanes:
        length = rows.stop - rows.start
        parts["validation"][rows.start : rows.start + length // 2] = True
        parts["test"][rows.start + length // 2 : rows.stop] = True
    actual = np.zeros((44, 1))
    actual[0:10, 0], actual[20:30, 0] = np.arange(10.0), 10 * np.arange(10.0)  # errors of the validation part
    actual[parts["test"]] = 1e6
    head = QuantileHead(levels := (0.0, 0.5, 1.0), Free(levels))
    truth = Truth(actual, np.ones(actual.shape, bool), parts, ["a"], lanes, head)
    answers = dress(truth, np.full((44, 1, 1), -100.0))
    assert answers[0, 0, 0] == pytest.approx([0, 4.5, 9])
    assert answers[39, 0, 0] == pytest.approx([0, 45, 90])
    assert answers[43, 0, 0, 2] == pytest.approx(90)  # a lane of two errors has those of all
    assert dress(replace(truth, head=POINT), np.ones((44, 1, 1))) == pytest.approx(1.0)
