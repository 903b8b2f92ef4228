"""A network as a function: the outputs, states and gradients of Keras."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.models.read_network import read_network
from pipeline.models.xla_network import _dropout_mask, _project_some

LAYERS = {"LSTM": keras.layers.LSTM, "GRU": keras.layers.GRU, "SimpleRNN": keras.layers.SimpleRNN}
SEEDS, ROWS, FEATURES = 2, 3, 2
STEPS, VOCABULARY = 6, 5  # of a text


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


@pytest.mark.parametrize("shared", [True, False])  # both seeds read the same text, or each its own
@pytest.mark.parametrize("embedding", [None, 3])
def test_gradients_of_a_text_are_those_of_keras(embedding, shared) -> None:
    """The row of another token would learn, or that of another seed."""
    networks = []
    for seed in range(SEEDS):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((STEPS, 1))
        if embedding is None:
            hidden = keras.layers.CategoryEncoding(VOCABULARY, output_mode="one_hot")(inputs)
        else:
            hidden = keras.layers.Embedding(VOCABULARY, embedding)(keras.layers.Reshape((-1,))(inputs))
        hidden = keras.layers.GRU(4, return_sequences=True)(hidden)
        networks.append(keras.Model(inputs, keras.layers.Dense(VOCABULARY)(hidden)))
    function = read_network(networks[0])
    texts = np.random.default_rng(9).integers(0, VOCABULARY, (SEEDS, ROWS, STEPS, 1)).astype("float32")
    texts[1] = texts[0] if shared else texts[1]
    weights = tf.constant(np.stack([function.pack(each.get_weights()) for each in networks]))  # (seeds, numbers)
    samples = tf.constant(texts[: 1 if shared else SEEDS].transpose(2, 0, 1, 3))  # (steps, 1 or seeds, rows, 1)
    with tf.GradientTape() as tape:
        tape.watch(weights)
        outputs, _ = function.learn(weights, samples, function.zero_states(SEEDS, ROWS), None)
        total = tf.reduce_sum(outputs**2)
    gradients = tape.gradient(total, weights).numpy()
    for seed, network in enumerate(networks):
        with tf.GradientTape() as tape:
            expected = network(texts[seed], training=True)  # (rows, steps, outputs)
            total = tf.reduce_sum(expected**2)
        np.testing.assert_allclose(outputs[:, seed].numpy().transpose(1, 0, 2), expected, atol=1e-5)
        others = tape.gradient(total, network.trainable_variables)
        for gradient, other in zip(function.unpack(gradients[seed]), others, strict=True):
            np.testing.assert_allclose(gradient, tf.convert_to_tensor(other), rtol=1e-3, atol=1e-5)


def test_dropout_of_a_text_drops_whole_tokens_in_a_row() -> None:
    """A dropped token would still be read, or the bias would be dropped with it."""
    ids = tf.constant([[[0, 1]], [[1, 0]]])  # (steps, 1, rows)
    mask = tf.constant([[[0.0, 2.0], [2.0, 2.0]]])  # (seeds, rows, tokens): row 0 reads no token 0
    kernel, bias = tf.constant([[[1.0], [10.0]]]), tf.constant([[0.5]])
    projected = _project_some(ids, mask, kernel, bias)  # (steps, seeds, rows, width)
    np.testing.assert_allclose(projected[:, 0, :, 0], [[0.5, 20.5], [20.5, 2.5]])


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


def test_dropout_mask_drops_its_share_and_keeps_the_mean() -> None:
    """Dropout would drop another share than model.dropout says, or the same units for every seed."""
    mask = _dropout_mask(tf.constant([[1, 0], [2, 0]]), (200, 50), tf.constant([0.3, 0.3])).numpy()
    assert set(np.unique(mask.round(4))) == {0.0, np.float32(1 / 0.7).round(4)}
    assert (mask == 0).mean() == pytest.approx(0.3, abs=0.02)
    assert (mask[0] != mask[1]).any()
