"""A graph as a .keras file of Keras' own layers and operations: whoever loads it needs Keras, and none of this package.

Nothing in it is code: `keras.models.load_model(path, safe_mode=True)`, which is Keras' default, takes it.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from pipeline.config.schema import Cell
from pipeline.models.graph.graph import Graph, Node, Op

ops = keras.ops
_CELLS = {Cell.lstm: keras.layers.LSTM, Cell.gru: keras.layers.GRU, Cell.simple_rnn: keras.layers.SimpleRNN}
OPERATIONS: dict[Op, Callable[..., Any]] = {
    Op.cast: lambda x, dtype: ops.cast(x, dtype),
    Op.add: ops.add,
    Op.subtract: ops.subtract,
    Op.multiply: ops.multiply,
    Op.divide: ops.divide,
    Op.maximum: ops.maximum,
    Op.log: ops.log,
    Op.exp: ops.exp,
    Op.sqrt: ops.sqrt,
    Op.tanh: ops.tanh,
    Op.softplus: ops.softplus,
    Op.mean: lambda x, axis: ops.mean(x, axis=axis, keepdims=True),
    Op.reshape: lambda x, shape: ops.reshape(x, shape),
    Op.slice: lambda x, axis, start, stop: x[(slice(None),) * axis + (slice(start, stop),)],
    Op.take: lambda x, axis, places: ops.take(x, places, axis=axis),
    Op.concat: lambda *each, axis: ops.concatenate(each, axis=axis),
    Op.above_zero: lambda test, yes, no: ops.where(ops.greater(test, 0.0), yes, no),
    Op.fill_nan: lambda x, other: ops.where(ops.isnan(x), other, x),
}


def write_keras(graph: Graph, path: Path) -> None:
    """Write a .keras file of a model of dictionaries: of the inputs by name, to the outputs by name."""
    _make_model(graph).save(path)


def open_keras(path: Path) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return what runs a .keras file: arrays by name in, arrays by name out. A file that holds code is refused."""
    model = keras.models.load_model(path, compile=False, safe_mode=True)
    types = {tensor.name: tensor.dtype for tensor in model.inputs}
    call = tf.function(lambda given: model(given, training=False), reduce_retracing=True)

    def forecast(given: Mapping[str, Any]) -> dict[str, Any]:
        made = call({name: tf.constant(array, types[name]) for name, array in given.items()})
        return {name: tensor.numpy() for name, tensor in made.items()}

    return forecast


def _make_model(graph: Graph) -> keras.Model:
    inputs = {port.name: keras.Input(port.shape, name=port.name, dtype=port.dtype) for port in graph.inputs}
    values: dict[str, Any] = {**graph.constants, **inputs}
    for node in graph.nodes:
        if node.op in (Op.dense, Op.recurrent):
            made = _apply_layer(graph, node, values)
        else:
            made = [OPERATIONS[node.op](*(values[name] for name in node.inputs), **node.settings)]
        values.update(zip(node.outputs, made, strict=True))
    outputs = {port.name: values[port.name] for port in graph.outputs}
    return keras.Model(inputs, outputs, name="forecaster")


def _apply_layer(graph: Graph, node: Node, values: dict[str, Any]) -> list[Any]:
    value, *states = (values[name] for name in node.inputs)
    weights = [graph.weights[name] for name in node.weights]
    if node.op is Op.dense:
        layer = keras.layers.Dense(weights[0].shape[1], use_bias=len(weights) > 1, name=node.outputs[0])
        made = [layer(value)]
    else:
        layer = _CELLS[Cell(node.settings["cell"])](
            weights[1].shape[0],
            return_sequences=node.settings["every_step"],
            return_state=True,
            unroll=value.shape[1] == 1,  # a loop of one step would cost more than the step
            name=node.outputs[0],
        )
        made = layer(value, initial_state=states or None)
    layer.set_weights(weights)
    return list(made)
