"""From what a network gives to what is scored: forecasts in the data's own units at the rows they predict."""

import numpy as np

from pipeline.data.prepare import PreparedData
from pipeline.data.series import FloatArray
from pipeline.evaluation.baselines import align_forecasts
from pipeline.evaluation.scores import Truth


def align_outputs(data: PreparedData, outputs: FloatArray) -> FloatArray:
    """Turn scaled outputs into forecasts in the data's own units, placed at the rows they predict.

    Args:
        data: The prepared data.
        outputs: One row per window. Shape (windows, outputs).

    Returns:
        Shape (time, horizon_steps, targets), NaN where nothing was forecast.
    """
    windows, series = data.windows, data.series
    forecasts = data.in_units(outputs, windows.starts)  # (windows, horizon_steps, targets)
    ends = np.array([rows.stop for rows in series.lanes()])[series.lane_of_rows()[windows.starts]]
    return align_forecasts(forecasts, windows.origins(windows.starts), windows.horizon_steps, len(series), ends)


def take_truth(data: PreparedData) -> Truth:
    """Return what forecasts are compared with, and the rows of each part that are scored under the run's protocol."""
    series = data.series
    parts = {part: data.scored_rows(part) for part in ("train", "validation", "test")}
    return Truth(series.actual(), series.scorable(), parts, series.targets, series.lanes())
