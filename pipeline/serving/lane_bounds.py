"""Intervals around the forecasts of lanes that are served: they go on learning where the run's own ended."""

from collections.abc import Sequence

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.evaluation.conformal import Conformal
from pipeline.evaluation.intervals import find_middle, name_level, name_quantile
from pipeline.models.heads.head import Head
from pipeline.serving.model import ServedModel
from pipeline.serving.room import enlarge


class LaneBounds:
    """The intervals of a served model's lanes.

    Args:
        model: A model with intervals.
        conformal: What its run learnt.
        names: Lanes that there are from the beginning, in their order.
    """

    def __init__(self, model: ServedModel, conformal: Conformal, names: Sequence[str] = ()) -> None:
        self._learnt = conformal
        self._known = {name: place for place, name in enumerate(model.data.series.series_ids)}
        self._single = not self._known
        self._targets = model.data.series.column_numbers(model.data.series.targets)
        self._head = model.data.head
        self._now = conformal.select(np.zeros(0, int))
        self._count = 0
        for name in names:
            self.open(name)

    @property
    def arrays(self) -> list[FloatArray]:
        """What is remembered, one array after another, each with the lanes, and room for more, in front."""
        return list(self._now.of_lanes.values())

    def open(self, name: str) -> None:
        """Make room for a new lane, the next one: it begins as the run ended; unknown to a panel, with nothing."""
        place = 0 if self._single else self._known.get(name)
        fresh = self._learnt.select(np.array([0 if place is None else place]))
        if place is None:
            fresh.forget()
        places = len(self._now.errors)
        if self._count == places:
            self._now.append(fresh.select(np.zeros(enlarge(places, places + 1) - places, int)))
        for mine, new in zip(self.arrays, fresh.of_lanes.values(), strict=True):
            mine[self._count] = new[0]
        self._count += 1

    def restore(self, names: Sequence[str], arrays: Sequence[FloatArray]) -> None:
        """Take over what `arrays` once gave.

        Raises:
            UserError: If the shapes are not those of this model.
        """
        expected = [(len(names), *array.shape[1:]) for array in self.arrays]
        if [array.shape for array in arrays] != expected:
            raise UserError("the saved state does not have the intervals of this model; remove the file to start anew")
        for name, array in zip(self._now.of_lanes, arrays, strict=True):
            setattr(self._now, name, array.copy())
        self._count = len(names)

    def check(self, arrays: Sequence[FloatArray]) -> None:
        """Check what is to be taken over for a lane.

        Raises:
            UserError: If no interval can be computed from it.
        """
        if not np.isfinite(arrays[1]).all():
            raise UserError("the state holds no share that may lie outside of intervals")

    def expect(self, lanes: IntArray, answers: FloatArray) -> None:
        """Note answers that were made before the first row comes: see `Conformal.expect`."""
        self._now.expect(lanes, *_find_middle(self._head, self._now, answers))

    def advance(self, lanes: IntArray, values: FloatArray, answers: FloatArray) -> FloatArray:
        """Learn from a new row of each lane, and bound its forecasts.

        Args:
            lanes: Numbers of different lanes. Shape (n,).
            values: The rows in the data's own units. Shape (n, columns of the series).
            answers: Made from them. Shape (n, horizon_steps, targets, *shape of an answer).

        Returns:
            Low and high of each level; NaN where too few errors are known. Shape (n, 2 x levels, horizon_steps,
            targets).
        """
        return _list_ends(*self.measure(lanes, values, answers))

    def measure(self, lanes: IntArray, values: FloatArray, answers: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Do the same, and return the middles and how far intervals reach from them to both sides.

        Shapes (n, horizon_steps, targets) and (n, horizon_steps, targets, levels).
        """
        centres, halves = _find_middle(self._head, self._now, answers)
        return centres, self._now.advance(lanes, values[:, self._targets], centres, halves=halves)

    def waiting(self) -> tuple[FloatArray, FloatArray]:
        """Return the same of the rows that come next, by how many rows ahead they are.

        Shapes (rows, lanes, horizon_steps, targets) and (rows, lanes, horizon_steps, targets, levels); NaN where a step
        does not reach so far.
        """
        now = self._now.select(np.arange(self._count))
        radii = now.radii if now.halves is None else now.radii * now.halves[..., None]
        return np.moveaxis(now.waiting, 3, 0), np.moveaxis(radii, 3, 0)


class LearntBounds:
    """The intervals as a run has left them: for rows from anywhere, which they do not learn from.

    Args:
        model: A model with intervals.
        conformal: What its run learnt.
    """

    def __init__(self, model: ServedModel, conformal: Conformal) -> None:
        self._head, self._conformal = model.data.head, conformal
        self._known = {name: place for place, name in enumerate(model.bounded)}
        count = len(conformal.errors)
        self._single = count == 1 and not self._known
        unknown = conformal.select(np.zeros(1, int))
        unknown.forget()
        self._reach = np.concatenate([conformal.measure(np.arange(count)), unknown.measure(np.zeros(1, int))])

    def place(self, name: str) -> int:
        """Return the number of a lane; of one that the run did not know, which has no intervals, -1."""
        return 0 if self._single else self._known.get(name, -1)

    def around(self, places: IntArray, answers: FloatArray) -> FloatArray:
        """Return low and high of each level: see `LaneBounds.advance`, with `place` of each lane."""
        centres, halves = _find_middle(self._head, self._conformal, answers)
        reach = self._reach[places]  # (n, horizon_steps, targets, levels)
        return _list_ends(centres, reach if halves is None else reach * halves[..., None])


def _find_middle(head: Head, conformal: Conformal, answers: FloatArray) -> tuple[FloatArray, FloatArray | None]:
    return (head.points(answers), None) if conformal.halves is None else find_middle(head, answers)


def _list_ends(centres: FloatArray, radii: FloatArray) -> FloatArray:
    """Return low and high of each level in turn. Shape (n, 2 x levels, horizon_steps, targets)."""
    reach = np.moveaxis(radii, -1, 1)  # (n, levels, horizon_steps, targets)
    ends = np.stack([centres[:, None] - reach, centres[:, None] + reach], axis=2)
    return ends.reshape(len(centres), -1, *centres.shape[1:])


def name_around(model: ServedModel) -> list[str]:
    """Return the names of what stands around a forecast: the ends of its intervals, then the quantiles of the head.

    `low_80`, `high_80`, `quantile_0.05` and so on: none without intervals, or of a head without quantiles.
    """
    levels = () if model.conformal is None else model.conformal.levels
    ends = [f"{end}_{name_level(level)}" for level in levels for end in ("low", "high")]
    return ends + [name_quantile(level) for level in model.data.head.levels]


def name_all_around(model: ServedModel) -> list[str]:
    """Return the names of their columns: with step and target where there are several, those of a name together."""
    endings = [name.removeprefix("forecast") for name in model.output_names()]
    return [f"{name}{ending}" for name in name_around(model) for ending in endings]


def list_quantiles(answers: FloatArray) -> FloatArray:
    """Return quantiles as these columns have them.

    Args:
        answers: Of a head with quantiles. Shape (n, horizon_steps, targets, levels).

    Returns:
        Shape (n, levels x horizon_steps x targets).
    """
    return np.moveaxis(answers, -1, 1).reshape(len(answers), -1)


def warm_bounds(model: ServedModel, conformal: Conformal, last: FloatArray) -> LaneBounds:
    """Return the intervals of the run's lanes at the end of its history, which wait for the rows forecast there.

    Args:
        model: The served model.
        conformal: What its run learnt.
        last: What `answer_last` gave.
    """
    bounds = LaneBounds(model, conformal, model.data.series.series_ids or (model.config.dataset.name,))
    for answers in last:
        bounds.expect(np.arange(len(answers)), answers)
    return bounds
