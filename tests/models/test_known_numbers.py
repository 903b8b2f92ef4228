"""Known numbers: every cell with constant weights against its formula, written out in NumPy."""

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.config.schema import Cell
from pipeline.models.keras_network import build_streaming_network, build_training_network

KERNEL, RECURRENT, BIAS, HEAD, HEAD_BIAS = 0.5, 0.25, 0.1, 2.0, -1.0
UNITS = 2
SERIES = np.array([[1.0, -0.5], [0.3, 0.8], [-1.2, 0.4]])  # (steps, features)

Step = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


def pre_activation(x: np.ndarray, h: np.ndarray) -> np.ndarray:
    """Return what every gate sees when all weights are the same constants. Shape (units,)."""
    return np.full(UNITS, KERNEL * x.sum() + RECURRENT * h.sum() + BIAS)


def lstm_step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gate, candidate = sigmoid(pre_activation(x, h)), np.tanh(pre_activation(x, h))
    c = gate * c + gate * candidate
    return gate * np.tanh(c), c


def gru_step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    gate = sigmoid(pre_activation(x, h) + BIAS)  # update and reset gate; Keras' GRU has two biases
    candidate = np.tanh(KERNEL * x.sum() + BIAS + gate * (RECURRENT * h.sum() + BIAS))
    return gate * h + (1 - gate) * candidate, c


def simple_step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.tanh(pre_activation(x, h)), c


def by_hand(step: Step, layers: int) -> np.ndarray:
    """Return the output of the head at every step. Shape (steps, outputs = 1)."""
    sequence = SERIES
    for _ in range(layers):
        h = c = np.zeros(UNITS)
        states = []
        for x in sequence:
            h, c = step(x, h, c)
            states.append(h)
        sequence = np.array(states)  # (steps, units)
    return HEAD * sequence.sum(axis=1, keepdims=True) + HEAD_BIAS


def constant_weights(shapes: list[tuple[int, ...]], layers: int) -> list[np.ndarray]:
    """Kernel, recurrent kernel and bias of every layer, then the head."""
    constants = [KERNEL, RECURRENT, BIAS] * layers + [HEAD, HEAD_BIAS]
    return [np.full(shape, constant) for shape, constant in zip(shapes, constants, strict=True)]


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize(
    ("cell", "step"), [(Cell.lstm, lstm_step), (Cell.gru, gru_step), (Cell.simple_rnn, simple_step)]
)
def test_outputs_of_constant_weights(cell, step, layers, make_config) -> None:
    """A network would not compute the recurrence its name promises, or its head would read the wrong step."""
    expected = by_hand(step, layers)  # (steps, 1)
    config = make_config(cell, (UNITS,) * layers, look_back=3, batch_size=1)
    for build, wanted in ((build_training_network, expected[-1:]), (build_streaming_network, expected[None])):
        network = build(config, num_features=2, num_outputs=1)
        network.set_weights(constant_weights([weight.shape for weight in network.weights], layers))
        outputs = network(SERIES[None].astype(np.float32), training=False).numpy()
        np.testing.assert_allclose(outputs, wanted, rtol=1e-5)


def test_lstm_one_step_on_paper(make_config) -> None:
    """The formulas of this file would be wrong in the same way as the network: one step, worked out on paper."""
    network = build_streaming_network(make_config(Cell.lstm, (UNITS,)), num_features=2, num_outputs=1)
    network.set_weights(constant_weights([weight.shape for weight in network.weights], layers=1))
    # 0.5 * (1 - 0.5) + 0.1 = 0.35; sigmoid 0.586618, tanh 0.336376; c = 0.586618 * 0.336376 = 0.197324
    # h = 0.586618 * tanh(0.197324) = 0.586618 * 0.194802 = 0.114274; head 2 * (h + h) - 1 = -0.542904
    output = network(SERIES[None, :1].astype(np.float32), training=False).numpy()
    np.testing.assert_allclose(output, [[[-0.542904]]], atol=2e-6)
