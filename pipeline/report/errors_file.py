"""test_errors.npz: the errors of the test part in one small file, so that a thousand runs are compared in seconds."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.record import TestErrors

NAME = "test_errors.npz"
FALLBACK = "predictions.csv"


def write_test_errors(
    path: Path,
    names: pd.Index | np.ndarray,
    targets: Sequence[str],
    horizon_steps: Sequence[int],
    test: np.ndarray,
    actual: np.ndarray,
    forecasts: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    seeds: Sequence[int],
    validation_rmse: Sequence[float],
) -> str:
    """Write the errors of the test part.

    Args:
        path: The file.
        names: Of every row of the series: its timestamp, after its lane where there are several. Shape (time,).
        targets: Names of the targets.
        horizon_steps: Steps ahead of the forecasts.
        test: True for the rows of the test part that are scored. Shape (time,).
        actual: Shape (time, targets); NaN where the file had no value, which is never scored.
        forecasts: Shape (seeds, time, horizon_steps, targets), in the data's own units.
        baselines: Forecasts by name. Each (time, horizon_steps, targets).
        seeds: Number of each seed.
        validation_rmse: Of each seed.

    Returns:
        What identifies the rows that are scored: `TestErrors.rows`.
    """
    told = pd.Index(names).astype(str).to_numpy(dtype=str)[test]
    measured = actual[test, None]  # (test time, 1, targets)
    rows, span = _identify(told, targets, horizon_steps, np.isfinite(actual[test]))
    facts = {
        "rows": rows,
        "span": span,
        "horizon": int(max(horizon_steps)),
        "seeds": [int(seed) for seed in seeds],
        "baselines": list(baselines),
    }
    np.savez(
        path,
        allow_pickle=False,
        facts=np.array(json.dumps(facts)),
        errors=(forecasts[:, test] - measured).astype(np.float32),
        validation_rmse=np.asarray(validation_rmse, dtype=float),
        baselines=np.stack([each[test] - measured for each in baselines.values()]).astype(np.float32),
    )
    return rows


def read_test_errors(folder: Path) -> TestErrors:
    """Read test_errors.npz of a run or, for a run that was logged before it existed, predictions.csv.

    Raises:
        FileNotFoundError: If the folder has neither.
    """
    path = folder / NAME
    if not path.is_file():
        return _read_predictions(folder / FALLBACK)
    with np.load(path, allow_pickle=False) as arrays:
        facts = json.loads(arrays["facts"].item())
        return TestErrors(
            errors=arrays["errors"],
            seeds=tuple(facts["seeds"]),
            validation_rmse=arrays["validation_rmse"],
            baselines=dict(zip(facts["baselines"], arrays["baselines"], strict=True)),
            rows=facts["rows"],
            span=facts["span"],
            horizon=facts["horizon"],
        )


def read_scored_rows(folder: Path) -> tuple[str, str]:
    """Return only what identifies the scored rows, as digest and in words: `rows` and `span` of TestErrors."""
    if not (folder / NAME).is_file():
        errors = _read_predictions(folder / FALLBACK)
        return errors.rows, errors.span
    with np.load(folder / NAME, allow_pickle=False) as arrays:
        facts = json.loads(arrays["facts"].item())
    return facts["rows"], facts["span"]


def _read_predictions(path: Path) -> TestErrors:
    frame = pd.read_csv(path, dtype={"timestamp": str, "target": str}, keep_default_na=False, na_values={"actual": ""})
    if "lane" in frame:
        frame["timestamp"] = frame["lane"].astype(str) + " " + frame["timestamp"]
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
