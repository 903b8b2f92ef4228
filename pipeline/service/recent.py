"""The newest rows of each lane with what they were answered: a row that is sent again gets its old answer."""

from collections.abc import Sequence

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.serving.room import enlarge

KEPT = 128  # rows of a lane


class Recent:
    """Rings of rows, one for each lane.

    Args:
        columns: Values of a row that came with it.
        outputs: Numbers of an answer.
        places: Lanes that there is room for; it grows.
    """

    def __init__(self, columns: int, outputs: int, places: int = 16) -> None:
        self._keys: FloatArray = np.full((places, KEPT), np.nan)
        self._values: FloatArray = np.full((places, KEPT, columns), np.nan)
        self._numbers: FloatArray = np.full((places, KEPT, outputs), np.nan)
        self._next: IntArray = np.zeros(places, np.int64)  # place of the ring that is written next

    @property
    def arrays(self) -> list[np.ndarray]:
        """Everything, one array after another, each with the lanes in front."""
        return [self._keys, self._values, self._numbers, self._next]

    def like(self, arrays: Sequence[np.ndarray]) -> "Recent":
        """Return the newest rows in the arrays of another model's state, which end with them.

        Raises:
            UserError: If they are rows of other columns.
        """
        keys, values, *_ = own = list(arrays[-len(self.arrays) :])
        if len(own) < len(self.arrays) or keys.shape[1:] != (KEPT,) or values.shape[1:] != self._values.shape[1:]:
            raise UserError("the saved state is that of a model with other columns; remove the file to start anew")
        found = Recent(values.shape[2], own[2].shape[2])
        found.restore(own)
        return found

    def copy(self) -> "Recent":
        """Return the same, which later rows do not change."""
        copied = Recent(self._values.shape[2], self._numbers.shape[2], len(self._keys))
        copied.restore(self.arrays)
        return copied

    def restore(self, arrays: Sequence[np.ndarray]) -> None:
        """Take over what `arrays` once gave; nothing: no row is known.

        Raises:
            UserError: If the shapes are not those of this model.
        """
        if not arrays:
            return
        if [each.shape[1:] for each in arrays] != [each.shape[1:] for each in self.arrays]:
            raise UserError("the saved state does not have the answers of this model; remove the file to start anew")
        self._keys, self._values, self._numbers, self._next = (each.copy() for each in arrays)

    def put(self, lanes: IntArray, keys: FloatArray, values: FloatArray, numbers: FloatArray) -> None:
        """Keep a row and its answer for each of some lanes.

        Args:
            lanes: Numbers of different lanes. Shape (n,).
            keys: Of their timestamps. Shape (n,).
            values: Shape (n, columns).
            numbers: Shape (n, outputs).
        """
        self.make_room(int(lanes.max()) + 1)
        place = self._next[lanes]
        self._keys[lanes, place], self._values[lanes, place], self._numbers[lanes, place] = keys, values, numbers
        self._next[lanes] = (place + 1) % KEPT

    def put_lane(self, lane: int, arrays: Sequence[np.ndarray]) -> None:
        """Let a lane remember what `arrays` gave of another one, each (1, ...)."""
        self.make_room(lane + 1)
        for mine, given in zip(self.arrays, arrays, strict=True):
            mine[lane] = given[0]
        self._next[lane] %= KEPT

    def find(self, lane: int, key: float) -> tuple[FloatArray, FloatArray] | None:
        """Return values and answer of a row by the key of its timestamp; None if it is not among the newest."""
        found = np.flatnonzero(self._keys[lane] == key) if lane < len(self._keys) else np.empty(0, int)
        return None if not found.size else (self._values[lane, found[0]], self._numbers[lane, found[0]])

    def last_answer(self, lane: int) -> tuple[float, FloatArray] | None:
        """Return the key of the newest row of a lane, and its answer; None if it has none."""
        if lane >= len(self._keys) or np.isnan(self._keys[lane]).all():
            return None
        place = int(np.nanargmax(self._keys[lane]))
        return float(self._keys[lane, place]), self._numbers[lane, place]

    def newest(self, lane: int, most: int) -> list[tuple[float, FloatArray, FloatArray]]:
        """Return key, values and answer of the newest rows of a lane, oldest first; at most so many."""
        if lane >= len(self._keys):
            return []
        places = (self._next[lane] + np.arange(-min(most, KEPT), 0)) % KEPT
        kept = places[~np.isnan(self._values[lane, places]).all(axis=1)]  # a stream's state file has no rows
        return [(float(self._keys[lane, each]), self._values[lane, each], self._numbers[lane, each]) for each in kept]

    def rows_after(self, lane: int, key: float) -> list[tuple[float, FloatArray]]:
        """Return key and values of the rows of a lane that are later than a key, oldest first."""
        if lane >= len(self._keys):
            return []
        order = np.argsort(self._keys[lane])  # NaN last
        return [(float(each), self._values[lane, row]) for row in order if (each := self._keys[lane, row]) > key]

    def make_room(self, count: int) -> None:
        """Have room for so many lanes, at least."""
        places = len(self._keys)
        if count <= places:
            return
        larger = Recent(self._values.shape[2], self._numbers.shape[2], enlarge(places, count))
        for mine, new in zip(self.arrays, larger.arrays, strict=True):
            new[: len(mine)] = mine
        self._keys, self._values, self._numbers, self._next = larger.arrays
