"""From a network's outputs to forecasts in the data's own units, as operations of a graph."""

from collections.abc import Sequence

import numpy as np

from pipeline.config.schema import HeadName, Transform
from pipeline.data.transforms import WEIGHT, lag_of
from pipeline.exporting.layout import Layout
from pipeline.models.graph.graph import GraphBuilder, Op, Value
from pipeline.models.heads.families import MEDIAN
from pipeline.serving.model import ServedModel


def spread_answers(graph: GraphBuilder, model: ServedModel, outputs: Value, dtype: str) -> Value:
    """Return the scaled numbers that an answer is made of.

    Args:
        graph: Gets the operations.
        model: Says what its head says.
        outputs: Of the network. Shape (lanes, outputs), float32.
        dtype: Of the result.

    Returns:
        Quantiles of the head, ascending, or the point alone. Shape (lanes, horizon_steps, targets, numbers).
    """
    head, steps, targets = model.data.head, len(model.data.windows.spec.horizon_steps), len(model.data.series.targets)
    wide = graph.put(Op.cast, outputs, dtype=dtype)
    said = graph.put(Op.reshape, wide, shape=[-1, steps, targets, head.numbers])
    if model.config.head is not HeadName.gaussian:
        return said
    from scipy.special import ndtri

    away = graph.constant(ndtri(np.array(head.levels)), dtype)
    location, scale = (graph.put(Op.take, said, axis=3, places=[place]) for place in range(2))
    return graph.put(Op.add, location, graph.put(Op.multiply, scale, away))


def invert_transforms(
    graph: GraphBuilder, model: ServedModel, layout: Layout, changes: Value, tails: Sequence[Value | None], dtype: str
) -> Value:
    """Undo the transforms: what `Tails.inverse` does.

    Args:
        graph: Gets the operations.
        model: Says which transforms.
        layout: Where the targets lie.
        changes: In units of the last transform. Shape (lanes, horizon_steps, targets, numbers).
        tails: What each transform takes off the next rows, (lanes, lag, columns); None of a logarithm.
        dtype: Of all of them.

    Returns:
        In the data's own units, same shape.
    """
    ahead, dataset = model.data.windows.spec.horizon_steps, model.config.dataset
    result = changes
    for step, tail in zip(reversed(dataset.transforms), reversed(tails), strict=True):
        if tail is None:
            result = graph.put(Op.exp, result)
            continue
        before = [graph.put(Op.take, result, axis=1, places=[place]) for place in range(len(ahead))]
        after: list[Value] = []
        lag = lag_of(step, dataset.period)
        for place, distance in enumerate(ahead):
            if distance <= lag:
                base = _known(graph, layout, tail, distance)
            else:
                last = list(ahead).index(distance - lag)
                base = take_off(graph, step, after[last], before[last], dtype)
            after.append(graph.put(Op.add, before[place], base))
        result = after[0] if len(after) == 1 else graph.put(Op.concat, *after, axis=1)
    return result


def take_off(graph: GraphBuilder, step: Transform, value: Value, change: Value, dtype: str) -> Value:
    """Return what is taken off the rows one lag later: see `pipeline.data.transforms.taken_off`."""
    if step is not Transform.seasonal_average:
        return value
    known = graph.put(Op.fill_nan, change, graph.constant(0.0, dtype))
    return graph.put(Op.subtract, value, graph.put(Op.multiply, known, graph.constant(1 - WEIGHT, dtype)))


def find_point(graph: GraphBuilder, model: ServedModel, answers: Value) -> Value:
    """Return the one number that people see as the forecast. Shape (lanes, horizon_steps, targets, 1)."""
    levels = model.data.head.levels
    return graph.put(Op.take, answers, axis=3, places=[levels.index(MEDIAN)]) if levels else answers


def _known(graph: GraphBuilder, layout: Layout, tail: Value, distance: int) -> Value:
    """Return what is taken off the targets so many steps ahead. Shape (lanes, 1, targets, 1)."""
    row = graph.put(Op.take, tail, axis=1, places=[distance - 1])
    targets = graph.put(Op.take, row, axis=2, places=list(layout.target_places))
    return graph.put(Op.reshape, targets, shape=[-1, 1, len(layout.target_places), 1])
