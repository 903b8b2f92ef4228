"""The order of online training: at each time step the window that ends there, of every series side by side."""

import numpy as np

from pipeline.config.schema import Config
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.lanes import Batches
from pipeline.data.series import Series
from pipeline.data.windows import Windows, all_measured


def plan_online(config: Config, series: Series, windows: Windows) -> tuple[IntArray, FloatArray, BoolArray]:
    """Find the window of each series at each time step.

    Args:
        config: Whether every step of a window has a target.
        series: One or many series.
        windows: All their windows, one step ahead.

    Returns:
        First row of the window; 1 where its target was measured, from which the network learns, else 0; and whether the
        series has a window here at all (where not, its state waits). Each of shape (steps, series); a step is a
        timestamp at which any series has a window.
    """
    lane = series.series_of_rows()[windows.starts]  # (windows,)
    times = series.timestamps[windows.spec.origins(windows.starts)]
    step = np.unique(times.to_numpy(), return_inverse=True)[1]  # (windows,)
    shape = (int(step.max()) + 1, len(series.slices()))
    starts = np.tile([windows.starts[lane == number][0] for number in range(shape[1])], (shape[0], 1))
    weights, present = np.zeros(shape, np.float32), np.zeros(shape, dtype=bool)
    starts[step, lane] = windows.starts
    present[step, lane] = True
    last_rows = windows.spec.last_targets(windows.starts)
    ends = np.array([rows.stop for rows in series.slices()])[lane]
    measured = (last_rows < ends) & all_measured(windows.spec, np.all(series.scorable(), axis=1), windows.starts)
    weights[step[measured], lane[measured]] = 1
    return starts, weights, present


def batch_online(config: Config, series: Series, windows: Windows) -> Batches:
    """Return the one pass as batches: one per time step, the state zero before the first only."""
    starts, weights, _ = plan_online(config, series, windows)
    return Batches(starts, weights, np.arange(len(starts)) == 0)
