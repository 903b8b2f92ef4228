"""What a row holds that did not come with it: columns that are made from its timestamp, its own and those ahead."""

import math
from collections.abc import Sequence

import pandas as pd

from pipeline.data.arrays import FloatArray
from pipeline.data.calendar_ahead import values_ahead
from pipeline.data.cycles import calendar_values
from pipeline.serving.clock import Clock
from pipeline.serving.model import ServedModel


def find_made(model: ServedModel) -> list[int]:
    """Return the places in a row of what is made from timestamps: its own columns, then those of the next rows."""
    series, spec = model.data.series, model.data.windows.spec
    width = len(series.columns)
    made = {f"{name}+{step}" for step in spec.future_steps for name in series.future_computed}
    carried = [width + place for place, name in enumerate(spec.carried) if name in made]
    return [*range(width - len(series.computed), width), *carried]


class MadeColumns:
    """Makes them for the rows of one model.

    Args:
        model: The served model.
        clock: Of its series.
    """

    def __init__(self, model: ServedModel, clock: Clock) -> None:
        self._model, self._clock = model, clock
        self._places = find_made(model)
        self._made: tuple[float, list[float]] = (math.nan, [])  # of the latest timestamp: lanes share it

    def put(self, values: list[float], key: float | None) -> None:
        """Put them into the values of a row, by the key of its timestamp."""
        if self._places and key is not None:
            for place, value in zip(self._places, self._make(key), strict=True):
                values[place] = value

    def put_together(self, values: FloatArray, keys: Sequence[float]) -> None:
        """Do the same for some rows. Shape (n, columns of a row)."""
        if self._places:
            values[:, self._places] = [self._make(key) for key in keys]

    def _make(self, key: float) -> list[float]:
        if key != self._made[0]:
            series, steps = self._model.data.series, len(self._model.data.windows.spec.future_steps)
            time = pd.DatetimeIndex([self._clock.time_of(key)])
            own = calendar_values(time, self._model.config.dataset.calendar)[0]
            ahead = values_ahead(time, series.step, series.future_computed, steps)[0]
            self._made = key, [*own.tolist(), *ahead.ravel().tolist()]
        return self._made[1]
