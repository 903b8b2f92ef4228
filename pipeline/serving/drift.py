"""What became of the forecasts of served lanes: their errors beside those of baselines, alarms, inputs never seen.

A forecast for the nearest step ahead waits for its row; with it come the errors of repeating the last value and that of
a season ago, on the same rows. All lanes lie side by side, so that rows that arrive together are a few steps of NumPy.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.evaluation.alarm import MEANINGS, QUIET, ErrorsBefore, advance_sums
from pipeline.serving.drift_start import DriftStart
from pipeline.serving.room import enlarge
from pipeline.serving.rows import shorten

BASELINES = ("persistence", "seasonal")
_ROWS, _SCORED, _OUTSIDE, _ALARMS, _SINCE, _MEANING, _LAST = range(7)  # columns of the numbers of a lane
_SUMS = slice(7, 10)
_OWN = 10  # behind them: squared errors, then how often each input was outside


class LaneDrift:
    """What became of the forecasts of a model's lanes.

    Args:
        start: Where its run ended.
    """

    def __init__(self, start: DriftStart, places: int = 16) -> None:
        self._start = start
        self._before: ErrorsBefore = start.before
        targets = len(start.targets)
        self._lags = np.array([start.ahead] if start.season is None else [start.ahead, start.season])
        self._squares = slice(_OWN, _OWN + targets * (1 + len(self._lags)))
        self._inputs = slice(self._squares.stop, self._squares.stop + len(start.inputs))
        self._place: IntArray = np.full(places, -1)
        self._numbers: FloatArray = np.zeros((places, self._inputs.stop))
        self._numbers[:, _SINCE] = np.nan
        self._past: FloatArray = np.full((places, int(self._lags.max()), targets), np.nan)  # rings
        self._waiting: FloatArray = np.full((places, start.ahead, targets), np.nan)
        self._alarmed = False  # whether any lane may have an alarm

    @property
    def arrays(self) -> list[np.ndarray]:
        """What is remembered, one array after another, each with the lanes, and room for more, in front."""
        return [self._numbers, self._past, self._waiting]

    def open(self, number: int, name: str, like: int | None = None) -> None:
        """Make room for a new lane.

        Args:
            number: Its number, the next one.
            name: Its name.
            like: Number of a lane whose memory it begins with; None: it has seen nothing.
        """
        self._grow(number + 1)
        self._place[number] = self._start.places.get(name, self._start.other)
        if like is not None:
            for array in self.arrays:
                array[number] = array[like]

    def read_history(self, histories: Sequence[FloatArray], forecasts: FloatArray) -> None:
        """Begin after the history of the first lanes, for whose next rows forecasts wait.

        Args:
            histories: The targets of each lane, each (rows, targets).
            forecasts: From the last rows of each, as many as the nearest step ahead. Shape (rows, lanes, targets).
        """
        kept, ahead = self._past.shape[1], self._start.ahead
        for number, history in enumerate(histories):
            self._numbers[number, _ROWS] = len(history)
            rows = np.arange(max(0, len(history) - kept), len(history))
            self._past[number, rows % kept] = history[rows]
            self._waiting[number, (len(history) - ahead + np.arange(ahead)) % ahead] = forecasts[:, number]

    def restore(self, names: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
        """Take over what `arrays` once gave; nothing, as files of before have it: all begins with the next row.

        Raises:
            UserError: If the shapes are not those of this model.
        """
        fresh = LaneDrift(self._start, max(16, len(names)))
        for number, name in enumerate(names):
            fresh.open(number, name)
        if arrays:
            fresh.check(arrays, len(names))
            for mine, saved in zip(fresh.arrays, arrays, strict=True):
                mine[: len(names)] = saved
        self._place, self._numbers, self._past, self._waiting = fresh._place, *fresh.arrays
        self._alarmed = True

    def check(self, arrays: Sequence[np.ndarray], lanes: int = 1) -> None:
        """Check what is to be taken over.

        Raises:
            UserError: If it is none of this model.
        """
        shapes = [(lanes, *array.shape[1:]) for array in self.arrays]
        if [array.shape for array in arrays] != shapes or not _is_plain(arrays[0]):
            raise UserError("the saved state does not have the errors of this model; remove the file to start anew")

    def keys_of(self, arrays: Sequence[np.ndarray]) -> list[float]:
        """Return the keys of timestamps in what `arrays` gave; NaN where no alarm lasts."""
        return [float(key) for key in arrays[0][:, _SINCE]]

    def put(self, number: int, arrays: Sequence[np.ndarray]) -> None:
        """Let a lane remember what `arrays` gave of another one, each (1, ...); nothing: all begins anew."""
        self._alarmed = True
        for mine, given in zip(self.arrays, arrays or LaneDrift(self._start, 1).arrays, strict=True):
            mine[number] = given[0]

    def advance(
        self,
        lanes: IntArray,
        actual: FloatArray,
        forecasts: FloatArray,
        inputs: FloatArray,
        key_of: Callable[[int], float],
    ) -> list[int]:
        """Learn what became of the forecasts for a new row of each lane, and keep those made from it.

        Args:
            lanes: Numbers of different lanes. Shape (n,).
            actual: The targets that came. Shape (n, targets).
            forecasts: Made from the rows, for the nearest step ahead. Shape (n, targets).
            inputs: What the network read of them. Shape (n, inputs).
            key_of: Gives the key of the timestamp of a row, by its place among these.

        Returns:
            Places of the rows at which an alarm of their lane begins.
        """
        numbers = self._numbers[lanes]  # (n, columns)
        count, (length, ahead) = numbers[:, _ROWS].astype(np.int64), (self._past.shape[1], self._start.ahead)
        waits = count % ahead
        guesses = np.empty((len(lanes), 1 + len(self._lags), actual.shape[1]))
        guesses[:, 0] = made = self._waiting[lanes, waits]
        guesses[:, 1:] = self._past[lanes[:, None], (count[:, None] - self._lags) % length]
        self._waiting[lanes, waits], self._past[lanes, count % length] = forecasts, actual
        squares = ((actual[:, None] - guesses) ** 2).reshape(len(lanes), -1)
        numbers[:, [_ROWS, _SCORED]] += 1
        finite = np.isfinite(squares)
        if not finite.all():
            unscored = ~finite.all(axis=1)
            numbers[unscored, _SCORED] -= 1
            squares[unscored] = 0.0
        numbers[:, self._squares] += squares
        outside: BoolArray = np.logical_or(inputs < self._start.low, inputs > self._start.high)
        if outside.any():
            numbers[:, self._inputs] += outside
            numbers[:, _OUTSIDE] += outside.any(axis=1)
        errors = self._start.subtract(actual, made)
        if ahead > 1:  # forecasts of neighbours share what happens meanwhile
            errors[waits > 0] = np.nan
        began = self._watch(lanes, numbers, errors, key_of)
        self._numbers[lanes] = numbers
        return began

    def _watch(
        self, lanes: IntArray, numbers: FloatArray, errors: FloatArray, key_of: Callable[[int], float]
    ) -> list[int]:
        """Move the sums of an alarm on, in place, and return the places of the alarms that begin."""
        places = self._place[lanes]
        numbers[:, _SUMS] = sums = advance_sums(numbers[:, _SUMS], self._before.score(places, errors))
        if self._alarmed:
            ends = numbers[:, _ROWS] - numbers[:, _LAST] >= QUIET * self._start.ahead
            numbers[ends, _SINCE] = np.nan
        above = np.maximum(np.maximum(sums[:, 0], sums[:, 1]), sums[:, 2]) > self._before.threshold[places]
        if not above.any():
            return []
        self._alarmed = True
        begins = np.flatnonzero(above & np.isnan(numbers[:, _SINCE]))
        numbers[above, _LAST] = numbers[above, _ROWS]
        numbers[begins, _SINCE] = [key_of(place) for place in begins.tolist()]
        numbers[begins, _MEANING] = sums[begins].argmax(axis=1)
        numbers[begins, _ALARMS] += 1
        numbers[above, _SUMS] = 0.0
        return [int(place) for place in begins]

    def facts(self, number: int, name_time: Callable[[float], str]) -> dict[str, Any]:
        """Return what is known of one lane, as JSON has it; `name_time` writes a timestamp.

        Returns:
            rows: Since the training that are scored: those that all had a forecast for.
            rmse, rmse_persistence, rmse_seasonal: On these rows, by target, in its unit; None where there are none.
            rmse_before: Of the network in the validation and test parts.
            rows_before: Rows of those parts whose errors are compared with.
            alarm_since: Timestamp of the row at which an alarm began; None without one.
            alarm: What is wrong with the forecasts then; None without one.
            alarms: How many there were.
            out_of_range: `rows` with an input outside its range in the training part, and of which `inputs`.
        """
        mine, place, start = self._numbers[number], int(self._place[number]), self._start
        since = float(mine[_SINCE])
        outside = {
            name: int(count) for name, count in zip(start.inputs, mine[self._inputs].tolist(), strict=True) if count
        }
        return {
            "rows": int(mine[_SCORED]),
            **self._errors(mine),
            "rmse_before": _by_name(start.targets, start.rmse[place]),
            "rows_before": int(self._before.count[place]),
            "alarm_since": None if math.isnan(since) else name_time(since),
            "alarm": None if math.isnan(since) else MEANINGS[int(mine[_MEANING])],
            "alarms": int(mine[_ALARMS]),
            "out_of_range": {"rows": int(mine[_OUTSIDE]), "inputs": outside},
        }

    def totals(self, lanes: int) -> dict[str, Any]:
        """Return the same of the first so many lanes together, with `lanes` whose alarm lasts."""
        mine = self._numbers[:lanes]
        all_together = mine.sum(axis=0)
        return {
            "rows": int(all_together[_SCORED]),
            **self._errors(all_together),
            "lanes": int(np.isfinite(mine[:, _SINCE]).sum()),
            "alarms": int(all_together[_ALARMS]),
            "out_of_range": {"rows": int(all_together[_OUTSIDE])},
        }

    def _errors(self, numbers: FloatArray) -> dict[str, Any]:
        squares = numbers[self._squares].reshape(1 + len(self._lags), -1)
        rows = numbers[_SCORED]
        found = np.sqrt(squares / rows) if rows else np.full(squares.shape, np.nan)
        endings = ["", *(f"_{name}" for name in BASELINES)]
        none = np.full(found.shape[1], np.nan)
        each = [*found, *[none] * (len(endings) - len(found))]
        return {f"rmse{ending}": _by_name(self._start.targets, row) for ending, row in zip(endings, each, strict=True)}

    def _grow(self, count: int) -> None:
        places = len(self._place)
        if count <= places:
            return
        larger = LaneDrift(self._start, enlarge(places, count))
        for mine, new in zip([self._place, *self.arrays], [larger._place, *larger.arrays], strict=True):
            new[: len(mine)] = mine
        self._place, self._numbers, self._past, self._waiting = larger._place, *larger.arrays


def describe_alarm(lane: str, facts: Mapping[str, Any]) -> str:
    """Return the sentence about an alarm that begins, from the facts of its lane."""
    target, now = next(iter(facts["rmse"].items()))
    of_target = "" if len(facts["rmse"]) == 1 else f" of {shorten(target)}"
    others = [
        f"{words} {_show(facts[name][target])}"
        for name, words in (("rmse_persistence", "persistence"), ("rmse_seasonal", "seasonal naive"))
    ]
    return (
        f"drift (lane {shorten(lane)}, {facts['alarm_since']}): {facts['alarm']}; RMSE{of_target} {_show(now)} on "
        f"{facts['rows']} row(s) since the training, {_show(facts['rmse_before'][target])} in validation and test; "
        f"on the same rows {', '.join(others)}"
    )


def _is_plain(numbers: FloatArray) -> bool:
    """Return whether numbers of lanes can be gone on from."""
    plain = np.delete(numbers, _SINCE, axis=1)
    whole = numbers[:, [_ROWS, _SCORED, _OUTSIDE, _ALARMS, _MEANING]]
    return bool(
        (plain >= 0).all()
        and np.isfinite(plain).all()
        and (whole < 2**53).all()
        and (numbers[:, _MEANING] < len(MEANINGS)).all()
    )


def _show(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.4g}"


def _by_name(names: Sequence[str], values: FloatArray) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in zip(names, values.tolist(), strict=True)}
