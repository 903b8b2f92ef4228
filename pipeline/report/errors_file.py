"""test_errors.npz: the errors of the test part in one small file, so that a thousand runs are compared in seconds."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.record import TestErrors

NAME = "test_errors.npz"
FALLBACK = "predictions.csv"
_BASELINE = "baseline_"


def write_test_errors(
    path: Path,
    timestamps: pd.Index,
    targets: Sequence[str],
    horizon_steps: Sequence[int],
    test: slice,
    actual: np.ndarray,
    forecasts: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    seeds: Sequence[int],
    validation_rmse: Sequence[float],
) -> None:
    """Write the errors of the test part.

    Args:
        path: The file.
        timestamps: Of every row of the series. Shape (time,).
        targets: Names of the targets.
        horizon_steps: Steps ahead of the forecasts.
        test: Rows of the test part.
        actual: Shape (time, targets); NaN where the file had no value, which is never scored.
        forecasts: Shape (seeds, time, horizon_steps, targets), in the data's own units.
        baselines: Forecasts by name. Each (time, horizon_steps, targets).
        seeds: Number of each seed.
        validation_rmse: Of each seed.
    """
    told = timestamps.astype(str).to_numpy(dtype=str)[test]  # as predictions.csv writes them
    measured = actual[test, None]  # (test time, 1, targets)
    rows, span = _identify(told, targets, horizon_steps, np.isfinite(actual[test]))
    arrays = {f"{_BASELINE}{name}": each[test] - measured for name, each in baselines.items()}
    np.savez(
        path,
        allow_pickle=False,
        errors=(forecasts[:, test] - measured).astype(np.float32),
        seeds=np.asarray(seeds, dtype=np.int64),
        validation_rmse=np.asarray(validation_rmse, dtype=float),
        rows=np.array([rows, span]),
        horizon=np.array(max(horizon_steps)),
        **{name: each.astype(np.float32) for name, each in arrays.items()},
    )


def read_test_errors(folder: Path) -> TestErrors:
    """Read test_errors.npz of a run or, for a run that was logged before it existed, predictions.csv.

    Raises:
        FileNotFoundError: If the folder has neither.
    """
    path = folder / NAME
    if not path.is_file():
        return _read_predictions(folder / FALLBACK)
    with np.load(path, allow_pickle=False) as arrays:
        rows, span = arrays["rows"].tolist()
        return TestErrors(
            errors=arrays["errors"],
            seeds=tuple(arrays["seeds"].tolist()),
            validation_rmse=arrays["validation_rmse"],
            baselines={
                name.removeprefix(_BASELINE): arrays[name] for name in arrays.files if name.startswith(_BASELINE)
            },
            rows=rows,
            span=span,
            horizon=int(arrays["horizon"]),
        )


def read_scored_rows(folder: Path) -> tuple[str, str]:
    """Return only what identifies the scored rows, as digest and in words: `rows` and `span` of TestErrors."""
    if not (folder / NAME).is_file():
        errors = _read_predictions(folder / FALLBACK)
        return errors.rows, errors.span
    with np.load(folder / NAME, allow_pickle=False) as arrays:
        rows, span = arrays["rows"].tolist()
    return rows, span


def _read_predictions(path: Path) -> TestErrors:
    frame = pd.read_csv(path, dtype={"timestamp": str, "target": str}, keep_default_na=False, na_values={"actual": ""})
    columns = [name for name in frame.columns if name.startswith("seed_")]
    errors = frame[columns].to_numpy(dtype=float) - frame[["actual"]].to_numpy(dtype=float)  # (rows, seeds)
    test = (frame["part"] == "test").to_numpy()
    told, targets, steps = (frame.loc[test, name].unique() for name in ("timestamp", "target", "horizon"))
    shaped = errors[test].reshape(len(targets), len(steps), len(told), len(columns)).transpose(3, 2, 1, 0)
    scored = np.isfinite(shaped[0, :, 0])  # (time, targets)
    rows, span = _identify(told.astype(str), targets.tolist(), steps.tolist(), scored)
    return TestErrors(
        errors=shaped.astype(np.float32),
        seeds=tuple(int(name.removeprefix("seed_")) for name in columns),
        validation_rmse=np.sqrt(np.nanmean(errors[(frame["part"] == "validation").to_numpy()] ** 2, axis=0)),
        baselines={},
        rows=rows,
        span=span,
        horizon=int(max(steps)),
    )


def _identify(told: np.ndarray, targets: Sequence[str], steps: Sequence[int], scored: np.ndarray) -> tuple[str, str]:
    """Return the digest of what is scored, and what people call it."""
    identity = hashlib.sha256(repr((list(targets), [int(step) for step in steps])).encode())
    identity.update("\n".join(told.tolist()).encode())
    identity.update(np.packbits(scored).tobytes())
    names = ", ".join(targets[:3]) + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")
    ahead = str(steps[0]) if len(steps) == 1 else f"{min(steps)} to {max(steps)}"
    return identity.hexdigest(), f"{len(told)} timestamps from {told[0]} to {told[-1]}, {names}, {ahead} ahead"
