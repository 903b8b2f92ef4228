"""A graph as a LiteRT file (.tflite, once TensorFlow Lite), for phones and small machines: 32-bit numbers only."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.environment import hushed_stderr
from pipeline.base.paths import replace_file
from pipeline.config.schema import Cell
from pipeline.models.cells import CELL_RULES
from pipeline.models.graph.graph import Graph, Node, Op
from pipeline.models.graph.keras_file import OPERATIONS

Tensor = Any  # TensorFlow has no types


def write_litert(graph: Graph, path: Path) -> None:
    """Write a .tflite file with one signature, of the names of the graph; recurrent layers are written out.

    Args:
        graph: Of float32 alone, its windows of a known length.
        path: The file.
    """
    specs = {port.name: tf.TensorSpec((None, *port.shape), tf.float32, name=port.name) for port in graph.inputs}
    module = tf.Module()
    module.forecast = tf.function(lambda **given: _run(graph, given), autograph=False)
    with hushed_stderr():  # the converter tells of every step
        concrete = module.forecast.get_concrete_function(**specs)
        converted = tf.lite.TFLiteConverter.from_concrete_functions([concrete], module).convert()
    with replace_file(path) as file:
        file.write(converted)


def open_litert(path: Path) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """Return what runs a .tflite file on one core: arrays by name in, arrays by name out."""
    from ai_edge_litert.interpreter import Interpreter

    with hushed_stderr():  # which delegate it takes
        interpreter = Interpreter(str(path), num_threads=1)
        interpreter.allocate_tensors()
        run = interpreter.get_signature_runner()

    def forecast(given: Mapping[str, Any]) -> dict[str, Any]:
        return dict(run(**{name: np.asarray(array, np.float32) for name, array in given.items()}))

    return forecast


def _run(graph: Graph, given: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Do what a graph says, its weights as constants: Keras' layers have variables, which no interpreter would find."""
    values = {name: tf.constant(array) for name, array in graph.constants.items()} | dict(given)
    for node in graph.nodes:
        read = [values[name] for name in node.inputs]
        weights = [tf.constant(graph.weights[name]) for name in node.weights]
        if node.op is Op.recurrent:
            made = _recurrent(node, read, weights)
        elif node.op is Op.dense:
            product = tf.matmul(read[0], weights[0])
            made = [product + weights[1] if len(weights) > 1 else product]
        else:
            made = [OPERATIONS[node.op](*read, **node.settings)]
        values.update(zip(node.outputs, made, strict=True))
    return {port.name: values[port.name] for port in graph.outputs}


def _recurrent(node: Node, read: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
    rule, (kernel, recurrent_kernel, bias) = CELL_RULES[Cell(node.settings["cell"])], weights
    outer, inner = (bias[0], bias[1]) if bias.shape.rank == 2 else (bias, None)  # a GRU has one for h as well
    value, *states = read
    zero = tf.zeros((tf.shape(value)[0], recurrent_kernel.shape[0]))
    now, outputs = tuple(states) or (zero,) * rule.num_states, []
    for step in tf.unstack(value, axis=1):  # (lanes, inputs)
        projected = tf.matmul(now[0], recurrent_kernel)
        projected = projected if inner is None else projected + inner
        now, _ = rule.forward(tf.matmul(step, kernel) + outer, projected, now)
        outputs.append(now[0])
    return [tf.stack(outputs, axis=1) if node.settings["every_step"] else now[0], *now]
