"""The layers of a network as operations of a graph: the same mathematics as `NumpyNetwork`, layer by layer."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.config.schema import Normalise
from pipeline.models import answer_rule, window_rule
from pipeline.models.answer_rule import AnswerRule
from pipeline.models.graph.graph import Array, GraphBuilder, Op, Value
from pipeline.models.plan import NUM_STATES, WHOLE_WINDOW, Kind, LayerPlan
from pipeline.models.window_rule import WindowRule

_NETWORK = "float32"  # what every network computes in


def add_network(
    graph: GraphBuilder,
    layers: Sequence[LayerPlan],
    weights: Sequence[Array],
    samples: Value,
    steps: int | None,
    states: Sequence[Value] = (),
) -> tuple[Value, list[Value]]:
    """Let a network of a series answer samples.

    Args:
        graph: Gets the operations.
        layers: As `plan_layers` gives them.
        weights: As Keras' `get_weights` gives them.
        samples: Scaled. Shape (lanes, time_steps, features of a step), float32.
        steps: Time steps of the samples; None: any number, for networks that read step by step only.
        states: h (and c) of every recurrent layer before the samples; empty: zero.

    Returns:
        The outputs after the last step, (lanes, outputs), and the states.

    Raises:
        ValueError: If a layer reads a text.
    """
    walk = _Walk(graph, samples, steps, layers[0].inputs, states)
    left = list(weights)
    for number, layer in enumerate(layers):
        own, left = left[: len(layer.weight_shapes)], left[len(layer.weight_shapes) :]
        walk.take(layer, own, layers[number + 1 :])
    walk.end_sequence()
    return walk.hidden, walk.after


class _Walk:
    """A walk through the layers: what they have made so far."""

    def __init__(
        self, graph: GraphBuilder, samples: Value, steps: int | None, features: int, states: Sequence[Value]
    ) -> None:
        self._graph = graph
        self._samples = self._read = self._rows = samples  # what the core reads, and what its layers do
        self._shape = steps, features
        self._before = list(states)
        self._measures: tuple[Value, Value] | None = None
        self._length = steps  # of `hidden`; None as well for what is no sequence
        self._is_sequence = True
        self._width = features
        self.hidden = samples
        self.after: list[Value] = []

    def take(self, layer: LayerPlan, weights: Sequence[Array], following: Sequence[LayerPlan]) -> None:
        """Add one layer."""
        graph = self._graph
        if layer.kind in (*WHOLE_WINDOW, Kind.answer) and layer.kind is not Kind.normalise:
            self.end_sequence()
        match layer.kind:
            case Kind.recurrent:
                self._run_cell(layer, weights, following)
            case Kind.dense:
                self.hidden = graph.dense(self.hidden, *weights)
                self.hidden = graph.put(Op.tanh, self.hidden) if layer.activation == "tanh" else self.hidden
            case Kind.repeat:
                once = graph.put(Op.reshape, self.hidden, shape=[-1, 1, layer.outputs])
                self.hidden = graph.put(Op.multiply, once, self._number(np.ones((1, layer.repeats, 1))))
                self._is_sequence, self._length = True, layer.repeats
            case Kind.flatten:
                assert self._length is not None
                self.hidden = graph.put(Op.reshape, self.hidden, shape=[-1, self._length * layer.outputs])
                self._is_sequence = False
            case Kind.categories:
                assert layer.layout is not None
                self.hidden = graph.dense(self.hidden, layer.layout.lay_tables(weights, layer.inputs, np))
                self._rows = self.hidden
            case Kind.past:
                self.hidden = graph.put(Op.slice, self.hidden, axis=2, start=0, stop=layer.outputs)
            case Kind.ahead:
                self._put_beside(layer)
            case Kind.skip:
                flat = graph.put(Op.reshape, self._read, shape=[-1, layer.inputs])
                self.hidden = graph.put(Op.add, self.hidden, graph.dense(flat, *weights))
            case Kind.normalise:
                assert layer.rule is not None
                self._normalise(layer.rule)
            case Kind.denormalise:
                assert layer.rule is not None
                self._denormalise(layer.rule)
            case Kind.answer:
                assert layer.answer is not None
                self._answer(layer.answer, layer.outputs)
            case _:
                raise ValueError(f"the layer {layer.name} reads a text, which no graph does")
        self._width = layer.outputs

    def end_sequence(self) -> None:
        """Go on with the last step of a sequence."""
        if self._is_sequence:
            last = self._graph.put(Op.take, self.hidden, axis=1, places=[-1])
            self.hidden = self._graph.put(Op.reshape, last, shape=[-1, self._width])
        self._is_sequence = False

    def _run_cell(self, layer: LayerPlan, weights: Sequence[Array], following: Sequence[LayerPlan]) -> None:
        assert layer.cell is not None
        count = NUM_STATES[layer.cell] if self._before else 0
        given, self._before = self._before[:count], self._before[count:]
        # Of many to many only the last answer is a forecast; a layer above, or a flat vector of all steps, reads all.
        read_further = any(each.kind in (Kind.recurrent, Kind.flatten) for each in following)
        self._is_sequence = layer.return_sequences and read_further
        self.hidden, states = self._graph.recurrent(layer.cell, self.hidden, weights, given, self._is_sequence)
        self.after += states

    def _put_beside(self, layer: LayerPlan) -> None:
        """Put beside each step of a decoder what the last row that was read carries of its row."""
        put, columns = self._graph.put, layer.outputs - layer.inputs
        last = put(Op.take, self._rows, axis=1, places=[-1])
        carried = put(Op.slice, last, axis=2, start=-layer.repeats * columns, stop=None)
        known = put(Op.reshape, carried, shape=[-1, layer.repeats, columns])
        self.hidden = put(Op.concat, self.hidden, known, axis=2)

    def _normalise(self, rule: WindowRule) -> None:
        steps, features = self._shape
        assert steps is not None
        rows = self._graph.put(Op.reshape, self._samples, shape=[-1, steps * features // rule.features, rule.features])
        shift, scale = self._measures = self._measure(rule, rows)
        moved = self._graph.put(Op.divide, self._graph.put(Op.subtract, rows, shift), scale)
        self.hidden = self._read = self._rows = self._graph.put(Op.reshape, moved, shape=[-1, steps, features])

    def _measure(self, rule: WindowRule, rows: Value) -> tuple[Value, Value]:
        """Return shift and scale, each (lanes, 1, features): see `WindowRule.measure`."""
        put = self._graph.put
        measured = np.arange(rule.features) < rule.features - rule.untouched  # (features,)
        one = self._number(np.ones((1, 1, rule.features)))
        if rule.how is Normalise.window_last:
            shift, scale = put(Op.take, rows, axis=1, places=[-1]), one
        else:
            shift, scale = put(Op.mean, rows, axis=1), one
        if rule.how is Normalise.window_standard:
            away = put(Op.subtract, rows, shift)
            deviation = put(Op.sqrt, put(Op.mean, put(Op.multiply, away, away), axis=1))
            scale = put(Op.maximum, deviation, self._number(window_rule.SMALLEST))
            if rule.untouched:
                scale = self._blend(scale, measured)
        if rule.untouched:
            shift = put(Op.multiply, shift, self._number(measured))
        return shift, scale

    def _denormalise(self, rule: WindowRule) -> None:
        """Bring outputs, (lanes, outputs), back to where their windows are: see `WindowRule.bring_back`."""
        assert self._measures is not None
        put, count = self._graph.put, len(rule.columns)
        shifted, scaled = np.array(rule.moves).T if rule.moves else np.ones((2, count), bool)  # each (outputs,)
        if rule.how is Normalise.window_standard:
            scale = put(Op.take, self._measures[1], axis=2, places=list(rule.columns))
            scale = put(Op.reshape, scale, shape=[-1, count])
            scale = scale if scaled.all() else self._blend(scale, scaled)
            self.hidden = put(Op.multiply, self.hidden, scale)
        shift = put(Op.take, self._measures[0], axis=2, places=list(rule.columns))
        shift = put(Op.reshape, shift, shape=[-1, count])
        shift = shift if shifted.all() else put(Op.multiply, shift, self._number(shifted))
        self.hidden = put(Op.add, self.hidden, shift)

    def _answer(self, rule: AnswerRule, outputs: int) -> None:
        """Make answers of what the last dense layer says: see `AnswerRule.apply`."""
        put, groups = self._graph.put, outputs // rule.numbers
        said = put(Op.reshape, self.hidden, shape=[-1, groups, rule.numbers])
        first = put(Op.take, said, axis=2, places=[0])
        smallest = self._number(answer_rule.SMALLEST)
        if rule.counts:
            first = put(Op.add, put(Op.softplus, first), smallest)
        parts = [first]
        if rule.below is None:
            others = put(Op.softplus, put(Op.slice, said, axis=2, start=1, stop=None))
            parts.append(put(Op.add, others, smallest))
        else:
            below, above = rule.below, rule.numbers - 1 - rule.below
            down = self._add_up(put(Op.slice, said, axis=2, start=1, stop=1 + below), below)
            up = self._add_up(put(Op.slice, said, axis=2, start=1 + below, stop=None), above)
            low = put(Op.take, put(Op.subtract, first, down), axis=2, places=list(reversed(range(below))))
            parts = [low, first, put(Op.add, first, up)]
        self.hidden = put(Op.reshape, put(Op.concat, *parts, axis=2), shape=[-1, outputs])

    def _add_up(self, distances: Value, count: int) -> Value:
        """Return how far from the middle each quantile lies, of the distances to the one before it."""
        return self._graph.dense(self._graph.put(Op.softplus, distances), np.triu(np.ones((count, count))))

    def _blend(self, scale: Value, where: Array) -> Value:
        """Return the scale in some places, and 1 in the others."""
        masked = self._graph.put(Op.multiply, scale, self._number(where))
        return self._graph.put(Op.add, masked, self._number(~where))

    def _number(self, numbers: Any) -> Value:
        return self._graph.constant(numbers, _NETWORK)
