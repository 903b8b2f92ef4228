"""A trained network in NumPy: one time step of many rows at once, without TensorFlow.

Serving one row at a time is all overhead. A step of a small network takes about 20 microseconds here, a call of a
compiled TensorFlow function 400, and nothing has to be imported or compiled first. The numbers are those of Keras to
rounding, which the parity certificate of every run checks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Cell
from pipeline.models.plan import GATES, NUM_STATES, WHOLE_WINDOW, Kind, LayerPlan
from pipeline.models.window_rule import WindowRule

Array = np.ndarray
States = list[Array]


@dataclass(frozen=True)
class NumpyNetwork:
    """The layers of a network with their weights.

    Attributes:
        layers: From input to output.
        weights: Of each layer; empty where it has none. What `_prepare` made of Keras' weights.
    """

    layers: Sequence[LayerPlan]
    weights: Sequence[tuple[Array, ...]]

    @property
    def core(self) -> "NumpyNetwork":
        """The layers that read one time step after another, up to the last dense one."""
        both = zip(self.layers, self.weights, strict=True)
        pairs = [(layer, own) for layer, own in both if layer.kind not in (*WHOLE_WINDOW, Kind.answer)]
        return NumpyNetwork(tuple(layer for layer, _ in pairs), tuple(own for _, own in pairs))

    @property
    def reads_whole_windows(self) -> bool:
        """Whether a layer needs all rows of a window at once."""
        return any(layer.kind in WHOLE_WINDOW for layer in self.layers)

    def zero_states(self, rows: int) -> States:
        """Return states of zero: h (and c) of every recurrent layer, each (rows, units), float32."""
        return [
            np.zeros((rows, layer.outputs), np.float32)
            for layer in self.layers
            if layer.cell is not None
            for _ in range(NUM_STATES[layer.cell])
        ]

    def step(self, inputs: Array, states: States) -> tuple[Array, States]:
        """Read one time step and answer; for the wirings that can carry a state.

        Args:
            inputs: Scaled features. Shape (rows, features), float32.
            states: Before the step; not changed.

        Returns:
            Outputs, shape (rows, outputs), and the states after the step.
        """
        hidden, after = inputs, list[Array]()
        for layer, weights in zip(self.layers, self.weights, strict=True):
            if layer.cell is None:
                hidden = apply_plain(layer, weights, hidden)
                continue
            own = _forward(layer.cell, weights, hidden, states[len(after) : len(after) + NUM_STATES[layer.cell]])
            after += own
            hidden = own[0]
        return hidden, after

    def read(self, samples: Array, states: States) -> tuple[Array, States]:
        """Read the steps of one sample per row, and answer after the last; for the wirings that can carry a state.

        Args:
            samples: Shape (rows, steps, features), float32.
            states: Before the first step; not changed.

        Returns:
            Outputs, shape (rows, outputs), and the states after the last step.
        """
        outputs = np.zeros((len(samples), self.layers[-1].outputs), np.float32)
        for position in range(samples.shape[1]):
            outputs, states = self.step(samples[:, position], states)
        return outputs, states

    def answer(self, samples: Array) -> Array:
        """Answer samples from a zero state, in any wiring: what Keras' `predict` gives, for many-to-many the last step.

        Args:
            samples: Shape (rows, time_steps, features), float32. With fewer time steps the last ones of a window.

        Returns:
            Shape (rows, outputs), float32.
        """
        hidden, read = np.swapaxes(samples, 0, 1), samples  # (steps, rows, features); read is what the core reads
        known = hidden
        for layer, weights in zip(self.layers, self.weights, strict=True):
            if layer.rule is not None and layer.kind is Kind.normalise:
                read = normalise(layer.rule, samples)
                hidden = known = np.swapaxes(read, 0, 1)
            elif layer.rule is not None:
                hidden = denormalise(layer.rule, samples, hidden)
            elif layer.kind is Kind.skip:
                hidden = hidden + skip_over(weights[0], read)
            elif layer.layout is not None:
                hidden = known = apply_plain(layer, weights, hidden)
            elif layer.kind is Kind.past:
                hidden = hidden[..., : layer.outputs]
            elif layer.kind is Kind.ahead:
                hidden = _put_beside(layer, hidden, known)
            elif layer.kind is Kind.repeat:
                hidden = np.repeat(hidden[-1:], layer.repeats, 0)
            elif layer.kind is Kind.flatten:
                hidden = np.swapaxes(hidden, 0, 1).reshape(1, hidden.shape[1], -1)
            elif layer.cell is None:
                hidden = apply_plain(layer, weights, hidden)
            else:
                hidden = _every_step(layer, weights, hidden)
        return hidden[-1]  # (rows, outputs)


def build_numpy_network(layers: Sequence[LayerPlan], weights: Sequence[Array]) -> NumpyNetwork:
    """Put weights into the layers of a plan.

    Args:
        layers: As `plan_layers` gives them.
        weights: As Keras' `get_weights` gives them, in the order of the layers.

    Raises:
        ValueError: If number or shapes of the weights are not those of the plan.
    """
    expected = [shape for layer in layers for shape in layer.weight_shapes]
    given = [tuple(weight.shape) for weight in weights]
    if given != expected:
        raise ValueError(f"the network needs weights of the shapes {expected}, but got {given}")
    left, prepared = [np.asarray(weight, np.float32) for weight in weights], []
    for number, layer in enumerate(layers):
        count = len(layer.weight_shapes)
        prepared.append(_prepare(layer, left[:count], number == 1 and layers[0].kind is Kind.one_hot))
        left = left[count:]
    return NumpyNetwork(tuple(layers), tuple(prepared))


def normalise(rule: WindowRule, samples: Array) -> Array:
    """Measure windows by themselves. Shape (rows, time_steps, features of a step), before and after."""
    rows = samples.reshape(len(samples), -1, rule.features)
    shift, scale = rule.measure(rows, np)
    return np.asarray((rows - shift) / scale, np.float32).reshape(samples.shape)


def denormalise(rule: WindowRule, samples: Array, outputs: Array) -> Array:
    """Bring outputs of the core, (..., rows, outputs), back to where their windows are. Shape (..., rows, outputs)."""
    shift, scale = rule.measure(samples.reshape(len(samples), -1, rule.features), np)
    return np.asarray(rule.bring_back(outputs, shift, scale, np), np.float32)


def skip_over(kernel: Array, read: Array) -> Array:
    """Return what a skip adds to the outputs. Of fewer steps than a window has, only the last ones count.

    Args:
        kernel: Shape (time_steps * features, outputs).
        read: What the core reads. Shape (rows, time_steps, features).

    Returns:
        Shape (rows, outputs).
    """
    flat = read.reshape(len(read), -1)
    return _product(flat, kernel[len(kernel) - flat.shape[1] :])


def _put_beside(layer: LayerPlan, hidden: Array, known: Array) -> Array:
    """Put beside each step of a decoder, (steps, rows, inputs), what the last row that was read carries of its row."""
    carried = known[-1][:, -layer.repeats * (layer.outputs - layer.inputs) :]
    by_step = carried.reshape(len(carried), layer.repeats, -1)  # (rows, steps, columns)
    return np.concatenate([hidden, np.swapaxes(by_step, 0, 1)], axis=2)


def _prepare(layer: LayerPlan, weights: list[Array], reads_ids: bool) -> tuple[Array, ...]:
    """Fold kernel and recurrent kernel of an LSTM or simple RNN into one matrix: one product per step.

    Of a kernel that is read row by row the bias becomes a part: one sum less per step. Tables become one matrix.
    """
    if layer.layout is not None:
        return (np.asarray(layer.layout.lay_tables(weights, layer.inputs, np)),)
    if layer.cell in (None, Cell.gru):
        return tuple(weights)
    kernel, recurrent_kernel, bias = weights
    half: Array = np.ones((), np.float32)
    if layer.cell is Cell.lstm:  # sigmoid(x) = tanh(x / 2) / 2 + 1 / 2: one tanh for all gates
        half = np.repeat(np.array([0.5, 0.5, 1.0, 0.5], np.float32), layer.outputs)
    if reads_ids:
        return (kernel + bias) * half, recurrent_kernel * half
    return np.vstack([kernel, recurrent_kernel]) * half, bias * half  # (inputs + units, gates * units)


def apply_plain(layer: LayerPlan, weights: Sequence[Array], inputs: Array) -> Array:
    """Apply a layer that has no state and mixes no time steps.

    A one-hot row times a matrix is a row of that matrix. So a one-hot layer gives no rows, but says which they are.

    Args:
        layer: One-hot, embedding, categories, dense or answer.
        weights: Its own, as `NumpyNetwork.weights` holds them.
        inputs: Shape (..., rows, inputs); after a one-hot layer ids, (..., rows), integers.

    Returns:
        Shape (..., rows, outputs); of a one-hot layer ids, (..., rows), integers.
    """
    if layer.kind is Kind.one_hot:
        return inputs[..., 0].astype(np.intp)
    if layer.kind is Kind.embedding:
        return weights[0][inputs[..., 0].astype(np.intp)]
    if layer.layout is not None:
        return _product(inputs, weights[0])
    if layer.answer is not None:
        return np.asarray(layer.answer.apply(inputs, np))
    kernel, bias = weights
    outputs = _times(inputs, kernel) + bias
    return np.tanh(outputs) if layer.activation == "tanh" else outputs


def _times(inputs: Array, kernel: Array) -> Array:
    return kernel[inputs] if inputs.dtype.kind == "i" else _product(inputs, kernel)


def _product(inputs: Array, kernel: Array) -> Array:
    """Multiply every row by itself, (..., inputs) by (inputs, outputs).

    A product of all rows at once takes half of the time, but the last bits of a row then depend on how many others
    there are. What a lane is forecast must not depend on who else is there.
    """
    return np.asarray(np.matmul(inputs[..., None, :], kernel)[..., 0, :])


def _every_step(layer: LayerPlan, weights: tuple[Array, ...], inputs: Array) -> Array:
    """Run one recurrent layer over (steps, rows, features) from a zero state. Shape (steps or 1, rows, units)."""
    assert layer.cell is not None
    states = [np.zeros((inputs.shape[1], layer.outputs), np.float32)] * NUM_STATES[layer.cell]
    outputs = []
    for step in inputs:
        states = _forward(layer.cell, weights, step, states)
        outputs.append(states[0])
    return np.stack(outputs if layer.return_sequences else outputs[-1:])


def _forward(cell: Cell, weights: tuple[Array, ...], inputs: Array, states: States) -> States:
    """Read one time step, (rows, inputs); return the new h (and c)."""
    gates = open_gates(cell, weights, inputs, states[0])
    if cell is Cell.simple_rnn:
        return list(gates)
    if cell is Cell.gru:
        update, _, candidate = gates
        return [update * states[0] + (1 - update) * candidate]
    i, f, g, o = gates
    c = f * states[1] + i * g
    return [o * np.tanh(c), c]


def open_gates(cell: Cell, weights: tuple[Array, ...], inputs: Array, h: Array) -> tuple[Array, ...]:
    """Return what the gates of a cell let through, before anything passes them.

    Args:
        cell: The cell.
        weights: Of its layer, as `NumpyNetwork.weights` holds them.
        inputs: Shape (rows, inputs); after a one-hot layer ids, (rows,), integers.
        h: Before the step. Shape (rows, units).

    Returns:
        In the order of Keras' kernels, each (rows, units): input, forget, candidate, output of an LSTM; update, reset,
        candidate of a GRU; the new h of a simple RNN.
    """
    if cell is Cell.gru:
        return _open_gru(weights, inputs, h)
    if inputs.dtype.kind == "i":
        kernel, recurrent_kernel = weights
        gates = np.tanh(kernel[inputs] + _product(h, recurrent_kernel))  # (rows, gates * units)
    else:
        joined, bias = weights
        gates = np.tanh(_product(np.concatenate([inputs, h], 1), joined) + bias)
    if cell is Cell.simple_rnn:
        return (gates,)
    units = gates.shape[1] // GATES[cell]
    i, f, g, o = (gates[:, gate * units : (gate + 1) * units] for gate in range(4))
    return (i + 1) * 0.5, (f + 1) * 0.5, g, (o + 1) * 0.5


def _open_gru(weights: tuple[Array, ...], inputs: Array, h: Array) -> tuple[Array, ...]:
    kernel, recurrent_kernel, bias = weights
    outer, inner = _times(inputs, kernel) + bias[0], _product(h, recurrent_kernel) + bias[1]  # each (rows, 3 units)
    units = h.shape[1]
    gates = np.tanh((outer[:, : 2 * units] + inner[:, : 2 * units]) * 0.5) * 0.5 + 0.5
    update, reset = gates[:, :units], gates[:, units:]
    return update, reset, np.tanh(outer[:, 2 * units :] + reset * inner[:, 2 * units :])
