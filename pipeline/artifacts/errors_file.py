"""test_errors.npz: the errors of the test part in one small file, so that a thousand runs are compared in seconds."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pandas as pd

from pipeline.artifacts.plain_npz import list_arrays, read_plain
from pipeline.base.moments import root_mean_square
from pipeline.base.record import TestErrors
from pipeline.models.heads.head import Head
from pipeline.models.heads.point import POINT

NAME = "test_errors.npz"
FALLBACK = "predictions.csv"


def measure_test_errors(
    timestamps: pd.Index,
    targets: Sequence[str],
    horizon_steps: Sequence[int],
    test: np.ndarray,
    actual: np.ndarray,
    answers: np.ndarray,
    baselines: Mapping[str, np.ndarray],
    seeds: Sequence[int],
    validation_rmse: Sequence[float],
    scale: np.ndarray,
    head: Head = POINT,
) -> TestErrors:
    """Return the errors of some scored rows: those of the test part, or others.

    Args:
        timestamps: Of every row of the series; the rows of several lanes share them. Shape (time,).
        targets: Names of the targets.
        horizon_steps: Steps ahead of the forecasts.
        test: True for the rows of the test part that are scored. Shape (time,).
        actual: Shape (time, targets); NaN where the file had no value, which is never scored.
        answers: Shape (seeds, time, horizon_steps, targets, *shape of an answer), in the data's own units.
        baselines: Answers by name. Each (time, horizon_steps, targets, *shape of an answer).
        seeds: Number of each seed.
        validation_rmse: Of each seed.
        scale: What errors of each target are divided by before targets are averaged. Shape (targets,).
        head: Whose answers these are.
    """
    told = timestamps.astype(str).to_numpy(dtype=str)[test]
    times, _ = pd.factorize(timestamps[test], sort=True)
    measured = actual[test, None]  # (test time, 1, targets)
    place = head.measure(len(targets)).place
    rows, span = _identify(told, times, targets, horizon_steps, actual[test], head.levels, place)
    return TestErrors(
        errors=head.errors(answers[:, test], measured),
        seeds=tuple(int(seed) for seed in seeds),
        validation_rmse=np.asarray(validation_rmse, dtype=float),
        baselines={name: head.errors(each[test], measured) for name, each in baselines.items()},
        times=times,
        scale=np.asarray(scale, dtype=float),
        rows=rows,
        span=span,
        horizon=int(max(horizon_steps)),
    )


def write_test_errors(path: Path, found: TestErrors) -> str:
    """Write the errors of the test part, and return what identifies the values that are scored: `TestErrors.rows`."""
    facts = {
        "rows": found.rows,
        "span": found.span,
        "horizon": found.horizon,
        "seeds": list(found.seeds),
        "baselines": list(found.baselines),
    }
    np.savez(
        path,
        allow_pickle=False,
        facts=np.array(json.dumps(facts)),
        errors=_single(found.errors),
        times=found.times.astype(np.int32),
        scale=found.scale,
        validation_rmse=found.validation_rmse,
        baselines=_single(np.stack(list(found.baselines.values()))),
    )
    return found.rows


def _single(errors: np.ndarray) -> np.ndarray:
    """Halve the size of errors where that loses nothing but digits: not where a 32-bit float would be zero or inf."""
    size = np.abs(errors[np.isfinite(errors) & (errors != 0)])
    fits = not size.size or (size.max() < 1e30 and size.max() > 1e-25)
    return errors.astype(np.float32) if fits else errors


def read_test_errors(folder: Path) -> TestErrors:
    """Read test_errors.npz of a run or, for a run that was logged before it said enough, predictions.csv.

    Raises:
        FileNotFoundError: If the folder has neither.
    """
    with _open_current(folder) as file:
        if file is None:
            return _read_predictions(folder / FALLBACK)
        facts = json.loads(read_plain(file, "facts").item())
        return TestErrors(
            errors=read_plain(file, "errors"),
            seeds=tuple(facts["seeds"]),
            validation_rmse=read_plain(file, "validation_rmse"),
            baselines=dict(zip(facts["baselines"], read_plain(file, "baselines"), strict=True)),
            times=read_plain(file, "times"),
            scale=read_plain(file, "scale"),
            rows=facts["rows"],
            span=facts["span"],
            horizon=facts["horizon"],
        )


def read_scored_rows(folder: Path) -> tuple[str, str]:
    """Return only what identifies the scored values, as digest and in words: `rows` and `span` of TestErrors."""
    with _open_current(folder) as file:
        if file is None:
            errors = _read_predictions(folder / FALLBACK)
            return errors.rows, errors.span
        facts = json.loads(read_plain(file, "facts").item())
        return facts["rows"], facts["span"]


@contextmanager
def _open_current(folder: Path) -> Iterator[ZipFile | None]:
    """Open the small file if it is there, and says which rows share a timestamp: older ones did not."""
    if not (folder / NAME).is_file():
        yield None
        return
    with ZipFile(folder / NAME) as file:
        yield file if "times" in list_arrays(file) else None


def _read_predictions(path: Path) -> TestErrors:
    """Read what a run of before says; its lanes lie one after another, and with several targets no scale was logged."""
    frame = pd.read_csv(
        path,
        dtype={"timestamp": str, "target": str, "lane": str},
        keep_default_na=False,
        na_values={"actual": ""},
    )
    columns = [name for name in frame.columns if name.startswith("seed_")]
    errors = frame[columns].to_numpy(dtype=float) - frame[["actual"]].to_numpy(dtype=float)  # (rows, seeds)
    validation = errors[(frame["part"] == "validation").to_numpy()]  # (rows, seeds)
    test = (frame["part"] == "test").to_numpy()
    targets, steps = (frame.loc[test, name].unique() for name in ("target", "horizon"))
    each = test & ((frame["target"] == targets[0]) & (frame["horizon"] == steps[0])).to_numpy()
    told = frame.loc[each, "timestamp"].to_numpy(dtype=str)
    in_blocks = (len(targets), len(steps), len(told))
    shaped = errors[test].reshape(*in_blocks, len(columns)).transpose(3, 2, 1, 0)
    actual = frame.loc[test, "actual"].to_numpy(dtype=float).reshape(in_blocks)[:, 0].T  # (time, targets)
    times = _rank(told)
    rows, span = _identify(told, times, targets.tolist(), steps.tolist(), actual)
    return TestErrors(
        errors=_single(shaped),
        seeds=tuple(int(name.removeprefix("seed_")) for name in columns),
        validation_rmse=np.array([root_mean_square(each[np.isfinite(each)]) for each in validation.T]),
        baselines={},
        times=times,
        scale=np.ones(len(targets)),
        rows=rows,
        span=span,
        horizon=int(max(steps)),
    )


def _rank(told: np.ndarray) -> np.ndarray:
    """Number timestamps that were written as text in the order of time: numbers by size, dates by the clock."""
    try:
        order = pd.Index(told.astype(float))
    except ValueError:
        order = pd.to_datetime(told, format="ISO8601", utc=True)
    return np.asarray(pd.factorize(order, sort=True)[0])


def _identify(
    told: np.ndarray,
    times: np.ndarray,
    targets: Sequence[str],
    steps: Sequence[int],
    actual: np.ndarray,
    levels: tuple[float, ...] = (),
    place: str = "timestamp",
) -> tuple[str, str]:
    """Return the digest of what is scored, and what people call it.

    Nothing of what forecasts were made from goes in, nor what the lanes are called and which comes first: the values at
    each timestamp are put into order of their size.
    """
    scored = np.isfinite(actual).any(axis=1)
    told, times, values = told[scored], times[scored], actual[scored].astype(float) + 0.0  # no -0.0
    order = np.lexsort((*values.T[::-1], times))
    asked = (list(targets), [int(step) for step in steps], *levels)  # other quantiles are judged by other errors
    identity = hashlib.sha256(repr(asked).encode())
    identity.update("\n".join(told[order].tolist()).encode())
    identity.update(np.isnan(values[order]).tobytes())
    identity.update(np.nan_to_num(values[order]).tobytes())
    count, lanes = len(np.unique(times)), int(np.bincount(times).max(initial=0)) if len(times) else 0
    side_by_side = f" in {lanes} lanes" if lanes > 1 else ""
    names = ", ".join(targets[:3]) + (f" and {len(targets) - 3} more" if len(targets) > 3 else "")
    ahead = str(steps[0]) if len(steps) == 1 else f"{min(steps)} to {max(steps)}"
    first, last = told[order][[0, -1]] if len(order) else ("-", "-")
    if place != "timestamp":  # a text has one target, one step ahead
        return identity.hexdigest(), f"{count} {place}s, from {first} to {last}"
    return identity.hexdigest(), f"{count} timestamps{side_by_side} from {first} to {last}, {names}, {ahead} ahead"
