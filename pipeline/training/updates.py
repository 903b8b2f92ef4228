"""The optimizers as pure functions, equal to Keras' with its defaults, for many seeds at once.

All weights of a seed are one row, (seeds, numbers). Everything is element by element but the norm, which is taken per
seed: a seed is updated as if it were alone.
"""

from typing import Any

import tensorflow as tf

from pipeline.config.schema import Optimizer, TrainingConfig
from pipeline.training.hyperparameters import Hyperparameters

Tensor = Any

# Defaults of keras.optimizers, 3.15.
_BETA_1, _BETA_2 = 0.9, 0.999  # Adam, AdamW
_WEIGHT_DECAY = 0.004  # AdamW

_NUM_SLOTS = {Optimizer.sgd: 0, Optimizer.rmsprop: 1, Optimizer.adam: 2, Optimizer.adamw: 2}


def zero_slots(optimizer: Optimizer, weights: Tensor) -> list[Tensor]:
    """Return what the optimizer remembers before the first step: zeros shaped like the weights."""
    return [tf.zeros_like(weights) for _ in range(_NUM_SLOTS[optimizer])]


def rate_of_epoch(training: TrainingConfig | Hyperparameters, epoch: Any) -> Any:
    """Return the learning rate of an epoch: the full one at first, then multiplied by `decay` after every epoch.

    Args:
        training: Learning rate, decay, and the epochs before it: of one training, or of each seed.
        epoch: From 0; an integer or a scalar tensor.

    Returns:
        A scalar tensor, or one of shape (seeds,).

    Source: char-rnn's train.lua, `learning_rate_decay` and `learning_rate_decay_after`.
    """
    decays = tf.maximum(0.0, tf.cast(epoch + 1, tf.float32) - training.decay_after)
    return training.learning_rate * tf.pow(training.decay, decays)


def clip_gradient(gradient: Tensor, norm: Tensor) -> Tensor:
    """Scale the gradient of each seed, (seeds, numbers), down to its norm, (seeds,)."""
    norms = tf.sqrt(tf.reduce_sum(gradient * gradient, 1))  # (seeds,)
    return gradient * (norm * tf.minimum(1 / norms, 1 / norm))[:, None]


def update_weights(
    optimizer: Optimizer,
    hyperparameters: Hyperparameters,
    rate: Tensor,
    step: Tensor,
    weights: Tensor,
    slots: list[Tensor],
    gradient: Tensor,
) -> tuple[Tensor, list[Tensor]]:
    """Take one step of the optimizer.

    Args:
        optimizer: Which.
        hyperparameters: Its rho or epsilon.
        rate: Its learning rate. Shape (seeds,).
        step: Number of this step, from 1.
        weights: Shape (seeds, numbers).
        slots: As `zero_slots` or the last step gave them.
        gradient: Clipped. Shape (seeds, numbers).

    Returns:
        The new weights and slots.
    """
    rate, rho, epsilon = rate[:, None], hyperparameters.rho[:, None], hyperparameters.epsilon[:, None]  # (seeds, 1)
    match optimizer:
        case Optimizer.sgd:
            return weights - rate * gradient, slots
        case Optimizer.rmsprop:
            square = rho * slots[0] + (1 - rho) * gradient * gradient
            return weights - rate * gradient / tf.sqrt(square + epsilon), [square]
        case Optimizer.adam:
            return _adam(epsilon, rate, step, weights, slots, gradient)
        case Optimizer.adamw:
            decayed = weights - weights * _WEIGHT_DECAY * rate
            return _adam(epsilon, rate, step, decayed, slots, gradient)


def _adam(
    epsilon: Tensor, rate: Tensor, step: Tensor, weights: Tensor, slots: list[Tensor], gradient: Tensor
) -> tuple[Tensor, list[Tensor]]:
    count = tf.cast(step, tf.float32)
    rate = rate * tf.sqrt(1 - tf.pow(_BETA_2, count)) / (1 - tf.pow(_BETA_1, count))
    mean = slots[0] + (gradient - slots[0]) * (1 - _BETA_1)
    square = slots[1] + (gradient * gradient - slots[1]) * (1 - _BETA_2)
    return weights - mean * rate / (tf.sqrt(square) + epsilon), [mean, square]
