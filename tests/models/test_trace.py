"""Gates and gradients that people look at are those of Keras' cells, and of the network itself."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from pipeline.config.schema import Cell, Config, DatasetConfig, Source
from pipeline.models.gradient import gradient_lengths, input_gradients
from pipeline.models.keras_network import build_streaming_network
from pipeline.models.numpy_network import NumpyNetwork, build_numpy_network
from pipeline.models.plan import plan_layers
from pipeline.models.trace import GATE_NAMES, trace_steps

MakeConfig = Callable[..., Config]
STEPS, FEATURES, OUTPUTS = 12, 2, 2
SERIES = np.random.default_rng(3).normal(size=(STEPS, FEATURES)).astype(np.float32)
NO_RESETS = np.zeros(STEPS, bool)
CELLS = {Cell.lstm: keras.layers.LSTMCell, Cell.gru: keras.layers.GRUCell, Cell.simple_rnn: keras.layers.SimpleRNNCell}


def make_network(make_config: MakeConfig, cell: Cell) -> tuple[keras.Model, list[np.ndarray], NumpyNetwork]:
    config = make_config(cell, (3, 2), stateful=True)
    network = build_streaming_network(config, FEATURES, OUTPUTS)
    random = np.random.default_rng(5)
    weights = [random.normal(scale=0.8, size=each.shape).astype(np.float32) for each in network.get_weights()]
    network.set_weights(weights)
    return network, weights, build_numpy_network(plan_layers(config, FEATURES, OUTPUTS), weights)


def sigmoid(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("cell", Cell)
def test_states_and_outputs_are_those_of_keras(cell: Cell, make_config: MakeConfig) -> None:
    """The viewer shows a network that nobody has trained."""
    network, weights, plain = make_network(make_config, cell)
    trace = trace_steps(plain, SERIES, NO_RESETS)
    assert trace.outputs.shape == (STEPS, OUTPUTS)
    np.testing.assert_allclose(trace.outputs, network(SERIES[None]).numpy()[0], atol=1e-5)
    inputs, left = SERIES, weights
    for layer in trace.layers:  # each of Keras' cells, step by step
        single = CELLS[cell](layer.plan.outputs)
        single.build((1, layer.plan.inputs))
        single.set_weights(left[:3])
        left = left[3:]
        states = [np.zeros((1, layer.plan.outputs), np.float32) for _ in layer.after]
        for step in range(STEPS):
            compare(layer.before, states, step)
            _, after = single(inputs[step : step + 1], states)
            states = [keras.ops.convert_to_numpy(each) for each in after]
            compare(layer.after, states, step)
        inputs = layer.after[0]


def compare(mine: tuple[np.ndarray, ...], theirs: list[np.ndarray], step: int) -> None:
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one[step], other[0], atol=1e-5)


@pytest.mark.parametrize("cell", Cell)
def test_gates_are_those_of_the_formula(cell: Cell, make_config: MakeConfig) -> None:
    """A forget gate stands under the name of another gate, or is not what the state was multiplied with."""
    _, weights, plain = make_network(make_config, cell)
    for layer, (kernel, recurrent_kernel, bias) in zip(
        trace_steps(plain, SERIES, NO_RESETS).layers, (weights[:3], weights[3:6]), strict=True
    ):
        assert tuple(layer.gates) == GATE_NAMES[cell]
        assert list(layer.quantities) == [*GATE_NAMES[cell], *("h", "c")[: len(layer.after)]]
        h, size = layer.before[0], layer.plan.outputs
        expected: list[np.ndarray] = []
        if cell is Cell.gru:
            outer, inner = layer.inputs @ kernel + bias[0], h @ recurrent_kernel + bias[1]
            update, reset = np.split(sigmoid((outer + inner)[:, : 2 * size]), 2, axis=1)
            expected = [update, reset, np.tanh(outer[:, 2 * size :] + reset * inner[:, 2 * size :])]
            made = update * h + (1 - update) * expected[2]
        elif cell is Cell.lstm:
            i, f, g, o = np.split(layer.inputs @ kernel + h @ recurrent_kernel + bias, 4, axis=1)
            expected = [sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)]
            c = expected[1] * layer.before[1] + expected[0] * expected[2]
            np.testing.assert_allclose(layer.after[1], c, atol=1e-5)
            made = expected[3] * np.tanh(c)
        else:
            made = np.tanh(layer.inputs @ kernel + h @ recurrent_kernel + bias)
        np.testing.assert_allclose(layer.after[0], made, atol=1e-5)
        for gate, values in zip(layer.gates.values(), expected, strict=True):
            assert gate.shape == (STEPS, size)
            np.testing.assert_allclose(gate, values, atol=1e-5)


@pytest.mark.parametrize("cell", Cell)
def test_a_reset_begins_anew_and_given_states_go_on(cell: Cell, make_config: MakeConfig) -> None:
    """Windows that are laid end to end reach into each other, or an excerpt does not fit what came before it."""
    _, _, plain = make_network(make_config, cell)
    whole = trace_steps(plain, SERIES, NO_RESETS)
    resets = np.arange(STEPS) == 5
    np.testing.assert_array_equal(
        trace_steps(plain, SERIES, resets).outputs[5:], trace_steps(plain, SERIES[5:], NO_RESETS[5:]).outputs
    )
    states = [state[4:5] for layer in whole.layers for state in layer.after]
    np.testing.assert_array_equal(trace_steps(plain, SERIES[5:], NO_RESETS[5:], states).outputs, whole.outputs[5:])


@pytest.mark.parametrize("cell", Cell)
def test_gradients_are_finite_differences(cell: Cell, make_config: MakeConfig) -> None:
    """The page says of a step that it decided a forecast, and it did not."""
    _, weights, plain = make_network(make_config, cell)
    resets = np.arange(STEPS) == 5
    found = input_gradients(plain, weights, trace_steps(plain, SERIES, resets), output=1)
    assert found.shape == (STEPS, STEPS, FEATURES)
    expected, small = np.empty_like(found), 1e-2
    for step in range(STEPS):
        for feature in range(FEATURES):
            nudge = np.zeros_like(SERIES)
            nudge[step, feature] = small
            up, down = (trace_steps(plain, SERIES + sign * nudge, resets).outputs[:, 1] for sign in (1, -1))
            expected[:, step, feature] = (up - down) / (2 * small)
    assert np.abs(expected[-1, 5:]).max() > 0.05
    np.testing.assert_allclose(found, expected, atol=2e-3)
    assert not found[7, :5].any() and not found[7, 8:].any()  # before the reset, after the output


@pytest.mark.parametrize("cell", Cell)
@pytest.mark.parametrize("embedding", [None, 2])
def test_a_text_is_read_as_the_rows_that_stand_for_its_tokens(
    cell: Cell, embedding: int | None, make_config: MakeConfig
) -> None:
    """The page shows what another token did, or how much another one would have counted."""
    tokens, random = 5, np.random.default_rng(7)
    ids, table = random.integers(0, tokens, STEPS), np.eye(tokens, dtype=np.float32)
    config = make_config(cell, (3, 2), stateful=True, dataset=DatasetConfig(source=Source.text))
    config.model.embedding = embedding
    first = []
    if embedding is not None:
        table = random.normal(size=(tokens, embedding)).astype(np.float32)
        first = [table]
    of_rows = plan_layers(make_config(cell, (3, 2), stateful=True), table.shape[1], tokens)
    weights = [random.normal(size=shape).astype(np.float32) for layer in of_rows for shape in layer.weight_shapes]
    rows_network = build_numpy_network(of_rows, weights)
    text_network = build_numpy_network(plan_layers(config, 1, tokens), [*first, *weights])
    expected = trace_steps(rows_network, table[ids], NO_RESETS)
    found = trace_steps(text_network, ids[:, None].astype(np.float32), NO_RESETS)
    np.testing.assert_allclose(found.outputs, expected.outputs, atol=1e-5)
    for mine, theirs in zip(found.layers, expected.layers, strict=True):
        for name, values in theirs.quantities.items():
            np.testing.assert_allclose(mine.quantities[name], values, atol=1e-5)
    gradients = input_gradients(text_network, [*first, *weights], found, output=3)
    np.testing.assert_allclose(gradients, input_gradients(rows_network, weights, expected, output=3), atol=1e-5)
    wanted = random.normal(size=(STEPS, tokens)).astype(np.float32)  # any number that the outputs of a step decide
    every = np.stack([input_gradients(rows_network, weights, expected, output) for output in range(tokens)])
    lengths = np.linalg.norm(np.einsum("so,osif->sif", wanted, every), axis=-1)
    found_lengths = gradient_lengths(text_network, [*first, *weights], found, wanted)
    np.testing.assert_allclose(found_lengths, lengths, atol=1e-3 * lengths.max())
