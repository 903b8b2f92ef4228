"""Seasonal naive: repeat the value of one season ago."""

from pipeline.baselines.task import Array, Task, shift


def forecast_seasonal(task: Task) -> Array:
    """Return the value one period ago, or the fewest whole periods that were known; period 1 is persistence.

    Shape (time, horizon_steps, targets), NaN where the past does not reach back far enough.
    """
    return shift(task, [task.period * -(-ahead // task.period) for ahead in task.horizon_steps])
