"""The optimizers as pure functions, equal to Keras' with its defaults, for many seeds at once.

All weights of a seed are one row, (seeds, numbers). Everything is element by element but the norm, which is taken per
seed: a seed is updated as if it were alone.
"""

from typing import Any

import tensorflow as tf

from pipeline.config.schema import Optimizer, TrainingConfig

Tensor = Any

# Defaults of keras.optimizers, 3.15.
_EPSILON = 1e-7
_RHO = 0.9  # RMSprop
_BETA_1, _BETA_2 = 0.9, 0.999  # Adam, AdamW
_WEIGHT_DECAY = 0.004  # AdamW

_NUM_SLOTS = {Optimizer.sgd: 0, Optimizer.rmsprop: 1, Optimizer.adam: 2, Optimizer.adamw: 2}


def zero_slots(optimizer: Optimizer, weights: Tensor) -> list[Tensor]:
    """Return what the optimizer remembers before the first step: zeros shaped like the weights."""
    return [tf.zeros_like(weights) for _ in range(_NUM_SLOTS[optimizer])]


def clip_gradient(gradient: Tensor, norm: float | None) -> Tensor:
    """Scale the gradient of each seed, (seeds, numbers), down to a norm; None: leave it."""
    if norm is None:
        return gradient
    norms = tf.sqrt(tf.reduce_sum(gradient * gradient, 1, keepdims=True))  # (seeds, 1)
    return gradient * (norm * tf.minimum(1 / norms, 1 / norm))


def update_weights(
    training: TrainingConfig, step: Tensor, weights: Tensor, slots: list[Tensor], gradient: Tensor
) -> tuple[Tensor, list[Tensor]]:
    """Take one step of the optimizer.

    Args:
        training: Optimizer and learning rate.
        step: Number of this step, from 1.
        weights: Shape (seeds, numbers).
        slots: As `zero_slots` or the last step gave them.
        gradient: Clipped. Shape (seeds, numbers).

    Returns:
        The new weights and slots.
    """
    rate = training.learning_rate
    match training.optimizer:
        case Optimizer.sgd:
            return weights - rate * gradient, slots
        case Optimizer.rmsprop:
            square = _RHO * slots[0] + (1 - _RHO) * gradient * gradient
            return weights - rate * gradient / tf.sqrt(square + _EPSILON), [square]
        case Optimizer.adam:
            return _adam(rate, step, weights, slots, gradient)
        case Optimizer.adamw:
            return _adam(rate, step, weights - weights * _WEIGHT_DECAY * rate, slots, gradient)


def _adam(
    rate: float, step: Tensor, weights: Tensor, slots: list[Tensor], gradient: Tensor
) -> tuple[Tensor, list[Tensor]]:
    count = tf.cast(step, tf.float32)
    rate = rate * tf.sqrt(1 - tf.pow(_BETA_2, count)) / (1 - tf.pow(_BETA_1, count))
    mean = slots[0] + (gradient - slots[0]) * (1 - _BETA_1)
    square = slots[1] + (gradient * gradient - slots[1]) * (1 - _BETA_2)
    return weights - mean * rate / (tf.sqrt(square) + _EPSILON), [mean, square]
