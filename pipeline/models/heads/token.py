"""The head that gives every token of a vocabulary a probability. It is judged by the nats that the true ones cost.

Of one origin it says as many numbers as the vocabulary has tokens, too many to keep for every row of a text. What is
kept is the cost of the token that came, and whether it was the most probable one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.base.record import Measure
from pipeline.config.schema import Config
from pipeline.models.heads.head import Array, Invert, TrainingLoss

NATS = Measure(
    "nats_per_token",
    "nats per token",
    has_unit=False,
    cost="nats",
    meaning="what the true token costs: minus the natural logarithm of its probability, mean over the tokens",
    place="token",
    has_mae=False,
)


@dataclass(frozen=True)
class TokenHead:
    """A logit for each token, learnt by cross-entropy; what each method does: see `Head`.

    An answer, in the sense of `Head`, is the cost of the true token in nats: a single number, and an error at once.
    """

    shape: tuple[int, ...] = ()
    levels: tuple[float, ...] = ()
    numbers: int = 1
    rule: None = None

    def training_loss(self, config: Config) -> TrainingLoss:
        """Return the cross-entropy of ids, shape (..., 1), under logits, shape (..., vocabulary)."""
        import tensorflow as tf  # imported late: a head is asked where no network is trained

        def cross_entropy(targets: Any, outputs: Any) -> Any:
            ids = tf.broadcast_to(tf.cast(targets[..., 0], tf.int32), tf.shape(outputs)[:-1])
            return tf.nn.sparse_softmax_cross_entropy_with_logits(ids, outputs)

        return cross_entropy

    def kept(self, num_outputs: int) -> int:
        """Return 2: the cost of the true token in nats, and 1 where it was the most probable one, else 0."""
        return 2

    def keep(self, targets: Any, outputs: Any) -> Any:
        """Return cost and hit. Shape (..., 2)."""
        import tensorflow as tf

        ids = tf.broadcast_to(tf.cast(targets[..., 0], tf.int32), tf.shape(outputs)[:-1])
        costs = tf.nn.sparse_softmax_cross_entropy_with_logits(ids, outputs)
        hits = tf.cast(tf.equal(tf.argmax(outputs, -1, output_type=tf.int32), ids), tf.float32)
        return tf.stack([costs, hits], -1)

    def kept_loss(self, config: Config) -> TrainingLoss:
        """Return the cost that was kept."""
        return lambda targets, kept: kept[..., 0]

    def in_units(self, outputs: Array, invert: Invert) -> Array:
        """Return the costs: they are nats already. Shape (windows, 1, 1)."""
        return np.asarray(outputs, dtype=float)[:, 0, None, None]

    def points(self, answers: Array) -> Array:
        """Return the costs."""
        return answers

    def spread(self, values: Array) -> Array:
        """Return the values."""
        return values

    def errors(self, answers: Array, actual: Array) -> Array:
        """Return the costs."""
        return answers

    def penalty(self, errors: Array) -> Array:
        """Return the costs: they are what is minimized."""
        return errors

    def score(self, mean_penalty: Array) -> Array:
        """Return the mean."""
        return np.asarray(mean_penalty)

    def measure(self, num_targets: int) -> Measure:
        """Return nats per token."""
        return NATS


TOKEN = TokenHead()


def token_costs(logits: Array, ids: Array) -> Array:
    """Return what the true tokens cost, in nats.

    Args:
        logits: Shape (..., vocabulary).
        ids: Of the true tokens. Shape (...), integers.

    Example:
        >>> token_costs(np.log(np.array([[0.25, 0.75]])), np.array([1])).round(4)
        array([0.2877])
    """
    logits = np.asarray(logits, dtype=float)
    top = logits.max(-1)
    total = top + np.log(np.exp(logits - top[..., None]).sum(-1))
    return np.asarray(total - np.take_along_axis(logits, ids[..., None], -1)[..., 0])
