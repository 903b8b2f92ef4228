"""Watches what becomes of the forecasts of served lanes, and warns once of each alarm."""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.data.arrays import FloatArray, IntArray
from pipeline.serving.clock import Clock
from pipeline.serving.drift import LaneDrift, describe_alarm
from pipeline.serving.drift_start import find_start
from pipeline.serving.model import ServedModel

_MOST_ALARMS = 100  # that are told


class DriftWatch:
    """What became of the forecasts of a model's lanes.

    Args:
        model: The served model.
        last: What `answer_last` gave of its lanes; None: no lane has read anything.
        clock: Of its series.
        warn: Told of lanes whose forecasts have become worse.

    Attributes:
        drift: The lanes.
        alarms: That began since.
    """

    def __init__(self, model: ServedModel, last: FloatArray | None, clock: Clock, warn: Callable[[str], None]) -> None:
        self.drift = _begin_drift(model, last)
        self.alarms = 0
        self._clock, self._warn = clock, warn
        self._targets = model.data.series.column_numbers(model.data.series.targets)

    def advance(
        self,
        names: Sequence[str],
        timestamps: Sequence[str],
        lanes: IntArray,
        values: FloatArray,
        numbers: FloatArray,
        inputs: FloatArray,
    ) -> None:
        """Learn what became of the forecasts for some rows, and keep those made from them.

        Args:
            names: Of their lanes. Length n.
            timestamps: Where rows are numbered, their numbers. Length n.
            lanes: Numbers of different lanes. Shape (n,).
            values: What the rows hold. Shape (n, columns of a row).
            numbers: What they are answered; forecasts for the nearest step ahead come first. Shape (n, outputs).
            inputs: What the network read of them. Shape (n, inputs).
        """

        def key_of(place: int) -> float:
            return float(timestamps[place]) if self._clock.numbered else self._clock.read(timestamps[place])

        nearest = numbers[:, : len(self._targets)]
        with np.errstate(over="ignore", invalid="ignore"):  # a forecast that is none is not scored
            began = self.drift.advance(lanes, values[:, self._targets], nearest, inputs, key_of)
        for place in began:
            self.alarms += 1
            if self.alarms <= _MOST_ALARMS:
                more = "; further alarms are only counted" if self.alarms == _MOST_ALARMS else ""
                facts = self.drift.facts(int(lanes[place]), self.name_key)
                self._warn(f"{describe_alarm(names[place], facts)}{more}")

    def name_key(self, key: float) -> str:
        """Return a timestamp, or the number of a row, as a text."""
        return str(int(key)) if self._clock.numbered else self._clock.name(key)


def _begin_drift(model: ServedModel, last: FloatArray | None) -> LaneDrift:
    """Return what becomes of the forecasts of no lane, or of the run's after what they answered last."""
    series, start = model.data.series, find_start(model)
    drift = LaneDrift(start)
    if last is not None:
        for number, name in enumerate(series.series_ids or (model.config.dataset.name,)):
            drift.open(number, name)
        nearest = np.stack([model.data.head.points(each)[:, 0] for each in last[-start.ahead :]])
        drift.read_history([series.actual()[rows] for rows in series.slices()], nearest)
    return drift
