"""The two forms of a model: a step, which takes a row and a state, and a window, which takes rows and no state.

    step      row, state     ->  forecast, new state     what `pipeline.stream` does with every row
    window    rows           ->  forecast                what comes after the last row, from nothing else

Both take rows and give forecasts in the data's own units: transforms and scaler are inside.
"""

from collections.abc import Sequence

import numpy as np

from pipeline.config.schema import Transform
from pipeline.data.reading import reads_rows_once
from pipeline.data.transforms import lag_of
from pipeline.exporting.layout import (
    MISSING,
    OFFSET,
    SCALE,
    WINDOW,
    Layout,
    name_states,
    name_tails,
    scaler_shapes,
    state_shapes,
)
from pipeline.exporting.units import find_point, invert_transforms, spread_answers, take_off
from pipeline.models.graph.graph import Graph, GraphBuilder, Op, Value
from pipeline.models.graph.network import add_network
from pipeline.serving.model import ServedModel

PRECISE, NARROW = "float64", "float32"
FORECAST, QUANTILES, ROW, ROWS, NEW = "forecast", "quantiles", "row", "rows", "new_"


def make_step(model: ServedModel, layout: Layout, dtype: str = PRECISE) -> Graph:
    """Return the step form.

    Args:
        model: The seed.
        layout: Of its rows.
        dtype: Of rows, forecasts, and what is remembered in the data's own units.

    Returns:
        A graph of `row`, (lanes, columns), and the state, by the names of `state_shapes`; it gives `forecast`, (lanes,
        horizon_steps, targets), NaN while a lane has read too few rows, with quantiles `quantiles`, (lanes,
        horizon_steps, targets, levels), and the state after the row, each name with `new_` before it.
    """
    form = _Form(model, layout, dtype)
    graph, shapes = form.graph, state_shapes(model, layout)
    row = graph.read(ROW, dtype, (len(layout.columns),))
    in_units = {*filter(None, name_tails(model.config.dataset.transforms)), OFFSET, SCALE}
    types = {name: dtype if name in in_units else NARROW for name in shapes}
    state = {name: graph.read(name, types[name], shape) for name, shape in shapes.items()}
    after = dict(state)
    one = graph.constant([[1.0]], NARROW)
    left = graph.put(Op.subtract, state[MISSING], one)
    after[MISSING] = graph.put(Op.maximum, left, graph.constant([[0.0]], NARROW))
    values, tails = form.advance_transforms(row, state)
    after |= {
        name: tail
        for name, tail in zip(name_tails(model.config.dataset.transforms), tails, strict=True)
        if name and tail
    }
    scaled = form.scale(values, row, state)
    new = graph.put(Op.reshape, scaled, shape=[-1, 1, form.width])
    if WINDOW in state:
        new = graph.put(Op.concat, state[WINDOW], new, axis=1)
        after[WINDOW] = graph.put(Op.slice, new, axis=1, start=1, stop=None)
    names = [name for name, _ in name_states(model.network.layers)] if model.config.stateful else []
    outputs, states = form.answer(new, [state[name] for name in names])
    for name, each in zip(names, states, strict=False):  # of a stateless network nobody asks for the states
        after[name] = graph.put(Op.above_zero, after[MISSING], state[name], each)
    form.give_forecast(outputs, tails, after[MISSING], state)
    for name, shape in shapes.items():
        graph.give(f"{NEW}{name}", after[name], types[name], shape)
    return graph.build()


def why_no_window(model: ServedModel) -> str | None:
    """Say why a model has no window form; None if it has one."""
    dataset = model.config.dataset
    if Transform.seasonal_average in dataset.transforms:
        return "dataset.transforms=[seasonal_average]: the average of a season is that of all earlier ones"
    if model.config.stateful and not reads_rows_once(model.config):
        return "a carried state that reads overlapping windows (dataset.order, dataset.lags_as)"
    return None


def make_window(model: ServedModel, layout: Layout, dtype: str = PRECISE) -> Graph:
    """Return the window form, of a model that has one; for the arguments see `make_step`.

    Returns:
        A graph of `rows`, (lanes, rows, columns), oldest first: as many as a window and its differences take, of a
        network with a carried state that or more; and where each lane has a scaler of its own, that. It gives
        `forecast`, and perhaps `quantiles`: see `make_step`.
    """
    form = _Form(model, layout, dtype)
    graph, free = form.graph, reads_rows_once(model.config)
    rows = graph.read(ROWS, dtype, (None if free else layout.lost + layout.rows_needed, len(layout.columns)))
    scaler = {name: graph.read(name, dtype, shape) for name, shape in scaler_shapes(model).items()}
    values, tails = form.transform_rows(rows)
    samples = form.scale(values, rows, scaler, axis=2)
    outputs, _ = form.answer(samples, [], free)
    form.give_forecast(outputs, tails, None, scaler)
    return graph.build()


class _Form:
    """What both forms are made of, in the order in which it is used."""

    def __init__(self, model: ServedModel, layout: Layout, dtype: str) -> None:
        self.graph = GraphBuilder()
        self.width = len(model.data.windows.spec.columns)
        self._model, self._layout, self._dtype = model, layout, dtype
        self._steps = model.config.dataset.transforms

    def advance_transforms(self, row: Value, state: dict[str, Value]) -> tuple[Value, list[Value | None]]:
        """Transform a row, and remember it: what `Tails.forward` does. Shape (lanes, columns that change)."""
        put = self.graph.put
        value = put(Op.slice, row, axis=1, start=0, stop=self._layout.changed)
        tails: list[Value | None] = []
        for step, name in zip(self._steps, name_tails(self._steps), strict=True):
            if name is None:
                value = put(Op.log, value)
                tails.append(None)
                continue
            first = put(Op.take, state[name], axis=1, places=[0])
            change = put(Op.subtract, value, put(Op.reshape, first, shape=[-1, self._layout.changed]))
            new = take_off(self.graph, step, value, change, self._dtype)
            new = put(Op.reshape, new, shape=[-1, 1, self._layout.changed])
            tails.append(put(Op.concat, put(Op.slice, state[name], axis=1, start=1, stop=None), new, axis=1))
            value = change
        return value, tails

    def transform_rows(self, rows: Value) -> tuple[Value, list[Value | None]]:
        """Transform rows that hold all that their differences need. Shape (lanes, rows - lost, columns that change)."""
        put = self.graph.put
        value = put(Op.slice, rows, axis=2, start=0, stop=self._layout.changed)
        tails: list[Value | None] = []
        for step in self._steps:
            if step is Transform.log:
                value = put(Op.log, value)
                tails.append(None)
                continue
            lag = lag_of(step, self._model.config.dataset.period)
            tails.append(put(Op.slice, value, axis=1, start=-lag, stop=None))
            before = put(Op.slice, value, axis=1, start=0, stop=-lag)
            value = put(Op.subtract, put(Op.slice, value, axis=1, start=lag, stop=None), before)
        return value, tails

    def scale(self, values: Value, read: Value, state: dict[str, Value], axis: int = 1) -> Value:
        """Scale what the network reads.

        Args:
            values: Transformed, the columns that change. Shape (lanes, ..., columns that change).
            read: The rows as they came. Shape (lanes, ..., columns).
            state: Holds the scaler of each lane where there is one.
            axis: Of the columns.

        Returns:
            Shape (lanes, ..., features and what is carried), float32.
        """
        put, layout = self.graph.put, self._layout
        if axis == 2 and layout.lost:
            read = put(Op.slice, read, axis=1, start=layout.lost, stop=None)
        if layout.changed < len(layout.columns):
            untouched = put(Op.slice, read, axis=axis, start=layout.changed, stop=None)
            values = put(Op.concat, values, untouched, axis=axis)
        ahead = range(len(layout.kept), len(layout.columns))
        places = [*layout.features, *ahead]
        if places != list(range(len(layout.columns))):
            values = put(Op.take, values, axis=axis, places=places)
        columns = [layout.kept[place] for place in (*layout.features, *layout.carried)]
        offset, scale = self._scaler(columns, state, (*(1,) * (axis - 1), len(columns)))
        scaled = put(Op.divide, put(Op.subtract, values, offset), scale)
        return put(Op.cast, scaled, dtype=NARROW)

    def answer(self, rows: Value, states: list[Value], free: bool = False) -> tuple[Value, list[Value]]:
        """Let the network read scaled rows, (lanes, rows, features). Its outputs, (lanes, outputs), and its states."""
        model, spec = self._model, self._model.data.windows.spec
        steps = self._layout.rows_needed // spec.rows_per_step
        if spec.rows_per_step > 1:
            rows = self.graph.put(Op.reshape, rows, shape=[-1, steps, spec.rows_per_step * self.width])
        return add_network(self.graph, model.network.layers, model.weights, rows, None if free else steps, states)

    def give_forecast(
        self, outputs: Value, tails: list[Value | None], missing: Value | None, state: dict[str, Value]
    ) -> None:
        """Give the forecasts in the data's own units; not a number where rows are missing."""
        put, dtype, head = self.graph.put, self._dtype, self._model.data.head
        scaled = spread_answers(self.graph, self._model, outputs, dtype)
        count = len(self._layout.targets)
        offset, scale = self._scaler(self._layout.targets, state, (1, count, 1))
        changes = put(Op.add, put(Op.multiply, scaled, scale), offset)
        answers = invert_transforms(self.graph, self._model, self._layout, changes, tails, dtype)
        if missing is not None:
            test = put(Op.reshape, missing, shape=[-1, 1, 1, 1])
            answers = put(Op.above_zero, test, self.graph.constant(np.nan, dtype), answers)
        steps = len(self._model.data.windows.spec.horizon_steps)
        self.graph.give(FORECAST, find_point(self.graph, self._model, answers), dtype, (steps, count))
        if head.levels:
            self.graph.give(QUANTILES, answers, dtype, (steps, count, len(head.levels)))

    def _scaler(self, columns: Sequence[int], state: dict[str, Value], shape: tuple[int, ...]) -> tuple[Value, Value]:
        """Return offset and scale of some columns of the series, of each lane or of all; `shape` is that of one."""
        if OFFSET not in state:
            scaling = self._model.data.scaling
            fitted = [each[0, list(columns)].reshape(1, *shape) for each in (scaling.offset, scaling.scale)]
            offset, scale = (self.graph.constant(each, self._dtype) for each in fitted)
            return offset, scale
        put = self.graph.put
        found = [put(Op.take, state[name], axis=1, places=list(columns)) for name in (OFFSET, SCALE)]
        offset, scale = (put(Op.reshape, each, shape=[-1, *shape]) for each in found)
        return offset, scale
