"""The engine against a loop written by hand: gradient tape, plain SGD, state reset where a group of lanes begins."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.schema import Optimizer
from pipeline.models.keras_network import build_training_network
from pipeline.models.state import reset_states
from pipeline.training.fit import train_seed
from pipeline.training.forecaster import Forecaster

RATE = 0.1


def train_by_hand(config, data, epochs: int) -> list[np.ndarray]:
    """Return the weights; the loss of a batch is the mean squared error of its real rows."""
    keras.utils.set_random_seed(config.seed)
    network = build_training_network(config, data.windows.num_features, data.windows.num_outputs)
    for _ in range(epochs):
        for starts, weights, reset in zip(data.lanes.starts, data.lanes.weights, data.lanes.resets, strict=True):
            if reset:
                reset_states(network)
            real = np.flatnonzero(weights)
            targets = tf.constant(data.windows.gather_targets(starts[real]))
            with tf.GradientTape() as tape:
                outputs = tf.gather(network(data.windows.gather_inputs(starts), training=True), real)
                loss = tf.reduce_mean((outputs - targets) ** 2)
            gradients = tape.gradient(loss, network.trainable_variables)
            for variable, gradient in zip(network.trainable_variables, gradients, strict=True):
                variable.assign(variable - RATE * gradient)
    return network.get_weights()


@pytest.mark.parametrize(("return_sequences", "batch_size"), [(False, 2), (True, 2), (True, 3)])
def test_stateful_training_is_the_loop_by_hand(
    return_sequences, batch_size, make_config, make_data, ignore_epoch
) -> None:
    """Stateful training would not be what docs/explanation/engines.md says.

    Padding changes a gradient, the state is reset at another batch, or the loss is not the mean over rows and steps.
    """
    config = make_config(
        stateful=True,
        return_sequences=return_sequences,
        batch_size=batch_size,
        training={"optimizer": Optimizer.sgd, "learning_rate": RATE, "clip_norm": None},
    )
    data = make_data(config)
    assert data.lanes.num_padded > 0
    trained = train_seed(config, data, Forecaster(config, data.windows), config.seed, ignore_epoch)
    weights = train_by_hand(config, data, epochs=2)

    for weight, expected in zip(trained.weights, weights, strict=True):
        np.testing.assert_allclose(weight, expected, atol=1e-5)
