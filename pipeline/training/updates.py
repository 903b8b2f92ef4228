"""The optimizers as pure functions, equal to Keras' with its defaults, for many seeds at once.

All weights of a seed are one row, (seeds, numbers). Everything is element by element but the norm, which is taken per
seed: a seed is updated as if it were alone.
"""

from typing import Any

import tensorflow as tf

from pipeline.config.schema import Optimizer, TrainingConfig

Tensor = Any

# Defaults of keras.optimizers, 3.15.
_BETA_1, _BETA_2 = 0.9, 0.999  # Adam, AdamW
_WEIGHT_DECAY = 0.004  # AdamW

_NUM_SLOTS = {Optimizer.sgd: 0, Optimizer.rmsprop: 1, Optimizer.adam: 2, Optimizer.adamw: 2}


def zero_slots(optimizer: Optimizer, weights: Tensor) -> list[Tensor]:
    """Return what the optimizer remembers before the first step: zeros shaped like the weights."""
    return [tf.zeros_like(weights) for _ in range(_NUM_SLOTS[optimizer])]


def rate_of_epoch(training: TrainingConfig, epoch: Any) -> Any:
    """Return the learning rate of an epoch: the full one at first, then multiplied by `decay` after every epoch.

    Args:
        training: Learning rate, decay, and the epochs before it.
        epoch: From 0; an integer or a scalar tensor.

    Returns:
        A number where nothing decays, otherwise a scalar tensor.

    Source: char-rnn's train.lua, `learning_rate_decay` and `learning_rate_decay_after`.
    """
    if training.decay == 1:
        return training.learning_rate
    decays = tf.cast(tf.maximum(0, epoch + 1 - training.decay_after), tf.float32)
    return training.learning_rate * tf.pow(training.decay, decays)


def clip_gradient(gradient: Tensor, norm: float | None) -> Tensor:
    """Scale the gradient of each seed, (seeds, numbers), down to a norm; None: leave it."""
    if norm is None:
        return gradient
    norms = tf.sqrt(tf.reduce_sum(gradient * gradient, 1, keepdims=True))  # (seeds, 1)
    return gradient * (norm * tf.minimum(1 / norms, 1 / norm))


def update_weights(
    training: TrainingConfig, rate: Any, step: Tensor, weights: Tensor, slots: list[Tensor], gradient: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Take one step of the optimizer.

    Args:
        training: The optimizer.
        rate: Its learning rate: a number or a scalar tensor.
        step: Number of this step, from 1.
        weights: Shape (seeds, numbers).
        slots: As `zero_slots` or the last step gave them.
        gradient: Clipped. Shape (seeds, numbers).

    Returns:
        The new weights and slots.
    """
    match training.optimizer:
        case Optimizer.sgd:
            return weights - rate * gradient, slots
        case Optimizer.rmsprop:
            square = training.rho * slots[0] + (1 - training.rho) * gradient * gradient
            return weights - rate * gradient / tf.sqrt(square + training.epsilon), [square]
        case Optimizer.adam:
            return _adam(training.epsilon, rate, step, weights, slots, gradient)
        case Optimizer.adamw:
            decayed = weights - weights * _WEIGHT_DECAY * rate
            return _adam(training.epsilon, rate, step, decayed, slots, gradient)


def _adam(
    epsilon: float, rate: Any, step: Tensor, weights: Tensor, slots: list[Tensor], gradient: Tensor
) -> tuple[Tensor, list[Tensor]]:
    count = tf.cast(step, tf.float32)
    rate = rate * tf.sqrt(1 - tf.pow(_BETA_2, count)) / (1 - tf.pow(_BETA_1, count))
    mean = slots[0] + (gradient - slots[0]) * (1 - _BETA_1)
    square = slots[1] + (gradient * gradient - slots[1]) * (1 - _BETA_2)
    return weights - mean * rate / (tf.sqrt(square) + epsilon), [mean, square]
