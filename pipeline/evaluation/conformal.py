"""Conformal intervals: how far forecasts were from what came, so far, says how far the next ones may be.

Of each lane, target and step ahead the newest errors are kept. An interval of 95 % reaches as far to both sides as the
error that 95 % of them do not exceed, with the correction of split conformal prediction for a finite number (Lei et
al., "Distribution-Free Predictive Inference for Regression", 2018). Where a series changes, 95 % of the past are not
95 % of the future, so the share is steered by every hit and miss: adaptive conformal inference (Gibbs and Candes,
"Adaptive Conformal Inference Under Distribution Shift", 2021). A forecast for 12 steps ahead knows no error that was
not known 12 steps before its row.

Forecasts that say themselves how sure they are, an interval each, are conformalised: errors are counted in half-widths
of that interval, from its middle, and so are the intervals made. It is conformalised quantile regression, as CQR-r in
Sesia and Candes, "A comparison of some conformal quantile regression methods", 2020.

The same object goes through the validation and test parts of a run, and on in a stream, row after row.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

Array = np.ndarray

RATE = 0.05  # by which one miss, or one hit, moves the share that may lie outside
_WIDER = 0.25  # of the largest error, for each miss that the errors so far have no answer to
_MOST_ERRORS = 250  # newest, that are kept of each lane, target and step
_MOST_KEPT = 2**22  # of all together: 32 MB
_FEWEST_ERRORS = 8
_FEWEST_OF_A_SCALE = 3  # errors that tell how wide a lane's are; the shape is then that of all lanes
_MOST_POOLED = 2000
_MOST_ROWS = 5000  # of a lane's test part that are gone through one by one; more in so many blocks


@dataclass
class Conformal:
    """Intervals that learn from each row that comes.

    Attributes:
        levels: Shares that intervals should cover, ascending: (0.8, 0.95).
        ahead: Steps ahead of the forecasts. Shape (steps,).
        errors: Absolute, newest last, NaN where there are fewer. Shape (lanes, steps, targets, kept).
        outside: The share that may lie outside at this moment. Shape (lanes, steps, targets, levels).
        waiting: Forecasts whose row has not come, the next row's first. Shape (lanes, steps, targets, farthest step).
        radii: Of their intervals, in the unit of the errors. Shape (lanes, steps, targets, farthest step, levels).
        halves: Half-widths that they said themselves, in which errors are counted. Shape (lanes, steps, targets,
            farthest step); None: errors are counted in the data's own units.
        pooled: Errors of all lanes, each over the mean error of its lane, ascending, for lanes that have few. Shape
            (steps, targets, pooled); empty where there is one lane.
    """

    levels: tuple[float, ...]
    ahead: Array
    errors: Array
    outside: Array
    waiting: Array
    radii: Array
    halves: Array | None = None
    pooled: Array = field(default_factory=lambda: np.empty((0, 0, 0)))

    @classmethod
    def begin(
        cls, levels: Sequence[float], ahead: Sequence[int], lanes: int, targets: int, sure: bool = False
    ) -> "Conformal":
        """Return intervals that know nothing yet; `sure` if forecasts come with half-widths of their own."""
        shape, farthest = (lanes, len(ahead), targets), max(ahead)
        kept = min(_MOST_ERRORS, max(_FEWEST_ERRORS, _MOST_KEPT // int(np.prod(shape))))
        return cls(
            levels=tuple(levels),
            ahead=np.array(ahead),
            errors=np.full((*shape, kept), np.nan),
            outside=np.broadcast_to(1 - np.array(levels), (*shape, len(levels))).copy(),
            waiting=np.full((*shape, farthest), np.nan),
            radii=np.full((*shape, farthest, len(levels)), np.nan),
            halves=np.full((*shape, farthest), np.nan) if sure else None,
        )

    @property
    def of_lanes(self) -> dict[str, Any]:
        """The arrays that have the lanes in front, by name."""
        names = ("errors", "outside", "waiting", "radii", *(("halves",) if self.halves is not None else ()))
        return {name: getattr(self, name) for name in names}

    def advance(
        self, lanes: Array, actual: Array, forecasts: Array, learn: bool = True, halves: Array | None = None
    ) -> Array:
        """Take a row of some lanes: learn from the forecasts that were made for it, and bound those made from it.

        Args:
            lanes: Numbers of the lanes, each once. Shape (rows,).
            actual: What came; NaN where nothing was measured. Shape (rows, targets).
            forecasts: From this row; NaN where there is none. Shape (rows, steps, targets).
            learn: Whether the errors of this row change the intervals.
            halves: Half-widths that the forecasts said themselves, same shape; None without any.

        Returns:
            How far intervals reach to both sides; NaN where too few errors are known. Shape (rows, steps, targets,
            levels).
        """
        where = _as_slice(lanes)
        if learn:
            error = np.abs(actual[:, None] - self.waiting[where, :, :, 0])
            error = error if self.halves is None else error / self.halves[where, :, :, 0]
            self._learn(where, error, self.radii[where, :, :, 0])
        radii = self.measure(where)
        self.expect(where, forecasts, halves)
        self._wait(self.radii, where, radii)
        return radii if halves is None else radii * halves[..., None]

    def expect(self, lanes: Array | slice, forecasts: Array, halves: Array | None = None) -> None:
        """Note the forecasts from a row that `advance` was given without them: those beyond the end of a series."""
        self._wait(self.waiting, lanes, forecasts)
        if self.halves is not None and halves is not None:
            self._wait(self.halves, lanes, halves)

    def _wait(self, kept: Array, lanes: Array | slice, new: Array) -> None:
        """Move on by one row, and put what is new, (rows, steps, ...), where its row will come."""
        moved = np.full_like(kept[lanes], np.nan)
        moved[:, :, :, :-1] = kept[lanes][:, :, :, 1:]
        moved[:, np.arange(len(self.ahead)), :, self.ahead - 1] = np.moveaxis(new, 1, 0)
        kept[lanes] = moved

    def select(self, lanes: Array) -> "Conformal":
        """Return some lanes, copied; each number may come several times. Shape (lanes,)."""
        return replace(self, **{name: array[lanes] for name, array in self.of_lanes.items()})

    def of_targets(self, targets: slice) -> "Conformal":
        """Return some targets, copied."""
        each = {name: array[:, :, targets].copy() for name, array in self.of_lanes.items()}
        return replace(self, pooled=self.pooled[:, targets].copy() if self.pooled.size else self.pooled, **each)

    def append(self, other: "Conformal") -> None:
        """Put the lanes of another one behind."""
        theirs = other.of_lanes
        for name, array in self.of_lanes.items():
            setattr(self, name, np.concatenate([array, theirs[name]]))

    def forget(self) -> None:
        """Know nothing of these lanes, but what lanes have in common."""
        self.errors[:], self.waiting[:], self.radii[:] = np.nan, np.nan, np.nan
        self.outside[:] = 1 - np.array(self.levels)

    def _learn(self, lanes: Array | slice, error: Array, radii: Array) -> None:
        """Steer by hits and misses, and keep the errors; each (rows, steps, targets), radii (..., levels)."""
        known = np.isfinite(error)
        missed = error[..., None] > radii
        judged = known[..., None] & np.isfinite(radii)
        nominal = 1 - np.array(self.levels)
        self.outside[lanes] += np.where(judged, RATE * (nominal - missed), 0.0)
        kept = self.errors[lanes]
        if isinstance(lanes, slice) and kept.flags.c_contiguous and known.all():
            flat = kept.reshape(-1)  # as one row it is moved in place, without a copy
            flat[:-1] = flat[1:]
            kept[..., -1] = error
            return
        moved = np.concatenate([kept[..., 1:], error[..., None]], axis=-1)
        self.errors[lanes] = np.where(known[..., None], moved, kept)

    def measure(self, lanes: Array | slice) -> Array:
        """Return how far intervals reach at this moment, in the unit of the errors: see `advance`."""
        errors, outside = np.sort(self.errors[lanes], axis=-1), self.outside[lanes]  # NaN last
        count = _count_known(errors)[..., None]  # (rows, steps, targets, 1)
        enough = count >= np.array(self.levels) / (1 - np.array(self.levels)) - 1e-9  # levels that so many can answer
        radii = np.where(enough, _take(errors, count, outside), np.nan)
        if self.pooled.size and not enough.all():
            with np.errstate(invalid="ignore"):
                mean = np.nansum(errors, axis=-1, keepdims=True) / np.maximum(count, 1)
            pooled = np.broadcast_to(self.pooled, (len(errors), *self.pooled.shape))
            shaped = mean * _take(pooled, np.full_like(count, pooled.shape[-1]), outside)
            radii = np.where(enough | (count < _FEWEST_OF_A_SCALE), radii, shaped)
        return _nest(radii)

    def pool(self) -> None:
        """Learn from all lanes what errors look like, for those that have too few of their own."""
        if len(self.errors) < 2:
            return
        count = np.isfinite(self.errors).sum(axis=-1, keepdims=True)
        mean = np.nansum(self.errors, axis=-1, keepdims=True) / np.maximum(count, 1)
        usable = (count >= _FEWEST_OF_A_SCALE) & (mean > 0)
        ratios = np.where(usable, self.errors / np.where(mean > 0, mean, 1.0), np.nan)
        ratios = np.moveaxis(ratios, 0, -2).reshape(*self.errors.shape[1:3], -1)  # (steps, targets, lanes x kept)
        rows = [[each[np.isfinite(each)] for each in step] for step in ratios]
        fewest = min(each.size for step in rows for each in step)
        if fewest:
            shares = np.linspace(0, 1, min(fewest, _MOST_POOLED))
            self.pooled = np.array([[np.quantile(each, shares) for each in step] for step in rows])


def split_radii(errors: Array, levels: Sequence[float]) -> Array:
    """Return how far intervals reach by split conformal prediction.

    Args:
        errors: Absolute, in any order, NaN where there is none. Shape (..., errors).
        levels: Shares that intervals should cover.

    Returns:
        Shape (..., levels); NaN where a level asks for more errors than there are.
    """
    ascending = np.sort(errors, axis=-1)
    count = np.isfinite(errors).sum(axis=-1, keepdims=True)
    share = np.array(levels)
    enough = count >= share / (1 - share) - 1e-9
    return np.where(enough, _take(ascending, count, np.broadcast_to(1 - share, enough.shape)), np.nan)


def _take(errors: Array, count: Array, outside: Array) -> Array:
    """Return the error that the given share of them exceeds, by the rule of split conformal prediction.

    Where more are asked for than there are, the largest, and wider by a quarter for each miss that led there.

    Args:
        errors: Ascending, NaN last. Shape (..., kept).
        count: How many there are. Shape (..., 1).
        outside: The share. Shape (..., levels).

    Returns:
        Shape (..., levels); NaN without any error.
    """
    place = np.ceil((count + 1) * (1 - outside) - 1e-9)
    taken = np.take_along_axis(errors, np.clip(place - 1, 0, np.maximum(count - 1, 0)).astype(int), axis=-1)
    beyond = np.maximum(1 / (count + 1) - outside, 0.0) / RATE  # misses
    return np.where(outside >= 1, 0.0, taken * (1 + _WIDER * np.where(place > count, beyond, 0.0)))


def _as_slice(lanes: Array) -> Array | slice:
    """Return lanes that are neighbours, in their order, as a slice: what is read of them is then no copy."""
    if lanes.size and lanes[-1] - lanes[0] == lanes.size - 1 and (lanes[1:] > lanes[:-1]).all():
        return slice(int(lanes[0]), int(lanes[-1]) + 1)
    return lanes


def _count_known(ascending: Array) -> Array:
    """Return how many are finite of what ends with NaN, along the last axis."""
    if np.isfinite(ascending[..., -1]).all():
        return np.full(ascending.shape[:-1], ascending.shape[-1])
    return np.isfinite(ascending).sum(axis=-1)


def _nest(radii: Array) -> Array:
    """Widen what lies within the interval of a smaller share; shape (..., levels).

    Each level is steered by itself. Where forecasts reach several steps ahead, a narrow interval has missed as many
    rows before the first miss is known, and is widened for all of them, beyond those of larger shares.
    """
    return np.where(np.isnan(radii), np.nan, np.fmax.accumulate(radii, axis=-1))


def follow_series(
    actual: Array,
    forecasts: Array,
    slices: Sequence[slice],
    first: Sequence[int],
    begin: Sequence[int],
    levels: Sequence[float],
    ahead: Sequence[int],
    adaptive: bool = True,
    halves: Array | None = None,
) -> tuple[Array, Conformal]:
    """Go through the rows of some lanes, and bound the forecasts for each by what was known when it was made.

    Args:
        actual: NaN where nothing counts. Shape (time, targets).
        forecasts: At the rows they predict. Shape (time, steps, targets).
        slices: Rows of each lane.
        first: The first row whose errors count, of each lane: of the validation part.
        begin: The first row of the test part, of each lane.
        levels: Shares that intervals should cover.
        ahead: Steps ahead.
        adaptive: Whether errors of the test part are learnt from.
        halves: Half-widths that the forecasts said themselves, same shape; None without any.

    Returns:
        How far the interval of each forecast reaches, NaN before the test part, shape (time, steps, targets, levels);
        and what goes on after the last row.
    """
    longest = max((rows.stop - start for rows, start in zip(slices, begin, strict=True)), default=0)
    if longest > _MOST_ROWS:  # row by row would take minutes
        return _follow_in_blocks(actual, forecasts, slices, first, begin, levels, ahead, adaptive, halves)
    targets, farthest = actual.shape[1], max(ahead)
    conformal = Conformal.begin(levels, ahead, len(slices), targets, halves is not None)
    radii = np.full((*forecasts.shape, len(levels)), np.nan)
    before = max((start - since for start, since in zip(begin, first, strict=True)), default=0)
    starts, stops = np.array(begin), np.array([rows.stop for rows in slices])
    since, steps, places = np.array(first), np.array(ahead), np.arange(len(ahead))
    for position in range(-before - farthest, longest):
        if position == -1 - farthest or position == -1:
            conformal.pool()  # of the validation part, as far as it is known
        rows = starts + position
        lanes = np.flatnonzero((rows >= np.maximum(since - farthest, 0)) & (rows < stops))
        if not lanes.size:
            continue
        rows = rows[lanes]
        inside = rows >= since[lanes]
        came = np.where(inside[:, None], actual[np.maximum(rows, 0)], np.nan)
        due = rows[:, None] + steps  # (rows, steps)
        there = due < stops[lanes][:, None]
        made = np.where(there[..., None], forecasts[np.where(there, due, 0), places], np.nan)  # (rows, steps, targets)
        sure = None if halves is None else halves[np.where(there, due, 0), places]
        reach = conformal.advance(lanes, came, made, adaptive or position < 0, sure)
        tested = there & (due >= starts[lanes][:, None])
        for step in range(len(steps)):
            radii[due[tested[:, step], step], step] = reach[tested[:, step], step]
    return radii, conformal


def _follow_in_blocks(
    actual: Array,
    forecasts: Array,
    slices: Sequence[slice],
    first: Sequence[int],
    begin: Sequence[int],
    levels: Sequence[float],
    ahead: Sequence[int],
    adaptive: bool,
    halves: Array | None,
) -> tuple[Array, Conformal]:
    """Do what `follow_series` does, for long test parts: all rows of a block have the interval of its first."""
    conformal = Conformal.begin(levels, ahead, len(slices), actual.shape[1], halves is not None)
    radii, kept = np.full((*forecasts.shape, len(levels)), np.nan), conformal.errors.shape[-1]
    nominal = 1 - np.array(levels)
    for lane, (rows, since, start) in enumerate(zip(slices, first, begin, strict=True)):
        size = -(-(rows.stop - start) // _MOST_ROWS)
        for step, distance in enumerate(ahead):
            error = np.abs(actual - forecasts[:, step])  # (time, targets)
            error = error if halves is None else error / halves[:, step]
            for target in range(actual.shape[1]):
                mine, reach = error[:, target], radii[:, step, target]
                outside, learnt = conformal.outside[lane, step, target], start
                for row in range(start, rows.stop, size):
                    known = max(row - distance + 1, since) if adaptive else max(start - distance + 1, since)
                    judged = reach[learnt:known]
                    missed = mine[learnt:known, None] > judged
                    outside += RATE * np.where(np.isfinite(judged), nominal - missed, 0.0).sum(axis=0)
                    learnt = max(learnt, known)
                    errors = np.sort(_newest(mine[since:known], kept))
                    reach[row : min(row + size, rows.stop)] = _nest(_take(errors, np.array([errors.size]), outside))
                newest = _newest(mine[since : rows.stop if adaptive else start], kept)
                conformal.errors[lane, step, target, kept - newest.size :] = newest
    return radii if halves is None else radii * halves[..., None], conformal


def _newest(errors: Array, most: int) -> Array:
    """Return the last finite ones, at most so many."""
    near = errors[-2 * most :]
    found = near[np.isfinite(near)]
    return (found if found.size >= min(most, errors.size) else errors[np.isfinite(errors)])[-most:]
