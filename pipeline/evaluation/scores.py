"""All scores of a run: every seed and every baseline, on the same timestamps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.metrics import mae, mase, rmse, skill, smape
from pipeline.evaluation.statistics import summarize_seeds

Array = np.ndarray
BASELINES = ("persistence", "seasonal", "linear")


@dataclass(frozen=True)
class Truth:
    """What forecasts are compared with.

    Attributes:
        actual: Targets in the data's own units. Shape (time, targets).
        scorable: False where a target was filled in. Shape (time, targets).
        parts: True for the rows of `train`, `validation` and `test`. Each of shape (time,).
        targets: Names of the targets.
        lanes: Rows of each lane; of a single series, all.
    """

    actual: Array
    scorable: Array
    parts: Mapping[str, Array]
    targets: Sequence[str]
    lanes: Sequence[slice] = (slice(None),)

    def scored(self, part: str) -> Array:
        """Return the rows that count in a part. Shape (time, targets)."""
        return self.scorable & self.parts[part][:, None]


def score_seed(truth: Truth, forecasts: Array) -> dict[str, float]:
    """Score one seed.

    Args:
        truth: What really happened.
        forecasts: Shape (time, horizon_steps, targets), in the data's own units.

    Returns:
        train_rmse (of the rows that have a forecast), validation_rmse, test_rmse, test_mae, test_mase, test_smape;
        with several targets also `test_rmse.NAME` of each.
    """
    test = truth.scored("test")
    train = truth.scored("train") & ~np.isnan(forecasts).any(axis=1)
    scores = {
        "train_rmse": rmse(truth.actual, forecasts, train),
        "validation_rmse": rmse(truth.actual, forecasts, truth.scored("validation")),
        "test_rmse": rmse(truth.actual, forecasts, test),
        "test_mae": mae(truth.actual, forecasts, test),
        "test_mase": mase(truth.actual, forecasts, test, truth.scored("train"), truth.lanes),
        "test_smape": smape(truth.actual, forecasts, test),
    }
    if len(truth.targets) > 1:
        for column, name in enumerate(truth.targets):
            only = [column]
            scores[f"test_rmse.{name}"] = rmse(truth.actual[:, only], forecasts[:, :, only], test[:, only])
    return scores


def score_all(truth: Truth, forecasts: Array) -> float:
    """Return the RMSE over every row that has a forecast, whatever its part: the prequential error of an online run."""
    return rmse(truth.actual, forecasts, truth.scorable & ~np.isnan(forecasts).any(axis=1))


def score_run(truth: Truth, seeds: Sequence[dict[str, float]], baselines: Mapping[str, Array]) -> dict[str, float]:
    """Summarize the seeds of a run and compare their mean test RMSE with the baselines.

    Args:
        truth: What really happened.
        seeds: Result of `score_seed` for each seed.
        baselines: Forecasts named persistence, seasonal and linear. Each (time, horizon_steps, targets).

    Returns:
        Every metric of the run by its MLflow name.
    """
    metrics: dict[str, float] = {}
    for name in seeds[0]:
        metrics |= summarize_seeds(name, [seed[name] for seed in seeds])
    for name in BASELINES:
        baseline = rmse(truth.actual, baselines[name], truth.scored("test"))
        metrics[f"baseline_{name}_rmse"] = baseline
        metrics[f"skill_{name}"] = skill(metrics["test_rmse"], baseline)
    return metrics


def score_lanes(truth: Truth, forecasts: Sequence[Array], baselines: Mapping[str, Array]) -> list[dict[str, float]]:
    """Score each lane by itself on the test part.

    Args:
        truth: What really happened.
        forecasts: Of each seed. Each (time, horizon_steps, targets), in the data's own units.
        baselines: Forecasts by name, same shape.

    Returns:
        For each lane test_rows, test_rmse and test_mae (means over seeds) and the RMSE of each baseline; NaN for a lane
        without test rows.
    """
    test = truth.scored("test")
    scores = []
    for rows in truth.lanes:
        actual, scored = truth.actual[rows], test[rows]
        lane: dict[str, float] = {"test_rows": float(scored.any(axis=1).sum())}
        if not scored.any():
            scores.append(lane)
            continue
        lane["test_rmse"] = float(np.mean([rmse(actual, each[rows], scored) for each in forecasts]))
        lane["test_mae"] = float(np.mean([mae(actual, each[rows], scored) for each in forecasts]))
        for name, baseline in baselines.items():
            lane[f"baseline_{name}_rmse"] = rmse(actual, baseline[rows], scored)
        scores.append(lane)
    return scores
