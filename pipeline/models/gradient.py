"""How much each past input moved an output: backward through time, exact, all outputs at once.

output at step    0  1  2  3           a row of the result is one output; what comes after it moved nothing,
input at step 0   x  x  x  .           nor does what lies before a state of zero (here step 3 begins with one)
              1      x  x  .
              2         x  .
              3            x
"""

from collections.abc import Callable, Sequence

import numpy as np

from pipeline.config.schema import Cell
from pipeline.models.numpy_network import Array, NumpyNetwork
from pipeline.models.trace import LayerTrace, Trace

Finish = Callable[[Array], Array]


def input_gradients(network: NumpyNetwork, weights: Sequence[Array], trace: Trace, output: int = 0) -> Array:
    """Return the derivative of one output, after every step, by every input.

    Args:
        network: The network that was traced.
        weights: Its weights as Keras' `get_weights` gives them.
        trace: What it did.
        output: Which of its outputs.

    Returns:
        Scaled output per scaled input. Shape (steps of the output, steps of the input, features). The inputs of a text
        are what its first layer makes of an id: the one-hot row, or that of the embedding.
    """
    wanted = np.zeros_like(trace.outputs)
    wanted[:, output] = 1
    return _flow_back(network, weights, trace, wanted, _through)


def gradient_lengths(network: NumpyNetwork, weights: Sequence[Array], trace: Trace, wanted: Array) -> Array:
    """Return how long the derivative by each input is, of one number that depends on the outputs after every step.

    Args:
        network: The network that was traced.
        weights: Its weights as Keras' `get_weights` gives them.
        trace: What it did.
        wanted: Derivative of the number by the outputs of its step. Shape (steps, outputs).

    Returns:
        Shape (steps of the output, steps of the input). Of a one-hot row every place counts, also where it holds zero.
    """
    return _flow_back(network, weights, trace, wanted, _measure)[..., 0]


def _through(kernel: Array) -> Finish:
    """Return what turns derivatives by the gates, (outputs, width), into those by the inputs, (outputs, inputs)."""
    return lambda outer: np.asarray(outer @ kernel.T)


def _measure(kernel: Array) -> Finish:
    """Return what turns derivatives by the gates, (outputs, width), into lengths of those by the inputs, (outputs, 1).

    A row of a large vocabulary is not made: the length needs the products of the kernel's columns only.
    """
    if len(kernel) <= kernel.shape[1]:
        return lambda outer: np.linalg.norm(outer @ kernel.T, axis=1, keepdims=True)
    products = kernel.T @ kernel  # (width, width)
    return lambda outer: np.asarray(np.sqrt(np.maximum((outer @ products * outer).sum(1, keepdims=True), 0)))


def _flow_back(
    network: NumpyNetwork,
    weights: Sequence[Array],
    trace: Trace,
    wanted: Array,
    finish: Callable[[Array], Finish],
) -> Array:
    """Go back from the outputs to the inputs; `finish` says, for the kernel of the first layer, what is made there."""
    steps, left, recurrent = len(trace.outputs), list(weights), []
    for plan in network.layers[:-1]:  # the last is the head
        own, left = left[: len(plan.weight_shapes)], left[len(plan.weight_shapes) :]
        if plan.cell is not None:
            recurrent.append(own)
    head = np.asarray(left[0], np.float32)  # (units, outputs)
    flowing = np.zeros((steps, steps, len(head)), np.float32)
    flowing[np.arange(steps), np.arange(steps)] = wanted @ head.T
    for layer, own, make in zip(
        reversed(trace.layers), reversed(recurrent), [*[_through] * (len(recurrent) - 1), finish], strict=True
    ):
        flowing = _go_back(layer, own, trace.resets, flowing, make(np.asarray(own[0], np.float32)))
    return flowing


def _go_back(layer: LayerTrace, weights: Sequence[Array], resets: Array, by_h: Array, finish: Finish) -> Array:
    """Turn derivatives by the h of a layer, (outputs, steps, units), into those by its inputs, as `finish` makes them.

    That is given derivatives by what the kernel gives, (outputs, width).
    """
    _, recurrent_kernel, bias = (np.asarray(each, np.float32) for each in weights)
    by_inputs = list[Array]()
    dh = np.zeros_like(by_h[:0, 0])  # (outputs from the step on, units): the step moved no output before it
    dc, none = np.zeros_like(dh), np.zeros_like(by_h[:1, 0])
    for step in reversed(range(by_h.shape[1])):
        dh, dc = np.concatenate([none, dh]), np.concatenate([none, dc])
        dh = dh + by_h[step:, step]
        if layer.plan.cell is Cell.gru:
            outer, inner, dh = _back_gru(layer, recurrent_kernel, bias, step, dh)
        elif layer.plan.cell is Cell.lstm:
            outer, dc = _back_lstm(layer, step, dh, dc)
            inner, dh = outer, np.zeros_like(dh)
        else:
            outer = inner = dh * (1 - layer.after[0][step] ** 2)
            dh = np.zeros_like(dh)
        found = finish(outer)
        by_inputs.append(np.concatenate([np.zeros((step, found.shape[1]), np.float32), found]))
        dh = dh + inner @ recurrent_kernel.T
        if resets[step]:
            dh, dc = np.zeros_like(dh), np.zeros_like(dc)
    return np.stack(by_inputs[::-1], axis=1)


def _back_lstm(layer: LayerTrace, step: int, dh: Array, dc: Array) -> tuple[Array, Array]:
    """Return the derivatives by what enters the gates, (outputs, 4 units), and by c before the step."""
    i, f, g, o = (gate[step] for gate in layer.gates.values())
    squashed, before = np.tanh(layer.after[1][step]), layer.before[1][step]
    dc = dc + dh * o * (1 - squashed**2)
    by_gates = (dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g**2), dh * squashed * o * (1 - o))
    return np.concatenate(by_gates, 1), dc * f


def _back_gru(
    layer: LayerTrace, recurrent_kernel: Array, bias: Array, step: int, dh: Array
) -> tuple[Array, Array, Array]:
    """Return the derivatives by the projected input and by the projected h, (outputs, 3 units), and by h directly."""
    update, reset, candidate = (gate[step] for gate in layer.gates.values())
    h, last = layer.before[0][step], slice(2 * len(update), None)
    inner = h @ recurrent_kernel[:, last] + bias[1, last]
    dg = dh * (1 - update) * (1 - candidate**2)
    dz, dr = dh * (h - candidate) * update * (1 - update), dg * inner * reset * (1 - reset)
    return np.concatenate([dz, dr, dg], 1), np.concatenate([dz, dr, dg * reset], 1), dh * update
