"""The optimizers as pure functions, equal to Keras' with its defaults, for many seeds at once.

Every weight has a leading seeds axis, and everything is element by element but the norm, which is taken per seed: a
seed is updated as if it were alone.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from pipeline.config import Optimizer, TrainingConfig

Tensor = Any
Tensors = list[Tensor]

# Defaults of keras.optimizers, 3.15.
_EPSILON = 1e-7
_RHO = 0.9  # RMSprop
_BETA_1, _BETA_2 = 0.9, 0.999  # Adam, AdamW
_WEIGHT_DECAY = 0.004  # AdamW

_NUM_SLOTS = {Optimizer.sgd: 0, Optimizer.rmsprop: 1, Optimizer.adam: 2, Optimizer.adamw: 2}


def zero_slots(optimizer: Optimizer, weights: Sequence[Tensor]) -> list[Tensors]:
    """Return what the optimizer remembers before the first step: lists of zeros shaped like the weights."""
    return [[tf.zeros_like(weight) for weight in weights] for _ in range(_NUM_SLOTS[optimizer])]


def clip_gradients(gradients: Tensors, norm: float | None) -> Tensors:
    """Scale the gradients of each seed down to a norm over all its weights; None: leave them.

    Args:
        gradients: One per weight. Each (seeds, ...).
        norm: Largest norm, or None.
    """
    if norm is None:
        return gradients
    squares = [tf.reduce_sum(each * each, range(1, each.shape.rank)) for each in gradients]
    norms = tf.sqrt(tf.add_n(squares))  # (seeds,)
    scale = norm * tf.minimum(1 / norms, 1 / norm)
    return [each * tf.reshape(scale, (-1, *[1] * (each.shape.rank - 1))) for each in gradients]


def update_weights(
    training: TrainingConfig, step: Tensor, weights: Tensors, slots: list[Tensors], gradients: Tensors
) -> tuple[Tensors, list[Tensors]]:
    """Take one step of the optimizer.

    Args:
        training: Optimizer and learning rate.
        step: Number of this step, from 1.
        weights: Each (seeds, ...).
        slots: As `zero_slots` or the last step gave them.
        gradients: One per weight, clipped.

    Returns:
        The new weights and slots.
    """
    rate = training.learning_rate
    match training.optimizer:
        case Optimizer.sgd:
            return [w - rate * g for w, g in zip(weights, gradients, strict=True)], slots
        case Optimizer.rmsprop:
            squares = [_RHO * s + (1 - _RHO) * g * g for s, g in zip(slots[0], gradients, strict=True)]
            moves = [rate * g / tf.sqrt(s + _EPSILON) for s, g in zip(squares, gradients, strict=True)]
            return [w - move for w, move in zip(weights, moves, strict=True)], [squares]
        case Optimizer.adam:
            return _adam(rate, step, weights, slots, gradients)
        case Optimizer.adamw:
            return _adam(rate, step, [w - w * _WEIGHT_DECAY * rate for w in weights], slots, gradients)


def _adam(
    rate: float, step: Tensor, weights: Tensors, slots: list[Tensors], gradients: Tensors
) -> tuple[Tensors, list[Tensors]]:
    count = tf.cast(step, tf.float32)
    rate = rate * tf.sqrt(1 - tf.pow(_BETA_2, count)) / (1 - tf.pow(_BETA_1, count))
    means = [m + (g - m) * (1 - _BETA_1) for m, g in zip(slots[0], gradients, strict=True)]
    squares = [s + (g * g - s) * (1 - _BETA_2) for s, g in zip(slots[1], gradients, strict=True)]
    moves = [m * rate / (tf.sqrt(s) + _EPSILON) for m, s in zip(means, squares, strict=True)]
    return [w - move for w, move in zip(weights, moves, strict=True)], [means, squares]
