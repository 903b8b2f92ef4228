"""Scores of a panel that is looked at in blocks: sums of errors lane by lane, from which all scores are made at last.

The scores are those of evaluation/scores.py over all lanes at once, up to the order in which numbers are added.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.record import Measure
from pipeline.evaluation.metrics import errors, skill
from pipeline.evaluation.scores import Truth
from pipeline.evaluation.statistics import summarize_seeds

Array = np.ndarray
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class NaiveSums:
    """What repeating the last value costs in the training part. Each (lanes, targets)."""

    squares: Array
    absolutes: Array
    counts: Array

    @property
    def scale(self) -> Array:
        """Return what RMSSE divides by, as `naive_scale`. Shape (targets,)."""
        found = np.sqrt(self.squares.sum(axis=0) / np.maximum(self.counts.sum(axis=0), 1))
        return np.where(found > 0, found, 1.0)


@dataclass(frozen=True)
class ErrorSums:
    """What one forecast costs: of each part, lane and target.

    Attributes:
        squares: Squared errors. Shape (parts, lanes, targets).
        absolutes: Absolute errors. The same.
        counts: Errors. The same.
        percents: Of the test part, as sMAPE takes them. Shape (lanes, targets).
        rows: Of the test part, in which a target is scored. Shape (lanes,).
    """

    squares: Array
    absolutes: Array
    counts: Array
    percents: Array
    rows: Array

    def rmse(self, part: str) -> Array:
        """Return the root mean square of each target over all lanes. Shape (targets,)."""
        number = PARTS.index(part)
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(self.squares[number].sum(axis=0) / self.counts[number].sum(axis=0)))

    def of_lanes(self, part: str) -> tuple[Array, Array]:
        """Return root mean square and mean absolute error of each lane; NaN without a row. Each (lanes, targets)."""
        number = PARTS.index(part)
        with np.errstate(invalid="ignore"):
            return (
                np.sqrt(self.squares[number] / self.counts[number]),
                self.absolutes[number] / self.counts[number],
            )


@dataclass(frozen=True)
class PanelScores:
    """What a panel scored of which only a sample is shown.

    Attributes:
        seeds: Scores of each seed over all lanes.
        metrics: Final metrics over all lanes by MLflow name.
        lanes: Columns of lanes.csv.
        coefficients: Of the linear fit on all lanes. Shape (1 + lags, outputs).
    """

    seeds: list[dict[str, float]]
    metrics: Mapping[str, float]
    lanes: Mapping[str, Array]
    coefficients: Array


def sum_naive(truth: Truth) -> NaiveSums:
    """Sum what repeating the last value costs in each lane of a block."""
    known = np.where(truth.scored("train"), truth.actual, np.nan)
    changes = np.diff(known, axis=0, prepend=np.nan)  # (time, targets)
    changes[[rows.start for rows in truth.slices]] = np.nan  # no change reaches from one lane into another
    found, changes = ~np.isnan(changes), np.nan_to_num(changes)
    add = _adder(truth)
    return NaiveSums(add(changes**2), add(np.abs(changes)), add(found))


def sum_errors(truth: Truth, forecasts: Array) -> ErrorSums:
    """Sum the errors of one forecast in each lane of a block.

    Args:
        truth: What really happened.
        forecasts: Shape (time, horizon_steps, targets), in the data's own units.

    Raises:
        ValueError: If a row that is scored has no forecast.
    """
    parts = {part: truth.scored(part) for part in PARTS}
    parts["train"] = parts["train"] & ~np.isnan(forecasts).any(axis=1)
    each = [np.moveaxis(errors(truth.actual, forecasts, scored), 1, 0) for scored in parts.values()]
    add = _adder(truth)

    def total(change: Callable[[Array], Array]) -> Array:
        return np.stack([add(np.nansum(change(some), axis=0)) for some in each])

    size = np.abs(forecasts) + np.abs(truth.actual)[:, None]  # (time, horizon_steps, targets)
    away = np.moveaxis(np.abs(each[-1]), 0, 1)
    percents = np.where(size > 0, 200 * away / np.where(size > 0, size, 1.0), 0 * away)
    return ErrorSums(
        squares=total(np.square),
        absolutes=total(np.abs),
        counts=total(lambda some: ~np.isnan(some)),
        percents=add(np.nansum(percents, axis=1)),
        rows=add(np.asarray(parts["test"].any(axis=1))),
    )


def _adder(truth: Truth) -> Callable[[Array], Array]:
    firsts = [rows.start for rows in truth.slices]
    return lambda numbers: np.add.reduceat(numbers.astype(float), firsts, axis=0)  # (lanes, targets)


def join_sums(blocks: Sequence[ErrorSums]) -> ErrorSums:
    """Put the lanes of blocks one after another."""
    return ErrorSums(
        *(np.concatenate([getattr(each, name) for each in blocks], 1) for name in ("squares", "absolutes", "counts")),
        *(np.concatenate([getattr(each, name) for each in blocks]) for name in ("percents", "rows")),
    )


def join_naive(blocks: Sequence[NaiveSums]) -> NaiveSums:
    """Put the lanes of blocks one after another."""
    names = ("squares", "absolutes", "counts")
    return NaiveSums(*(np.concatenate([getattr(each, name) for each in blocks]) for name in names))


def score_sums(sums: ErrorSums, naive: NaiveSums, targets: Sequence[str]) -> dict[str, float]:
    """Return the scores of one seed, as `score_seed` does."""
    scores: dict[str, float] = {}
    last = PARTS.index("test")
    mae = sums.absolutes[last].sum(axis=0) / sums.counts[last].sum(axis=0)  # (targets,)
    for column, ending in enumerate(_endings(targets)):
        scores |= {f"{part}_rmse{ending}": float(sums.rmse(part)[column]) for part in PARTS}
        scores[f"test_mae{ending}"] = float(mae[column])
    for part in ("validation", "test"):
        scores[f"{part}_rmsse"] = float(np.nanmean(sums.rmse(part) / naive.scale))
    _, absolute = sums.of_lanes("test")
    scaled = absolute / np.where(naive.absolutes > 0, naive.absolutes, np.nan) * naive.counts  # (lanes, targets)
    scores["test_mase"] = float(np.nanmean(scaled)) if np.isfinite(scaled).any() else float("nan")
    scores["test_smape"] = float(sums.percents.sum() / sums.counts[last].sum())
    return scores


def score_panel(
    seeds: Sequence[Mapping[str, float]],
    mean: ErrorSums,
    baselines: Mapping[str, ErrorSums],
    naive: NaiveSums,
    targets: Sequence[str],
    measure: Measure,
) -> dict[str, float]:
    """Return the metrics of a run, as `score_run` does.

    Args:
        seeds: Scores of each seed.
        mean: Sums of the mean forecast of all seeds.
        baselines: Sums of the baselines by name.
        naive: Of repeating the last value.
        targets: Their names.
        measure: What runs are judged by.
    """
    metrics: dict[str, float] = {}
    for name in seeds[0]:
        metrics |= summarize_seeds(name, [seed[name] for seed in seeds])
    metrics[measure.of("mean_forecast")] = score_sums(mean, naive, targets)[measure.of("test")]
    for name, sums in baselines.items():
        scores = score_sums(sums, naive, targets)
        for ending in _endings(targets):
            metrics[f"baseline_{name}_rmse{ending}"] = scores[f"test_rmse{ending}"]
            metrics[f"skill_{name}{ending}"] = skill(metrics[f"test_rmse{ending}"], scores[f"test_rmse{ending}"])
        metrics[f"baseline_{name}_rmsse"] = scores["test_rmsse"]
        metrics[measure.of(f"baseline_{name}")] = scores[measure.of("test")]
        metrics[f"skill_{name}"] = skill(metrics[measure.of("test")], scores[measure.of("test")])
    return metrics


def score_lanes(
    seeds: Sequence[ErrorSums], baselines: Mapping[str, ErrorSums], naive: NaiveSums, targets: Sequence[str]
) -> dict[str, Array]:
    """Return the scores of each lane on the test part, as `score_series` does, as columns of a table."""
    columns: dict[str, Array] = {"test_rows": seeds[0].rows}
    each = [seed.of_lanes("test") for seed in seeds]
    rmse, mae = np.mean([found for found, _ in each], axis=0), np.mean([found for _, found in each], axis=0)
    for column, ending in enumerate(_endings(targets)):
        columns[f"test_rmse{ending}"], columns[f"test_mae{ending}"] = rmse[:, column], mae[:, column]
        for name, sums in baselines.items():
            columns[f"baseline_{name}_rmse{ending}"] = sums.of_lanes("test")[0][:, column]
    if len(targets) > 1:
        with np.errstate(invalid="ignore"):  # a lane without a test row
            columns["test_rmsse"] = np.nansum(rmse / naive.scale, axis=1) / (~np.isnan(rmse)).sum(axis=1)
    return columns


def _endings(targets: Sequence[str]) -> list[str]:
    return [""] if len(targets) == 1 else [f".{name}" for name in targets]
