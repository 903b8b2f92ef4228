"""Persistence: repeat the last known value."""

from pipeline.baselines.task import Array, Task, shift


def forecast_persistence(task: Task) -> Array:
    """Return the last value known at each origin. Shape (time, horizon_steps, targets), NaN where there is none."""
    return shift(task, task.horizon_steps)
