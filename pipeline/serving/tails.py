"""The transforms of pipeline.data.transforms for rows that arrive one by one, in many lanes at once.

Each difference of lag m needs the last m rows of what it is taken of: its tail; the seasonal average what it is after
each of the last m rows. The same tail inverts a forecast.

    tail of a lane, lag 3    [r-2  r-1  r]      a new row s becomes s - (r-2), and the tail [r-1  r  s]
    forecast of s+1          difference + (r-1): the row 3 before it
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Transform
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.transforms import Transformed, lag_of, taken_off


@dataclass(frozen=True)
class Tails:
    """What differences and averages remember of each lane.

    Attributes:
        steps: The transforms, in order.
        lags: Rows that each step looks back; 0 for log.
        rows: Of each step what it takes off the next rows. Each (lanes, lag, columns that change); changed in place.
        untouched: Columns at the end that are left as they are.
    """

    steps: tuple[Transform, ...]
    lags: tuple[int, ...]
    rows: list[FloatArray]
    untouched: int = 0

    @property
    def lost(self) -> int:
        """Rows of a lane before the first one that is defined after all steps."""
        return sum(self.lags)

    def forward(self, lanes: IntArray, values: FloatArray) -> FloatArray:
        """Transform one new row of each lane, and remember it.

        Args:
            lanes: Different lanes. Shape (n,).
            values: Raw rows. Shape (n, columns).

        Returns:
            Shape (n, columns); NaN while a lane is shorter than the lags.
        """
        changed = values.shape[1] - self.untouched
        as_read, values = values[:, changed:], values[:, :changed]
        for step, tail in zip(self.steps, self.rows, strict=True):
            if step is Transform.log:
                values = np.log(values)
                continue
            known = tail[lanes]  # (n, lag, columns)
            after = values - known[:, 0]
            known[:, :-1] = known[:, 1:]
            known[:, -1] = taken_off(step, values, after)
            tail[lanes] = known
            values = after
        return np.concatenate([values, as_read], axis=1) if self.untouched else values

    def inverse(
        self, lanes: IntArray, forecasts: FloatArray, horizon_steps: Sequence[int], columns: Sequence[int]
    ) -> FloatArray:
        """Bring forecasts made after the last row of each lane back to the data's own units.

        Args:
            lanes: Shape (n,).
            forecasts: In units of the last step. Shape (n, horizon_steps, targets).
            horizon_steps: Steps ahead, ascending.
            columns: Column that each target is.
        """
        result = forecasts.copy()
        for step, lag, tail in zip(reversed(self.steps), reversed(self.lags), reversed(self.rows), strict=True):
            if step is Transform.log:
                with np.errstate(over="ignore"):
                    result = np.exp(result)
                continue
            changes = result.copy()
            for position, ahead in enumerate(horizon_steps):
                if ahead <= lag:
                    base = tail[lanes, ahead - 1][:, list(columns)]  # (n, targets)
                else:
                    last = list(horizon_steps).index(ahead - lag)
                    base = taken_off(step, result[:, last], changes[:, last])
                result[:, position] += base
        return result

    def fill(self, lane: int, transformed: Transformed, rows: slice) -> None:
        """Remember the end of a history.

        Args:
            lane: Which lane it is.
            transformed: Every stage of the series.
            rows: The rows of the history.
        """
        stages = zip(transformed.stages[:-1], transformed.stages[1:], strict=True)
        for step, lag, tail, (before, after) in zip(self.steps, self.lags, self.rows, stages, strict=True):
            columns = slice(0, before.shape[1] - self.untouched)
            last = taken_off(step, before[rows, columns][-lag:], after[rows, columns][-lag:]) if lag else before[:0]
            if lag and len(last):
                tail[lane, -len(last) :] = last


def empty_tails(steps: Sequence[Transform], period: int, lanes: int, columns: int, untouched: int = 0) -> Tails:
    """Return tails of lanes that have seen nothing: NaN; of `columns` the last `untouched` are left as they are."""
    lags = tuple(lag_of(step, period) for step in steps)
    rows: list[FloatArray] = [np.full((lanes, lag, columns - untouched), np.nan) for lag in lags]
    return Tails(tuple(steps), lags, rows, untouched)
