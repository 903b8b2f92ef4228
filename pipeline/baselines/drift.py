"""Drift: the last value, plus the mean change per step of all that was known then.

Source: Hyndman and Athanasopoulos, "Forecasting: principles and practice", 3rd edition, section 5.2.
"""

import numpy as np

from pipeline.baselines.task import Array, Task


def forecast_drift(task: Task) -> Array:
    """Go on along the line from the first value of a series to the last one known.

    Returns:
        Shape (time, horizon_steps, targets), NaN where the past does not reach back far enough. After a lane's first
        value alone it is persistence: one value has no slope.
    """
    time, targets = task.actual.shape
    forecasts = np.full((time, len(task.horizon_steps), targets), np.nan)
    for rows in task.slices:
        known, forecast = task.actual[rows], forecasts[rows]
        steps = np.maximum(np.arange(len(known)), 1)[:, None]  # since the first value
        slope = (known - known[:1]) / steps  # (rows, targets)
        for position, ahead in enumerate(task.horizon_steps):
            forecast[ahead:, position] = (known + ahead * slope)[: max(len(known) - ahead, 0)]
    return forecasts
