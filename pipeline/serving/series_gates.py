"""What a network does along an excerpt of a series: the steps it reads, its forecasts, what moved them."""

import numpy as np

from pipeline.config.schema import Transform
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.reading import lay_steps
from pipeline.evaluation.gates import follow
from pipeline.models.gradient import input_gradients
from pipeline.models.numpy_network import denormalise, normalise, skip_over
from pipeline.models.plan import Kind
from pipeline.models.trace import Trace
from pipeline.report.page.shown import SeriesShown
from pipeline.serving.excerpt import Excerpt, Reading, Study
from pipeline.serving.model import ServedModel


def study_series(model: ServedModel, reading: Reading, trace: Trace) -> Study:
    """Study what was traced along a reading of a series."""
    config, series, windows, rows = model.config, model.data.series, model.data.windows, reading.rows
    values = np.where(series.scorable(), series.actual(), np.nan)[rows, 0]
    position = reading.count_since_zero()
    inverse, forecasts = _in_units(model, reading, trace.outputs)
    shown = SeriesShown(
        inputs=_name_inputs(model),
        read=trace.layers[0].inputs,
        values=values,
        forecasts=forecasts,
        lands=_find_steps(rows, rows + windows.spec.horizon_steps[0]),
        outputs=trace.outputs,
        inverse=inverse,
        exponential=Transform.log in config.dataset.transforms,
    )
    gradients = input_gradients(model.network.core, model.weights, trace)
    return Study(shown, gradients, lambda signals: follow(signals, values, position, rows, config.dataset.period))


def find_series_reading(model: ServedModel, excerpt: Excerpt, most_before: int | None) -> Reading:
    """Find the steps of an excerpt of a series; `most_before` as in `look_at_network`."""
    config, windows = model.config, model.data.windows
    first_rows, resets = lay_steps(config, windows, model.data.series.slices()[excerpt.member])
    rows = first_rows + windows.spec.rows_of_step[-1]
    reached = np.flatnonzero(rows >= excerpt.first_row)  # with overlapping windows rows come again
    first = int(reached[0]) if reached.size else len(rows) - 1
    zero = int(np.flatnonzero(resets[: first + 1])[-1])
    began = zero if most_before is None or config.reads_whole_windows else max(zero, first - most_before)
    chosen = slice(first, first + excerpt.steps)
    return Reading(first_rows[began:first], first_rows[chosen], rows[chosen], resets[chosen])


def read_normalised(model: ServedModel, first_rows: IntArray) -> FloatArray:
    """Return what the core reads at steps of windows that lie end to end, the first step of one first.

    Args:
        model: One that normalises windows.
        first_rows: First row of each step. Shape (steps,).

    Returns:
        Shape (steps, features of a step), float32.
    """
    windows, rule = model.data.windows, model.network.layers[0].rule
    assert rule is not None
    length = windows.spec.time_steps
    samples = windows.gather_inputs(first_rows[::length])  # (windows, time_steps, features of a step)
    return normalise(rule, samples).reshape(-1, windows.num_features)[: len(first_rows)]


def _in_units(model: ServedModel, reading: Reading, outputs: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return offset and factor of each step, (steps, 2), and the forecasts of the nearest horizon step, (steps,).

    The nearest output comes back without any other, by a straight line, before the exponential if there is a logarithm.
    """
    data, rows = model.data, reading.rows
    starts = rows - data.windows.spec.origin
    known = np.isin(starts, data.windows.starts)
    if model.config.reads_whole_windows:
        known &= reading.count_since_zero() == data.windows.spec.time_steps - 1
    inverse, forecasts = np.full((len(rows), 2), np.nan), np.full(len(rows), np.nan)
    if known.any():
        ends = [
            _points(model, np.full((int(known.sum()), outputs.shape[1]), each, np.float32), starts[known])
            for each in (0.0, 1.0)
        ]
        low, high = np.log(ends) if Transform.log in model.config.dataset.transforms else ends
        inverse[known] = np.stack([low, high - low], axis=1)
        forecasts[known] = _points(model, outputs[known], starts[known])
    return inverse, forecasts


def _points(model: ServedModel, outputs: FloatArray, starts: IntArray) -> FloatArray:
    """Return the nearest forecast that outputs of the core stand for, in the data's own units. Shape (windows,)."""
    data, samples = model.data, model.data.windows.gather_inputs(starts)
    read = samples
    for layer, weights in zip(model.network.layers, model.network.weights, strict=True):
        if layer.kind is Kind.skip:
            outputs = outputs + skip_over(weights[0], read)
        elif layer.rule is not None and layer.kind is Kind.normalise:
            read = normalise(layer.rule, samples)
        elif layer.rule is not None:
            outputs = denormalise(layer.rule, samples, outputs)
        elif layer.answer is not None:
            outputs = np.asarray(layer.answer.apply(outputs, np))
    return data.head.points(data.read_outputs(outputs, starts))[:, 0, 0]


def _find_steps(rows: IntArray, sought: IntArray) -> IntArray:
    """Return for each row that is sought the first step that reads it last, -1 if there is none."""
    place = {int(row): step for step, row in reversed(list(enumerate(rows)))}
    return np.array([place.get(int(row), -1) for row in sought])


def _name_inputs(model: ServedModel) -> list[str]:
    spec, width = model.data.windows.spec, model.config.model.embedding
    columns, lags = list(spec.columns), spec.rows_per_step
    if width is not None:
        columns = spec.layout.name(spec.columns, width)
    if lags == 1:
        return columns
    return [f"{column}, {lags - 1 - lag} back" for lag in range(lags) for column in columns]
