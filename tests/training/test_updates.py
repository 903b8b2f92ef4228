"""The optimizers of the fused engine against Keras' own, per seed."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.config import Optimizer, TrainingConfig
from pipeline.training.fit import _OPTIMIZERS
from pipeline.training.updates import clip_gradients, update_weights, zero_slots

SEEDS, STEPS = 3, 5


@pytest.mark.parametrize("optimizer", list(Optimizer))
@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_steps_are_those_of_keras(optimizer, clip_norm) -> None:
    """An optimizer of the default engine would take other steps, or clip one seed by the gradient of another."""
    random = np.random.default_rng(3)
    shapes = [(4, 2), (2,)]
    weights = [random.normal(size=(SEEDS, *shape)).astype("float32") for shape in shapes]
    # Gradients of very different sizes: only some seeds are clipped.
    gradients = [
        [random.normal(size=(SEEDS, *shape)).astype("float32") * 10.0 ** np.arange(-2, 1).reshape(-1, *[1] * len(shape))
         for shape in shapes]
        for _ in range(STEPS)
    ]  # fmt: skip
    training = TrainingConfig(optimizer=optimizer, learning_rate=0.03, clip_norm=clip_norm)
    ours = [tf.constant(weight) for weight in weights]
    slots = zero_slots(optimizer, ours)
    for step, each in enumerate(gradients):
        clipped = clip_gradients([tf.constant(gradient, tf.float32) for gradient in each], clip_norm)
        ours, slots = update_weights(training, step + 1, ours, slots, clipped)

    for seed in range(SEEDS):
        reference = _OPTIMIZERS[optimizer](learning_rate=0.03, global_clipnorm=clip_norm)
        variables = [keras.Variable(weight[seed]) for weight in weights]
        for each in gradients:
            reference.apply([tf.constant(gradient[seed], tf.float32) for gradient in each], variables)
        for variable, weight in zip(variables, ours, strict=True):
            np.testing.assert_allclose(weight[seed], variable.numpy(), rtol=1e-5, atol=1e-6)
