"""A network as a function: the outputs, states and gradients of Keras, and a refusal by name of what is not known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models.xla_network import NotCoveredError, _dropout_mask, read_network

LAYERS = {"LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU, "SimpleRNN": keras.layers.SimpleRNN}
SEEDS, ROWS, FEATURES = 2, 3, 2


def build(layers, steps: int = 5) -> keras.Model:
    inputs = hidden = keras.Input((steps, FEATURES))
    for layer in layers:
        hidden = layer(hidden)
    return keras.Model(inputs, hidden)


@pytest.mark.parametrize("return_sequences", [False, True])
@pytest.mark.parametrize("steps", [3, 9])  # written out, and as a loop
@pytest.mark.parametrize("kind", LAYERS)
def test_outputs_and_gradients_are_those_of_keras(kind, steps, return_sequences) -> None:
    """The written-out backward pass would be wrong, or a seed would be answered with the weights of another."""
    networks = []
    for seed in range(SEEDS):
        keras.utils.set_random_seed(seed)
        first, last = LAYERS[kind](4, return_sequences=True), LAYERS[kind](3, return_sequences=return_sequences)
        networks.append(build([first, last, keras.layers.Dense(2)], steps))
        for layer in (first, last):  # the initial bias is zero: give it a part
            layer.cell.bias.assign(np.random.default_rng(seed).normal(size=layer.cell.bias.shape))
    function = read_network(networks[0])
    inputs = np.random.default_rng(9).normal(size=(ROWS, steps, FEATURES)).astype("float32")
    weights = tf.constant(np.stack([function.pack(each.get_weights()) for each in networks]))  # (seeds, numbers)
    samples = tf.constant(inputs.transpose(1, 0, 2)[:, None])  # (steps, 1, rows, features): both seeds read it

    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs, states = function.learn(weights, samples, function.zero_states(SEEDS, ROWS), None)
        total = tf.reduce_sum(outputs**2)
    gradients = tape.gradient(total, weights).numpy()
    answers, _ = function.apply(weights, samples, function.zero_states(SEEDS, ROWS), every_step=False)
    np.testing.assert_allclose(answers, outputs, atol=1e-6)
    assert len(states) == (4 if kind == "LSTM" else 2)
    for seed, network in enumerate(networks):
        with tf.GradientTape() as tape:
            expected = network(inputs, training=True)  # (rows, [steps,] outputs)
            total = tf.reduce_sum(expected**2)
        ours = outputs[:, seed].numpy().transpose(1, 0, 2) if return_sequences else outputs[seed]
        np.testing.assert_allclose(ours, expected, atol=1e-5)
        others = tape.gradient(total, network.trainable_variables)
        for gradient, other in zip(function.unpack(gradients[seed]), others, strict=True):
            np.testing.assert_allclose(gradient, other, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("kind", LAYERS)
def test_states_are_carried_and_hold_no_gradient(kind) -> None:
    """A carried state would be lost, or gradients would flow into earlier batches, which Keras never does."""
    function = read_network(network := build([LAYERS[kind](3, return_sequences=True)], 8))
    weights = tf.constant(function.pack(network.get_weights())[None])
    samples = tf.constant(np.random.default_rng(2).normal(size=(8, 1, ROWS, FEATURES)), tf.float32)
    whole, _ = function.apply(weights, samples, function.zero_states(1, ROWS), every_step=True)
    first, states = function.apply(weights, samples[:5], function.zero_states(1, ROWS), every_step=True)
    with tf.GradientTape() as tape:
        tape.watch(states)
        second, _ = function.learn(weights, samples[5:], states, None)
    np.testing.assert_allclose(tf.concat([first, second], 0), whole, atol=1e-6)
    assert tape.gradient(second, states) == [None] * len(states)


REFUSED = {
    "is of the kind Bidirectional": [keras.layers.Bidirectional(keras.layers.LSTM(2))],
    "is of the kind LayerNormalization": [keras.layers.LayerNormalization()],
    "has activation=relu": [keras.layers.LSTM(2, activation="relu")],
    "has recurrent_activation=hard_sigmoid": [keras.layers.GRU(2, recurrent_activation="hard_sigmoid")],
    "has reset_after=False": [keras.layers.GRU(2, reset_after=False)],
    "has go_backwards=True": [keras.layers.LSTM(2, go_backwards=True)],
    "has use_bias=False": [keras.layers.SimpleRNN(2, use_bias=False)],
    "has recurrent_dropout=0.5": [keras.layers.LSTM(2, recurrent_dropout=0.5)],
    "has kernel_regularizer=": [keras.layers.LSTM(2, kernel_regularizer="l2")],
    "has recurrent_constraint=": [keras.layers.LSTM(2, recurrent_constraint="unit_norm")],
    "(Dense) has activation=relu": [keras.layers.LSTM(2), keras.layers.Dense(1, activation="relu")],
    "computes in float16": [keras.layers.LSTM(2, dtype="float16")],
}


@pytest.mark.parametrize("reason", REFUSED)
def test_what_is_not_covered_is_refused_by_name(reason) -> None:
    """A network would be trained as another one that looks like it."""
    with pytest.raises(NotCoveredError) as refusal:
        read_network(build(REFUSED[reason]))
    assert reason in str(refusal.value)


def test_a_network_that_branches_is_refused() -> None:
    """Layers side by side would be run one after another."""
    inputs = keras.Input((4, FEATURES))
    both = [keras.layers.LSTM(2)(inputs), keras.layers.LSTM(2)(inputs)]
    with pytest.raises(NotCoveredError, match="does not follow the one before it"):
        read_network(keras.Model(inputs, keras.layers.Add()(both)))


def test_dropout_mask_drops_its_share_and_keeps_the_mean() -> None:
    """Dropout would drop another share than model.dropout says, or the same units for every seed."""
    mask = _dropout_mask(tf.constant([[1, 0], [2, 0]]), (200, 50), rate=0.3).numpy()
    assert set(np.unique(mask.round(4))) == {0.0, np.float32(1 / 0.7).round(4)}
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert (mask[0] != mask[1]).any()
