"""What a trained network does along an excerpt of its series, ready to be looked at."""

from dataclasses import dataclass

import numpy as np

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Transform
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.prepared import PreparedData
from pipeline.data.reading import lay_steps
from pipeline.evaluation.gates import follow, saturation
from pipeline.models.gradient import input_gradients
from pipeline.models.numpy_network import NumpyNetwork, States
from pipeline.models.trace import LayerTrace, trace_steps
from pipeline.report.page.gates import LayerLook, Look
from pipeline.serving.model import ServedModel

_BETWEEN_0_AND_1 = ("input", "forget", "output", "update", "reset")


@dataclass(frozen=True)
class Excerpt:
    """Which time steps are looked at.

    Attributes:
        member: Number of the series, of several.
        first_row: Row of the data with which it begins.
        steps: Time steps, at most.
    """

    member: int
    first_row: int
    steps: int


def choose_excerpt(model: ServedModel, member: int, steps: int) -> Excerpt:
    """Return an excerpt of a series in whose middle the test part begins, or its end if there is none."""
    data = model.data
    rows = lay_steps(model.config, data.windows, data.series.slices()[member])[0] + data.windows.spec.rows_of_step[-1]
    in_test = np.flatnonzero(data.split.rows("test")[rows])
    middle = int(in_test[0]) if in_test.size else len(rows)
    return Excerpt(member, int(rows[max(min(middle - steps // 2, len(rows) - steps), 0)]), steps)


def describe_ahead(data: PreparedData) -> str:
    """Say how far ahead the forecast lies that is shown: the nearest one."""
    step = data.windows.spec.horizon_steps[0]
    return "1 step ahead" if step == 1 else f"{step} steps ahead"


def look_at_network(
    name: str, model: ServedModel, excerpt: Excerpt, most_before: int | None = None, most_weights: int | None = None
) -> Look:
    """Let a network read an excerpt, its state as it is there, and note everything.

    Args:
        name: Of the network, for people.
        model: One seed of a run, with its data.
        excerpt: What it reads.
        most_before: Steps read before the excerpt, at most; None: since the state was zero.
        most_weights: Numbers of the weights, at most, that come along; None: all.

    Raises:
        UserError: If the network has no such sequence of steps.
    """
    config, series, windows = model.config, model.data.series, model.data.windows
    reading = _find_reading(model, excerpt, most_before)
    rows = reading.rows
    states = _read(model.network, windows.gather_steps(reading.before))
    trace = trace_steps(model.network, windows.gather_steps(reading.first_rows), reading.resets, states)
    values = np.where(series.scorable(), series.actual(), np.nan)[rows, 0]
    steps = np.arange(len(rows))
    position = steps - np.maximum.accumulate(np.where(reading.resets, steps, -len(reading.before)))
    inverse, forecasts = _in_units(model, rows, trace.outputs)
    size = sum(weight.size for weight in model.weights)
    return Look(
        name=name,
        about=_describe(config),
        trace=trace,
        layers=[_study(layer, values, position, rows, config.dataset.period) for layer in trace.layers],
        weights=model.weights if most_weights is None or size <= most_weights else None,
        inputs=_name_inputs(model.data),
        times=[show_time(time) for time in series.timestamps[rows]],
        parts=model.data.split.part_names()[rows].tolist(),
        values=values,
        forecasts=forecasts,
        lands=_find_steps(rows, rows + windows.spec.horizon_steps[0]),
        gradients=input_gradients(model.network, model.weights, trace),
        inverse=inverse,
        exponential=Transform.log in config.dataset.transforms,
        steps_before=len(reading.before),
    )


@dataclass(frozen=True)
class _Reading:
    """The steps of an excerpt, and those that its state comes from.

    Attributes:
        before: First row of each step that is read before the excerpt. Shape (steps before,).
        first_rows: First row of each step of the excerpt. Shape (steps,).
        rows: Last row that each step reads. Shape (steps,).
        resets: Whether each step begins with a state of zero. Shape (steps,).
    """

    before: IntArray
    first_rows: IntArray
    rows: IntArray
    resets: BoolArray


def _find_reading(model: ServedModel, excerpt: Excerpt, most_before: int | None) -> _Reading:
    config, windows = model.config, model.data.windows
    if not config.can_carry:
        raise UserError(
            f"a network with model.wiring={config.wiring.value} does not read the series step by step, so it has no "
            "gates along it; choose a run with many_to_one or many_to_many"
        )
    windows.spec.require_past_only("the gate viewer")
    first_rows, resets = lay_steps(config, windows, model.data.series.slices()[excerpt.member])
    rows = first_rows + windows.spec.rows_of_step[-1]
    reached = np.flatnonzero(rows >= excerpt.first_row)  # with overlapping windows rows come again
    first = int(reached[0]) if reached.size else len(rows) - 1
    zero = int(np.flatnonzero(resets[: first + 1])[-1])
    began = zero if most_before is None else max(zero, first - most_before)
    chosen = slice(first, first + excerpt.steps)
    return _Reading(first_rows[began:first], first_rows[chosen], rows[chosen], resets[chosen])


def _read(network: NumpyNetwork, inputs: FloatArray) -> States:
    """Return the states after some steps from zero, of one row."""
    states = network.zero_states(1)
    for step in inputs:
        _, states = network.step(step[None], states)
    return states


def _study(layer: LayerTrace, values: FloatArray, position: IntArray, rows: IntArray, period: int) -> LayerLook:
    follows = {name: follow(each, values, position, rows, period) for name, each in layer.quantities.items()}
    return LayerLook(
        layer, follows, saturation({name: each for name, each in layer.gates.items() if name in _BETWEEN_0_AND_1})
    )


def _in_units(model: ServedModel, rows: IntArray, outputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return offset and factor of each step, (steps, 2), and the forecasts of the nearest horizon step, (steps,).

    The nearest output comes back without any other, by a straight line, before the exponential if there is a logarithm.
    """
    data = model.data
    starts = rows - data.windows.spec.origin
    known = np.isin(starts, data.windows.starts)
    inverse, forecasts = np.full((len(rows), 2), np.nan), np.full(len(rows), np.nan)
    if known.any():
        ends = [
            _points(data, np.full((int(known.sum()), outputs.shape[1]), each), starts[known])[:, 0, 0]
            for each in (0.0, 1.0)
        ]
        low, high = np.log(ends) if Transform.log in model.config.dataset.transforms else ends
        inverse[known] = np.stack([low, high - low], axis=1)
        forecasts[known] = _points(data, outputs[known], starts[known])[:, 0, 0]
    return inverse, forecasts


def _points(data: PreparedData, outputs: FloatArray, starts: IntArray) -> FloatArray:
    """Return the one number that the head gives for each step and target, in the data's own units."""
    return data.head.points(data.read_outputs(outputs, starts))


def _find_steps(rows: IntArray, sought: IntArray) -> IntArray:
    """Return for each row that is sought the first step that reads it last, -1 if there is none."""
    place = {int(row): step for step, row in reversed(list(enumerate(rows)))}
    return np.array([place.get(int(row), -1) for row in sought])


def _name_inputs(data: PreparedData) -> list[str]:
    columns, lags = data.windows.spec.input_columns, data.windows.spec.rows_per_step
    if lags == 1:
        return list(columns)
    return [f"{column}, {lags - 1 - lag} back" for lag in range(lags) for column in columns]


def _describe(config: Config) -> str:
    units = ", ".join(map(str, config.model.units))
    reads = (
        "stateful: the state is carried from step to step"
        if config.stateful
        else f"stateless: windows of {config.time_steps} step(s) laid end to end, each from a state of zero"
    )
    return f"{config.model.cell.value} with {units} units, look_back={config.look_back}; {reads}"


def show_time(time: object) -> str:
    """Write a timestamp; a date without its midnight."""
    return str(time).removesuffix(" 00:00:00")
