"""The optimizers of the fused engine against Keras' own, per seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config.schema import Optimizer, TrainingConfig
from pipeline.training.fit import _OPTIMIZERS
from pipeline.training.updates import clip_gradient, update_weights, zero_slots

SEEDS, STEPS, NUMBERS = 3, 5, 8


@pytest.mark.parametrize("optimizer", list(Optimizer))
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_steps_are_those_of_keras(optimizer, clip_norm) -> None:
    """An optimizer of the default engine would take other steps, or clip one seed by the gradient of another."""
    random = np.random.default_rng(3)
    weights = random.normal(size=(SEEDS, NUMBERS)).astype("float32")
    sizes = np.array([[0.01], [0.1], [1.0]])  # of the gradients: only some seeds are clipped
    gradients = (random.normal(size=(STEPS, SEEDS, NUMBERS)) * sizes).astype("float32")
    training = TrainingConfig(optimizer=optimizer, learning_rate=0.03, clip_norm=clip_norm)
    ours = tf.constant(weights)
    slots = zero_slots(optimizer, ours)
    for step, gradient in enumerate(gradients):
        clipped = clip_gradient(tf.constant(gradient), clip_norm)
        ours, slots = update_weights(training, step + 1, ours, slots, clipped)

    for seed in range(SEEDS):
        reference = _OPTIMIZERS[optimizer](learning_rate=0.03, global_clipnorm=clip_norm)
        variables = [keras.Variable(weights[seed, :6].reshape(3, 2)), keras.Variable(weights[seed, 6:])]
        for gradient in gradients[:, seed]:
            reference.apply([tf.constant(gradient[:6].reshape(3, 2)), tf.constant(gradient[6:])], variables)
        expected = np.concatenate([variable.numpy().ravel() for variable in variables])
        np.testing.assert_allclose(ours[seed], expected, rtol=1e-5, atol=1e-6)
