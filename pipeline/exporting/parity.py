"""How far an exported model forecasts from Keras, in units of the scaler, and how long it takes."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.exporting.files import Run
from pipeline.exporting.forms import FORECAST, NEW, QUANTILES, ROW, ROWS
from pipeline.exporting.layout import OFFSET, SCALE
from pipeline.exporting.reference import Reference

Array = np.ndarray
LIMIT = 1e-5  # of a unit of the scaler
_CALLS, _SECONDS = 300, 0.5  # that are timed, at most
_WARM = 5


@dataclass(frozen=True)
class Measured:
    """What the last rows of a run's data show of a form.

    Attributes:
        difference: The largest one to Keras, in units of the scaler; not a number if a forecast is none.
        rows: That a timed call reads.
        microseconds: Of a call for one lane, the median.
    """

    difference: float
    rows: int
    microseconds: float


def measure_step(run: Run, reference: Reference) -> Measured:
    """Read the last rows one by one, the state of each handed to the next.

    Args:
        run: The step form.
        reference: The rows, and what Keras forecasts.
    """
    rows = np.stack([history[-reference.count :] for history in reference.histories], axis=1)  # (count, lanes, columns)
    state, largest = reference.state, 0.0
    for place, row in enumerate(rows):
        made = run({ROW: row, **state})
        largest = np.maximum(largest, _difference(made, reference, (slice(None), place)))
        state = {name: made[f"{NEW}{name}"] for name in state}
    first = {name: array[:1] for name, array in reference.state.items()}
    return Measured(float(largest), 1, _time(run, {ROW: rows[0][:1], **first}))


def measure_window(run: Run, reference: Reference, length: int | None) -> Measured:
    """Forecast from windows that end at the last rows.

    Args:
        run: The window form.
        reference: The rows, and what Keras forecasts.
        length: Rows of a window; None: it reads whole histories, which is done up to two rows of each lane.
    """
    largest, last = 0.0, {ROWS: np.empty((1, 0))}
    for lane, history in enumerate(reference.histories):
        scaler = {name: reference.state[name][[lane]] for name in (OFFSET, SCALE) if name in reference.state}
        ends = len(history) - reference.count + 1 + np.arange(reference.count)
        if length is None:
            for place in sorted({0, reference.count - 1}):
                last = {ROWS: history[None, : ends[place]], **scaler}  # (1, rows, columns)
                largest = np.maximum(largest, _difference(run(last), reference, ([lane], place)))
        else:
            windows = np.stack([history[end - length : end] for end in ends])  # (count, rows, columns)
            many = {name: np.repeat(each, len(ends), axis=0) for name, each in scaler.items()}
            largest = np.maximum(largest, _difference(run({ROWS: windows, **many}), reference, (lane,)))
            last = {ROWS: windows[-1:], **scaler}
    return Measured(float(largest), last[ROWS].shape[1], _time(run, last))


def _difference(made: Mapping[str, Any], reference: Reference, where: tuple[Any, ...]) -> Array:
    """Return the largest difference after some rows, as far as Keras has a forecast; a NaN stays one."""
    units, points = reference.units[where], reference.points[where]  # each (forecasts, horizon_steps, targets)
    apart = np.abs(np.asarray(made[FORECAST], float) - points) / units
    largest = np.max(apart, initial=0.0, where=np.isfinite(points))
    if QUANTILES in made:
        answers = reference.answers[where]  # (forecasts, horizon_steps, targets, levels)
        apart = np.abs(np.asarray(made[QUANTILES], float) - answers) / units[..., None]
        largest = np.maximum(largest, np.max(apart, initial=0.0, where=np.isfinite(answers)))
    return largest


def _time(run: Run, given: Mapping[str, Any]) -> float:
    """Return microseconds of a call, the median of many."""
    for _ in range(_WARM):
        run(given)
    took: list[int] = []
    began = time.perf_counter()
    while len(took) < _CALLS and time.perf_counter() - began < _SECONDS:
        start = time.perf_counter_ns()
        run(given)
        took.append(time.perf_counter_ns() - start)
    return float(np.median(took)) / 1000
