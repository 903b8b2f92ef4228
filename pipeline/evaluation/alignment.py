"""From what a network gives to what is scored: forecasts in the data's own units at the rows they predict."""

from collections.abc import Sequence

import numpy as np

from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.scores import Truth, score_part


def align_outputs(data: PreparedData, outputs: FloatArray) -> FloatArray:
    """Turn outputs of the network into answers in the data's own units, placed at the rows they predict.

    Args:
        data: The prepared data.
        outputs: One row per window, scaled. Shape (windows, outputs).

    Returns:
        Shape (time, horizon_steps, targets, *shape of an answer), NaN where nothing was forecast.
    """
    return _align(data, data.read_outputs(outputs, data.windows.starts))


def align_points(data: PreparedData, scaled: FloatArray) -> FloatArray:
    """Do the same with one scaled number for each step and target, as a baseline has it.

    Args:
        data: The prepared data.
        scaled: One row per window. Shape (windows, horizon_steps x targets).

    Returns:
        Shape (time, horizon_steps, targets), NaN where nothing was forecast.
    """
    return _align(data, data.in_units(scaled, data.windows.starts))


def _align(data: PreparedData, forecasts: FloatArray) -> FloatArray:
    windows, series, spec = data.windows, data.series, data.windows.spec
    ends = np.array([rows.stop for rows in series.slices()])[series.series_of_rows()[windows.starts]]
    return align_forecasts(forecasts, spec.origins(windows.starts), spec.horizon_steps, len(series), ends)


def align_forecasts(
    forecasts: FloatArray, origins: IntArray, horizon_steps: Sequence[int], time: int, ends: IntArray | None = None
) -> FloatArray:
    """Place forecasts at the row they predict.

    Args:
        forecasts: Shape (origins, horizon_steps, targets, ...).
        origins: Last row each forecast knew. Shape (origins,).
        horizon_steps: Steps ahead.
        time: Rows of the series; what lies beyond is left out.
        ends: Row after the end of each origin's series; by default `time`. Shape (origins,).

    Returns:
        Shape (time, horizon_steps, targets, ...), NaN where nothing was forecast.
    """
    aligned = np.full((time, *forecasts.shape[1:]), np.nan)
    ends = np.full(len(origins), time) if ends is None else ends
    for position, ahead in enumerate(horizon_steps):
        inside = origins + ahead < ends
        aligned[origins[inside] + ahead, position] = forecasts[inside, position]
    return aligned


def take_truth(data: PreparedData) -> Truth:
    """Return what forecasts are compared with, and the rows of each part that are scored under the run's protocol."""
    series = data.series
    parts = {part: data.scored_rows(part) for part in ("train", "validation", "test")}
    return Truth(series.actual(), series.scorable(), parts, series.targets, series.slices(), data.head)


def find_best(data: PreparedData, forecasts: FloatArray) -> int:
    """Return which seed has the best validation score.

    Args:
        data: The prepared data.
        forecasts: Scaled outputs of each seed. Shape (seeds, windows, outputs).
    """
    truth = take_truth(data)
    scored, rank = truth.scored("validation"), truth.measure.rank
    return int(np.argmin([rank(score_part(truth, align_outputs(data, each), scored)) for each in forecasts]))
