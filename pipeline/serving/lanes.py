"""What a network remembers of each lane it serves: its state, its last rows, and how many it has read.

All lanes lie side by side in arrays, so that rows of many lanes that arrive together are one step of the network.
"""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.reading import reads_rows_once
from pipeline.serving.model import ServedModel
from pipeline.serving.room import enlarge
from pipeline.serving.tails import empty_tails


class Lanes:
    """The lanes of one served model, which grow in number as new names come.

    Attributes:
        model: The served model.
        numbers: Position of each lane by its name.
        consumed: Rows read in each lane, its history included. Shape (places,).
    """

    def __init__(self, model: ServedModel, places: int = 16) -> None:
        spec = self._spec = model.data.windows.spec
        self.model = model
        self.numbers: dict[str, int] = {}
        self.consumed: IntArray = np.zeros(places, np.int64)
        dataset, data = model.config.dataset, model.data
        columns, untouched = len(data.series.columns), len(data.series.untransformed)
        self._tails = empty_tails(dataset.transforms, dataset.period, places, columns, untouched)
        self._raw: np.ndarray = np.full((places, columns + len(spec.carried)), np.nan)  # last row of each lane
        self._carried_from = spec.carried_from(data.series)
        self._states = model.network.zero_states(places)
        self._scaler: IntArray = np.zeros(places, np.int64)  # row of the scaler that each lane uses
        self._features = data.series.column_numbers(data.series.features)
        self._targets = data.series.column_numbers(data.series.targets)
        # The past is in the state, or in a window.
        self._rows_needed = spec.rows_per_step if reads_rows_once(model.config) else spec.look_back
        self._window: np.ndarray = np.zeros((places, self._rows_needed, len(spec.columns)), np.float32)

    @property
    def arrays(self) -> list[np.ndarray]:
        """Everything that is remembered, one array after another, each with the lanes in front."""
        return [self.consumed, self._scaler, self._raw, self._window, *self._tails.rows, *self._states]

    def restore(self, names: Sequence[str], arrays: Sequence[np.ndarray]) -> None:
        """Take over what `arrays` once gave.

        Raises:
            UserError: If the shapes are not those of this model.
        """
        expected = [(len(names), *array.shape[1:]) for array in self.arrays]
        if [array.shape for array in arrays] != expected:
            raise UserError("the saved state does not have the shapes of this model; remove the file to start anew")
        self.numbers = {name: number for number, name in enumerate(names)}
        self._grow(len(names))
        for mine, saved in zip(self.arrays, arrays, strict=True):
            mine[: len(names)] = saved

    def put(self, number: int, arrays: Sequence[np.ndarray]) -> None:
        """Let a lane remember what `arrays` gave of another one, each (1, ...); its scaler stays its own."""
        scaler = int(self._scaler[number])
        for mine, given in zip(self.arrays, arrays, strict=True):
            mine[number] = given[0]
        self._scaler[number] = scaler
        self.consumed[number] = max(0, int(self.consumed[number]))

    def check_known(self, name: str) -> None:
        """Check that a lane can be opened.

        Raises:
            UserError: If the scaler was fitted per lane, and this lane is not one of the run's.
        """
        if self.model.config.dataset.scaler_per_lane and name not in self.model.data.series.series_ids:
            raise UserError(f"names the lane '{name}', which the run, with a scaler per lane, does not know")

    def open(self, name: str, like: str | None = None) -> int:
        """Make room for a new lane.

        Args:
            name: Its name.
            like: A lane whose memory it begins with; None: it has seen nothing.

        Returns:
            Its number.

        Raises:
            UserError: If the scaler was fitted per lane, and this lane is not one of the run's.
        """
        known = self.model.data.series.series_ids
        self.check_known(name)
        number = self.numbers[name] = len(self.numbers)
        self._grow(len(self.numbers))
        if like is not None:
            for array in self.arrays:
                array[number] = array[self.numbers[like]]
        self._scaler[number] = known.index(name) if name in known else 0
        return number

    def branch(self, lanes: IntArray) -> IntArray:
        """Open lanes that go on from all that others remember, their scalers included.

        Args:
            lanes: Numbers of those others; each may come several times. Shape (n,).

        Returns:
            Numbers of the new lanes. Shape (n,).
        """
        copies = np.arange(len(self.numbers), len(self.numbers) + len(lanes))
        self.numbers.update({f"branch \0 {number}": number for number in copies.tolist()})
        self._grow(len(self.numbers))
        for array in self.arrays:
            array[copies] = array[lanes]
        return copies

    def advance(self, lanes: IntArray, values: FloatArray) -> FloatArray:
        """Read one new row of each lane, and forecast.

        Args:
            lanes: Numbers of different lanes. Shape (n,).
            values: Rows in the data's own units, as `PreparedData.rows` has them. Shape (n, columns of the series +
                what is carried).

        Returns:
            In the data's own units; NaN while a lane has not read enough rows. Shape (n, horizon_steps, targets).
        """
        return self.model.data.head.points(self.advance_answers(lanes, values))

    def advance_answers(self, lanes: IntArray, values: FloatArray) -> FloatArray:
        """Do the same, and return the answers of the head. Shape (n, horizon_steps, targets, *shape of an answer)."""
        return self.model.data.head.in_units(*self._read_rows(lanes, values))

    def advance_drawn(
        self, lanes: IntArray, values: FloatArray, draw: Callable[[FloatArray], FloatArray]
    ) -> FloatArray:
        """Do the same, but let numbers be drawn of what the network says.

        Args:
            lanes: See `advance`.
            values: See `advance`.
            draw: Of outputs, scaled, (n, outputs), what may come, scaled: (n, horizon_steps x targets).

        Returns:
            In the data's own units. Shape (n, horizon_steps, targets).
        """
        outputs, in_units = self._read_rows(lanes, values)
        return in_units(draw(outputs))

    def _read_rows(self, lanes: IntArray, values: FloatArray) -> tuple[FloatArray, Callable[[FloatArray], FloatArray]]:
        """Read a new row of each lane.

        Returns:
            The outputs of the network, and what brings a number for each step and target to the data's own units.
        """
        scaling, scaler = self.model.data.scaling, self._scaler[lanes]
        offset, scale = scaling.offset[scaler], scaling.scale[scaler]  # each (n, columns)
        own, carried = np.split(values, [offset.shape[1]], axis=1)
        scaled = (self._tails.forward(lanes, own) - offset) / scale
        window = self._window[lanes]  # (n, rows_needed, features)
        if self._rows_needed > 1:
            window[:, :-1] = window[:, 1:]
        window[:, -1, : len(self._features)] = scaled[:, self._features]
        if self._carried_from:
            behind = (carried - offset[:, self._carried_from]) / scale[:, self._carried_from]
            window[:, -1, len(self._features) :] = behind
        self._window[lanes], self._raw[lanes] = window, values
        self.consumed[lanes] += 1
        outputs = self._answer(lanes, window)  # (n, outputs)
        steps = self._spec.horizon_steps

        def in_units(numbers: FloatArray) -> FloatArray:
            shaped = numbers.astype(float).reshape(len(lanes), len(steps), len(self._targets))
            changes = shaped * scale[:, None, self._targets] + offset[:, None, self._targets]
            return self._tails.inverse(lanes, changes, steps, self._targets)

        return outputs, in_units

    def last_values(self, name: str) -> list[float] | None:
        """Return the last row of a lane in the data's own units; None if it has read none."""
        if name not in self.numbers or not self.consumed[self.numbers[name]]:
            return None
        return self._raw[self.numbers[name]].tolist()

    def last_inputs(self, lanes: IntArray) -> FloatArray:
        """Return the last row of some lanes as the network reads it. Shape (n, columns of the window), float32."""
        return self._window[lanes, -1]

    def read_history(self, ends: Sequence[int]) -> None:
        """Open every lane of the run's data and read its rows.

        Args:
            ends: Row of the series after the last one that is read, for each lane.
        """
        series, windows = self.model.data.series, self.model.data.windows
        names = series.series_ids or (self.model.config.dataset.name,)
        lost = self._tails.lost
        for lane, (name, rows, end) in enumerate(zip(names, series.slices(), ends, strict=True)):
            number = self.open(name)
            self._scaler[number] = lane
            self.consumed[number] = end - rows.start
            self._raw[number] = self.model.data.rows[end - 1]
            self._tails.fill(number, self.model.data.transformed, slice(rows.start, end))
            last = windows.inputs[max(rows.start + lost, end - self._rows_needed) : end]
            if len(last):
                self._window[number, -len(last) :] = last
        if self.model.config.stateful:
            firsts = np.array([rows.start + lost for rows in series.slices()])
            self._carry(firsts, np.array(ends) - self._rows_needed)

    def _carry(self, firsts: IntArray, lasts: IntArray) -> None:
        """Read the history of all lanes side by side with a carried state, from one first row to one last row each."""
        windows = self.model.data.windows
        for step in range(int((lasts - firsts).max()) + 1):
            lanes = np.flatnonzero(firsts + step <= lasts)
            rows = firsts[lanes] + step
            sample = windows.gather_steps(rows)[:, None] if self._rows_needed == 1 else windows.gather_inputs(rows)
            self._read(lanes, sample)

    def _answer(self, lanes: IntArray, window: FloatArray) -> FloatArray:
        ready = self.consumed[lanes] >= self._tails.lost + self._rows_needed
        if ready.all():
            return self._answer_ready(lanes, window)
        outputs = np.full((len(lanes), self.model.data.windows.num_outputs), np.nan, np.float32)
        if ready.any():
            outputs[ready] = self._answer_ready(lanes[ready], window[ready])
        return outputs

    def _answer_ready(self, lanes: IntArray, window: FloatArray) -> FloatArray:
        steps = window.shape[1] // self._spec.rows_per_step
        sample = window.reshape(len(lanes), steps, -1)  # (n, time_steps, features of a step)
        return self._read(lanes, sample) if self.model.config.stateful else self.model.network.answer(sample)

    def _read(self, lanes: IntArray, sample: FloatArray) -> FloatArray:
        outputs, after = self.model.network.read(sample, [state[lanes] for state in self._states])
        for state, new in zip(self._states, after, strict=True):
            state[lanes] = new
        return outputs

    def _grow(self, count: int) -> None:
        """Have room for so many lanes, at least."""
        places = len(self.consumed)
        if count <= places:
            return
        fresh = Lanes(self.model, enlarge(places, count))
        for mine, larger in zip(self.arrays, fresh.arrays, strict=True):
            larger[: len(mine)] = mine
        self.consumed, self._scaler = fresh.consumed, fresh._scaler
        self._raw, self._window = fresh._raw, fresh._window
        self._tails, self._states = fresh._tails, fresh._states


def warm_lanes(model: ServedModel) -> Lanes:
    """Return lanes that have read the whole history of the run."""
    lanes = Lanes(model)
    lanes.read_history([rows.stop for rows in model.data.series.slices()])
    return lanes


def answer_last(model: ServedModel) -> FloatArray:
    """Return the answers from the last rows of each lane of the run, as many rows as the farthest step ahead.

    Shape (rows, lanes, horizon_steps, targets, *shape of an answer).
    """
    farthest = model.data.windows.spec.horizon_steps[-1]
    ends = np.array([rows.stop for rows in model.data.series.slices()])
    lanes, every = Lanes(model), np.arange(len(ends))
    lanes.read_history((ends - farthest).tolist())
    rows = model.data.rows
    return np.stack([lanes.advance_answers(every, rows[ends - back]) for back in range(farthest, 0, -1)])
