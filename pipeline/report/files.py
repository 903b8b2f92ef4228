"""The files of a run: predictions.csv, seeds.csv, history.csv."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd


def write_predictions(
    path: Path,
    timestamps: pd.Index,
    targets: Sequence[str],
    horizon_steps: Sequence[int],
    parts: np.ndarray,
    actual: np.ndarray,
    forecasts: np.ndarray,
    seeds: Sequence[int],
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
    """
    blocks = []
    for column, target in enumerate(targets):
        for position, ahead in enumerate(horizon_steps):
            each = forecasts[:, :, position, column]  # (seeds, time)
            block = pd.DataFrame(
                {
                    "timestamp": timestamps,
                    "target": target,
                    "part": parts,
                    "horizon": ahead,
                    "actual": actual[:, column],
                    "prediction": each.mean(axis=0),
                }
                | {f"seed_{seed}": each[number] for number, seed in enumerate(seeds)}
            )
            blocks.append(block[~np.isnan(each).any(axis=0)])
    pd.concat(blocks).to_csv(path, index=False)


def write_seeds(path: Path, scores: Sequence[Mapping[str, float]], facts: Sequence[Mapping[str, float]]) -> None:
    """Write one row per seed: what it was (seed, kept epoch, seconds), then its scores."""
    pd.DataFrame([{**fact, **score} for fact, score in zip(facts, scores, strict=True)]).to_csv(path, index=False)


def write_history(path: Path, losses: Mapping[int, tuple[Sequence[float], Sequence[float]]]) -> None:
    """Write one row per seed and epoch: loss and val_loss, in scaled units."""
    rows = [
        {"seed": seed, "epoch": epoch + 1, "loss": loss, "val_loss": val_loss}
        for seed, both in losses.items()
        for epoch, (loss, val_loss) in enumerate(zip(*both, strict=True))
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
