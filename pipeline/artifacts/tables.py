"""The tables of a run: predictions.csv, seeds.csv, lanes.csv, history.csv."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from pipeline.evaluation.calibration import Calibration
from pipeline.evaluation.intervals import Bounds, Coverage, name_level, name_quantile


def write_predictions(
    path: Path,
    timestamps: pd.Index,
    targets: Sequence[str],
    horizon_steps: Sequence[int],
    parts: np.ndarray,
    actual: np.ndarray,
    forecasts: np.ndarray,
    seeds: Sequence[int],
    lanes: np.ndarray | None = None,
    bounds: Bounds | None = None,
    levels: Sequence[float] = (),
    answers: np.ndarray | None = None,
) -> None:
    """Write one row per timestamp, target and horizon step, in the data's own units.

    Args:
        path: The file.
        timestamps: Of every row of the series. Shape (time,).
        targets: Names of the targets.
        horizon_steps: Steps ahead of the forecasts.
        parts: train, validation or test, of every row. Shape (time,).
        actual: Shape (time, targets); NaN where the file had no value, which is never scored.
        forecasts: Shape (seeds, time, horizon_steps, targets); rows without a forecast are left out.
        seeds: Number of each seed.
        lanes: Name of the lane of every row, shape (time,); None for a single series, which has no column `lane`.
        bounds: Intervals around the mean of the seeds; two columns for each level, empty outside the test part.
        levels: Of quantiles; each has a column with its mean over the seeds.
        answers: The quantiles. Shape (seeds, time, horizon_steps, targets, levels); not read without levels.
    """
    blocks = []
    lane = {} if lanes is None else {"lane": lanes}
    for column, target in enumerate(targets):
        for position, ahead in enumerate(horizon_steps):
            each = forecasts[:, :, position, column]  # (seeds, time)
            block = pd.DataFrame(
                lane
                | {
                    "timestamp": timestamps,
                    "target": target,
                    "part": parts,
                    "horizon": ahead,
                    "actual": actual[:, column],
                    "prediction": each.mean(axis=0),
                }
                | ({} if bounds is None else _bound(bounds, position, column))
                | _list_quantiles(levels, answers, position, column)
                | {f"seed_{seed}": each[number] for number, seed in enumerate(seeds)}
            )
            blocks.append(block[~np.isnan(each).any(axis=0)])
    pd.concat(blocks).to_csv(path, index=False, quoting=_quoting([*targets, *({} if lanes is None else set(lanes))]))


def _bound(bounds: Bounds, step: int, target: int) -> dict[str, np.ndarray]:
    """Return the columns `low_95` and `high_95` of each level."""
    columns: dict[str, np.ndarray] = {}
    centres = bounds.centres[:, step, target]
    for place, level in enumerate(bounds.levels):
        radii = bounds.radii[:, step, target, place]
        columns |= {f"low_{name_level(level)}": centres - radii, f"high_{name_level(level)}": centres + radii}
    return columns


def _list_quantiles(
    levels: Sequence[float], answers: np.ndarray | None, step: int, target: int
) -> dict[str, np.ndarray]:
    """Return the columns `quantile_0.05` of each level."""
    if answers is None:
        return {}
    means = answers[:, :, step, target].mean(axis=0)  # (time[, levels])
    return {name_quantile(level): means[:, place] for place, level in enumerate(levels)}


def write_intervals(path: Path, targets: Sequence[str], coverages: Mapping[str, Sequence[Coverage]]) -> None:
    """Write one row for the network and each baseline, level and target: what the intervals are worth.

    Args:
        path: The CSV file.
        targets: Names of the targets.
        coverages: By name of the network or baseline, one entry for each level. Coverage and MSIS are over all targets.
    """
    rows = [
        {
            "forecast": name,
            "level": each.level,
            "target": target,
            "coverage": each.share,
            "coverage_low": each.low,
            "coverage_high": each.high,
            "mean_width": each.widths[column],
            "msis": each.msis,
        }
        for name, levels in coverages.items()
        for each in levels
        for column, target in enumerate(targets)
    ]
    pd.DataFrame(rows).to_csv(path, index=False, quoting=_quoting(targets))


def write_calibration(path: Path, calibrations: Mapping[str, Calibration]) -> None:
    """Write one row for the network and each baseline and level: how many values lie below that quantile."""
    rows = [
        {"forecast": name, "level": level, "below": share}
        | dict(zip(("below_low", "below_high"), found.interval(float(share)), strict=True))
        | {"wql": found.wql, "pit_p_value": found.p_value}
        for name, found in calibrations.items()
        for level, share in zip(found.levels, found.below, strict=True)
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def write_seeds(path: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Write one row per seed: what it was (seed, kept epoch, seconds), then its scores."""
    pd.DataFrame(rows).to_csv(path, index=False)


def write_series_scores(
    path: Path, names: Sequence[str], scores: Sequence[Mapping[str, float]] | Mapping[str, np.ndarray]
) -> None:
    """Write one row per lane: its name, its scores on the test part and those of the baselines.

    Args:
        path: The CSV file.
        names: Of the lanes.
        scores: By name, of one lane after another; or by name those of all lanes.
    """
    table = pd.DataFrame(scores)
    table.insert(0, "lane", list(names))
    table.to_csv(path, index=False, quoting=_quoting(names))


def _quoting(names: Iterable[str]) -> Literal[0, 2]:
    """Quote more than is needed where a name holds a carriage return: before Python 3.13 that alone was no reason."""
    return csv.QUOTE_NONNUMERIC if any("\r" in name for name in names) else csv.QUOTE_MINIMAL


def write_origins(path: Path, blocks: Sequence[Mapping[str, object]]) -> None:
    """Write one row per origin of a rolling one: its block of the test part, and its scores."""
    pd.DataFrame(blocks).to_csv(path, index=False)


def write_history(path: Path, losses: Mapping[int, tuple[Sequence[float], Sequence[float]]]) -> None:
    """Write one row per seed and epoch: loss and val_loss, in scaled units."""
    rows = [
        {"seed": seed, "epoch": epoch + 1, "loss": loss, "val_loss": val_loss}
        for seed, both in losses.items()
        for epoch, (loss, val_loss) in enumerate(zip(*both, strict=True))
    ]
    pd.DataFrame(rows).to_csv(path, index=False)


def write_parity(path: Path, differences: Mapping[str, float]) -> None:
    """Write how far each way to read a sequence lies from the whole sequence, in units of the target's scale."""
    pd.DataFrame({"way": list(differences), "difference": list(differences.values())}).to_csv(path, index=False)


def write_memory(path: Path, measure: str, warm_up: np.ndarray, zeroed: np.ndarray) -> None:
    """Write what validation is judged by after 1, 2, ... steps, and with the state zeroed every 1, 2, ... steps.

    Args:
        path: The CSV file.
        measure: Name of what it is judged by: `rmse`, or of a text `nats_per_token`.
        warm_up: After 1, 2, ... steps. Shape (steps,).
        zeroed: With the state zeroed. Shape (steps,).
    """
    steps = np.arange(1, len(warm_up) + 1)
    table = {"steps": steps, f"{measure}_after_warm_up": warm_up, f"{measure}_zeroed_every": zeroed}
    pd.DataFrame(table).to_csv(path, index=False)
