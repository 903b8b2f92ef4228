"""What the lanes of a served model remember, and what they answer: state, intervals, and how their forecasts did.

Rows that were accepted come here, by the numbers of their lanes; whether they should be is asked elsewhere.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.serving.clock import Clock
from pipeline.serving.drift_watch import DriftWatch
from pipeline.serving.lane_bounds import LaneBounds, list_quantiles, warm_bounds
from pipeline.serving.lanes import Lanes, answer_last, warm_lanes
from pipeline.serving.model import ServedModel


class Step(NamedTuple):
    """Rows of different lanes that were read together.

    Attributes:
        names: Of their lanes. Length n.
        timestamps: Of the rows; where rows are numbered, their numbers. Length n.
        lanes: Numbers of their lanes. Shape (n,).
        values: What they hold. Shape (n, columns of a row).
        numbers: What they are answered, as `LaneBook.output_names` has it. Shape (n, outputs).
    """

    names: Sequence[str]
    timestamps: Sequence[str]
    lanes: IntArray
    values: FloatArray
    numbers: FloatArray


class LaneMemory:
    """The lanes of one model.

    Args:
        model: The served model.
        warm: Whether lanes begin after the run's history, or have seen nothing.
        clock: Of its series.
        warn: Told of lanes whose forecasts have become worse; None: nobody watches that.
    """

    def __init__(self, model: ServedModel, warm: bool, clock: Clock, warn: Callable[[str], None] | None) -> None:
        self._model, self._clock = model, clock
        self._lanes = warm_lanes(model) if warm else Lanes(model)
        last = answer_last(model) if warm and (warn is not None or model.conformal is not None) else None
        self._bounds = _begin_bounds(model, last)
        self._watch = None if warn is None else DriftWatch(model, last, clock, warn)

    @property
    def numbers(self) -> dict[str, int]:
        """The number of each lane, by its name."""
        return self._lanes.numbers

    @property
    def arrays(self) -> list[np.ndarray]:
        """What is remembered, one array after another, each with the lanes, and room for more, in front."""
        return self._lanes.arrays + ([] if self._bounds is None else self._bounds.arrays)

    @property
    def drift(self) -> list[np.ndarray]:
        """The same of how forecasts did; nothing where nobody watches that."""
        return [] if self._watch is None else self._watch.drift.arrays

    @property
    def alarms(self) -> int:
        """Alarms that began."""
        return 0 if self._watch is None else self._watch.alarms

    def check_known(self, name: str) -> None:
        """Check that a lane can be opened: see `Lanes.check_known`."""
        self._lanes.check_known(name)

    def open(self, name: str, like: str | None = None) -> None:
        """Make room for a new lane: see `Lanes.open`."""
        self._lanes.open(name, like)
        if self._bounds is not None:
            self._bounds.open(name)
        if self._watch is not None:
            self._watch.drift.open(self.numbers[name], name, None if like is None else self.numbers[like])

    def restore(self, names: Sequence[str], arrays: Sequence[np.ndarray], drift: Sequence[np.ndarray]) -> None:
        """Take over what `arrays` and `drift` once gave; of arrays behind its own nothing is read.

        Raises:
            UserError: If they have not the shapes of this model.
        """
        self._lanes = Lanes(self._model)
        own = len(self._lanes.arrays)
        self._lanes.restore(names, arrays[:own])
        if self._bounds is not None:
            self._bounds.restore(names, arrays[own : own + len(self._bounds.arrays)])
        if self._watch is not None:
            self._watch.drift.restore(names, drift)

    def check(self, arrays: Sequence[np.ndarray], drift: Sequence[np.ndarray]) -> None:
        """Check what one lane shall remember, each array (1, ...); an empty `drift` is right, too.

        Raises:
            UserError: If it is none of this model.
        """
        own, count = self.arrays, len(self._lanes.arrays)
        if [(each.dtype, each.shape[1:]) for each in own] != [(each.dtype, each.shape[1:]) for each in arrays]:
            raise UserError("the state does not have the shapes of this model")
        if self._bounds is not None:
            self._bounds.check(arrays[count:])
        if self._watch is not None and drift:
            self._watch.drift.check(drift)
            self._clock.check(self._watch.drift.keys_of(drift))

    def put(self, name: str, arrays: Sequence[np.ndarray], drift: Sequence[np.ndarray]) -> None:
        """Let a lane, which is opened if need be, remember what `check` found to be right."""
        if name not in self.numbers:
            self.open(name)
        number, count = self.numbers[name], len(self._lanes.arrays)
        self._lanes.put(number, arrays[:count])
        for mine, given in zip(self.arrays[count:], arrays[count:], strict=True):
            mine[number] = given[0]
        if self._watch is not None:
            self._watch.drift.put(number, drift)

    def read(self, names: Sequence[str], timestamps: Sequence[str], values: FloatArray) -> Step:
        """Let different lanes read a row each, in one step of the network; for the arguments see `Step`."""
        lanes = np.array(list(map(self.numbers.__getitem__, names)))
        answers = self._lanes.advance_answers(lanes, values)
        numbers = self._model.data.head.points(answers).reshape(len(lanes), -1)
        if self._bounds is not None:
            bounds = self._bounds.advance(lanes, values, answers)
            numbers = np.concatenate([numbers, bounds.reshape(len(lanes), -1)], axis=1)
        if self._model.data.head.levels:
            numbers = np.concatenate([numbers, list_quantiles(answers)], axis=1)
        if self._clock.numbered:  # the first row of a lane is row 0
            timestamps = [str(place) for place in (self._lanes.consumed[lanes] - 1).tolist()]
        step = Step(names, timestamps, lanes, values, numbers)
        if self._watch is not None:
            self._watch.advance(*step, self._lanes.last_inputs(lanes))
        return step

    def consumed(self, name: str) -> int:
        """Return how many rows a lane has read, its history included."""
        return int(self._lanes.consumed[self.numbers[name]])

    def last_values(self, name: str) -> list[float] | None:
        """Return the last row of a lane in the data's own units; None if it has read none."""
        return self._lanes.last_values(name)

    def drift_of(self, name: str) -> dict[str, Any] | None:
        """Return what became of the forecasts of a lane: see `LaneDrift.facts`; None where nobody watches that."""
        watch = self._watch
        return None if watch is None else watch.drift.facts(self.numbers[name], watch.name_key)

    def drift_of_all(self) -> dict[str, Any] | None:
        """Return the same of all lanes together: see `LaneDrift.totals`."""
        return None if self._watch is None else self._watch.drift.totals(len(self.numbers))


def _begin_bounds(model: ServedModel, last: FloatArray | None) -> LaneBounds | None:
    """Return the intervals of no lane, or of the run's after what they answered last."""
    if model.conformal is None:
        return None
    return LaneBounds(model, model.conformal) if last is None else warm_bounds(model, model.conformal, last)
