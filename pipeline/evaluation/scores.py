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
        parts: Rows of `train`, `validation` and `test`.
        targets: Names of the targets.
    """

    actual: Array
    scorable: Array
    parts: Mapping[str, slice]
    targets: Sequence[str]

    def scored(self, part: str) -> Array:
        """Return the rows that count in a part. Shape (time, targets)."""
        mask = np.zeros_like(self.scorable)
        mask[self.parts[part]] = self.scorable[self.parts[part]]
        return mask


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
    measured = np.where(truth.scorable, truth.actual, np.nan)  # (time, targets)
    scores = {
        "train_rmse": rmse(truth.actual, forecasts, train),
        "validation_rmse": rmse(truth.actual, forecasts, truth.scored("validation")),
        "test_rmse": rmse(truth.actual, forecasts, test),
        "test_mae": mae(truth.actual, forecasts, test),
        "test_mase": mase(truth.actual, forecasts, test, measured[truth.parts["train"]]),
        "test_smape": smape(truth.actual, forecasts, test),
    }
    if len(truth.targets) > 1:
        for column, name in enumerate(truth.targets):
            only = [column]
            scores[f"test_rmse.{name}"] = rmse(truth.actual[:, only], forecasts[:, :, only], test[:, only])
    return scores


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
