"""The optimizers of the fused engine against Keras' own, per seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.schema import Config, Optimizer, TrainingConfig
from pipeline.training.fit import make_optimizer
from pipeline.training.hyperparameters import stack_hyperparameters
from pipeline.training.updates import clip_gradient, rate_of_epoch, update_weights, zero_slots

SEEDS, STEPS, NUMBERS = 3, 5, 8


@pytest.mark.parametrize("optimizer", list(Optimizer))
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_steps_are_those_of_keras(optimizer, clip_norm) -> None:
    """An optimizer of the default engine would take other steps, or clip one seed by the gradient of another."""
    random = np.random.default_rng(3)
    weights = random.normal(size=(SEEDS, NUMBERS)).astype("float32")
    sizes = np.array([[0.01], [0.1], [1.0]])  # of the gradients: only some seeds are clipped
    gradients = (random.normal(size=(STEPS, SEEDS, NUMBERS)) * sizes).astype("float32")
    training = TrainingConfig(optimizer=optimizer, learning_rate=0.03, clip_norm=clip_norm, rho=0.95, epsilon=1e-4)
    numbers = stack_hyperparameters([Config(training=training)] * SEEDS)
    ours = tf.constant(weights)
    slots = zero_slots(optimizer, ours)
    for step, gradient in enumerate(gradients):
        clipped = tf.constant(gradient) if clip_norm is None else clip_gradient(gradient, numbers.clip_norm)
        ours, slots = update_weights(optimizer, numbers, numbers.learning_rate, step + 1, ours, slots, clipped)

    for seed in range(SEEDS):
        reference = make_optimizer(training)
        variables = [keras.Variable(weights[seed, :6].reshape(3, 2)), keras.Variable(weights[seed, 6:])]
        for gradient in gradients[:, seed]:
            reference.apply([tf.constant(gradient[:6].reshape(3, 2)), tf.constant(gradient[6:])], variables)
        expected = np.concatenate([variable.numpy().ravel() for variable in variables])
        np.testing.assert_allclose(ours[seed], expected, rtol=1e-5, atol=1e-6)


def test_rate_decays_after_every_epoch_but_the_first_ones() -> None:
    """A preset with char-rnn's decay would train with other learning rates than char-rnn."""
    training = TrainingConfig(learning_rate=2.0, decay=0.5, decay_after=3)
    assert [float(rate_of_epoch(training, epoch)) for epoch in range(6)] == [2, 2, 2, 1, 0.5, 0.25]
    assert [float(rate_of_epoch(training, tf.constant(epoch))) for epoch in (2, 3)] == [2, 1]
    assert rate_of_epoch(TrainingConfig(learning_rate=0.3), tf.constant(9)) == np.float32(0.3)
