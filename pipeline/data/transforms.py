"""Invertible changes of the series: log, difference, seasonal difference, seasonal average, in any sensible order.

Every stage keeps the length and the time positions of the series; a difference of lag m leaves its first m rows
undefined (NaN), and windows start after them:

    stage 0  raw         112 118 132 129
    stage 1  difference  NaN   6  14  -3

A difference is what a row differs from the row one lag before. The seasonal average differs from it in what it takes
off: not the same season of last year, but the exponential average of that season in all earlier years, of which each
new one moves it by `WEIGHT` of the way, as the seasonal part of Holt (1957) and Winters (1960) does:

    average after a row = average one season before + WEIGHT * (row - average one season before)
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Transform
from pipeline.data.arrays import FloatArray, IntArray

WEIGHT = 0.2  # of a new season in the seasonal average: of 0.1, 0.2, 0.35 best on public series, by hardly anything


@dataclass(frozen=True)
class Transformed:
    """A series and every stage of its transforms.

    Attributes:
        steps: The transforms, in order of application.
        period: Lag of the seasonal difference, in steps.
        stages: Raw values first, one more per transform; each of shape (time, columns).
    """

    steps: tuple[Transform, ...]
    period: int
    stages: tuple[FloatArray, ...]

    @property
    def values(self) -> FloatArray:
        """The last stage: what is scaled and given to the network. Shape (time, columns)."""
        return self.stages[-1]

    @property
    def lost(self) -> int:
        """Rows at the beginning of a series that are undefined (NaN)."""
        return sum(lag_of(step, self.period) for step in self.steps)


def forward_transforms(
    values: FloatArray,
    steps: Sequence[Transform],
    period: int,
    slices: Sequence[slice] = (slice(None),),
    untouched: int = 0,
) -> Transformed:
    """Apply the transforms in order.

    Args:
        values: Raw values. Shape (time, columns). Above zero if `log` is among the steps.
        steps: The transforms.
        period: Lag of the seasonal difference, in steps.
        slices: Rows of each series; a difference never reaches from one into another.
        untouched: Columns at the end that are left as they are.

    Returns:
        All stages.

    Example:
        >>> forward_transforms(np.array([[1.0], [4.0], [9.0]]), [Transform.difference], 1).values.ravel().tolist()
        [nan, 3.0, 5.0]
    """
    stages, lost = [np.asarray(values, dtype=float)], 0
    changed = slice(0, stages[0].shape[1] - untouched)
    for step in steps:
        before = stages[-1][:, changed]
        after = stages[-1].copy()
        stages.append(after)
        if step is Transform.log:
            after[:, changed] = np.log(before)
            continue
        lag = lag_of(step, period)
        after[:, changed] = np.nan
        for rows in slices:
            if step is Transform.seasonal_average:
                after[rows, changed][lost:] = _take_off_average(before[rows][lost:], lag)
            else:
                after[rows, changed][lag:] = before[rows][lag:] - before[rows][:-lag]
        lost += lag
    return Transformed(tuple(steps), period, tuple(stages))


def inverse_transforms(
    transformed: Transformed,
    forecasts: FloatArray,
    origins: IntArray,
    horizon_steps: Sequence[int],
    columns: Sequence[int],
) -> FloatArray:
    """Bring forecasts back to the data's own units, using only values known at each origin.

    Args:
        transformed: The stages of the true series.
        forecasts: In units of the last stage. Shape (origins, horizon_steps, targets).
        origins: Row of the last value known to each forecast. Shape (origins,).
        horizon_steps: Steps ahead, ascending; a difference of lag m needs all steps, or only steps up to m.
        columns: Column of the stages that each target is.

    Returns:
        The forecasts in the data's own units. Shape (origins, horizon_steps, targets).
    """
    result = np.array(forecasts, dtype=float)  # (origins, horizon_steps, targets)
    stages = zip(reversed(transformed.stages[:-1]), reversed(transformed.stages[1:]), strict=True)
    for step, (before, after) in zip(reversed(transformed.steps), stages, strict=True):
        if step is Transform.log:
            with np.errstate(over="ignore"):  # a diverged network: its scores are checked, not its forecasts
                result = np.exp(result)
            continue
        lag, changes = lag_of(step, transformed.period), result.copy()
        for position, ahead in enumerate(horizon_steps):
            if ahead <= lag:
                rows = origins + ahead - lag
                base = taken_off(step, before[rows], after[rows])[:, list(columns)]  # (origins, targets)
            else:
                last = list(horizon_steps).index(ahead - lag)  # already inverted
                base = taken_off(step, result[:, last], changes[:, last])
            result[:, position] += base
    return result


def taken_off(step: Transform, before: FloatArray, after: FloatArray) -> FloatArray:
    """Return what is taken off the rows one lag after some rows.

    Args:
        step: A difference, or the seasonal average.
        before: The rows before the step. Any shape.
        after: The same after it; NaN at the first of a series, whose average is the row itself.
    """
    if step is not Transform.seasonal_average:
        return before
    return before - (1 - WEIGHT) * np.where(np.isnan(after), 0.0, after)


def lag_of(step: Transform, period: int) -> int:
    """Return how many rows a transform looks back: 0 for log."""
    seasonal = (Transform.seasonal_difference, Transform.seasonal_average)
    return {Transform.log: 0, Transform.difference: 1, **dict.fromkeys(seasonal, period)}[step]


def _take_off_average(values: FloatArray, lag: int) -> FloatArray:
    """Return a series, (time, columns), minus the average of each season; NaN in the first one."""
    after = np.full(values.shape, np.nan)
    average = values[:lag]
    for first in range(lag, len(values), lag):
        season = slice(first, first + lag)
        average = average[: len(values[season])]
        after[season] = values[season] - average
        average = taken_off(Transform.seasonal_average, values[season], after[season])
    return after
