"""What a head of quantiles is made of: the quantiles themselves, or a distribution that has them.

Each family says how many numbers the network gives for a target, what is minimized, and where the quantiles lie. All is
in scaled units. The first number is the median, also of the distributions, which are symmetric.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from pipeline.models.answer_rule import AnswerRule

Array = np.ndarray
MEDIAN = 0.5
_LEAST_FREEDOM = 2.0  # degrees of freedom: with more the variance is finite
_LEAST_DISPERSION = 0.01  # of counts: with less, 32-bit floats would round the likelihood away


class Family(Protocol):
    """What the network says about a target.

    Attributes:
        rule: What makes of the last dense layer's numbers what is said.
    """

    @property
    def rule(self) -> AnswerRule:
        """What makes of the last dense layer's numbers what is said."""

    def loss(self, targets: Any, said: Any) -> Any:
        """Return what each target costs; a function of tensors.

        Args:
            targets: Shape (..., 1).
            said: Shape (..., numbers).

        Returns:
            Shape (...).
        """

    def quantiles(self, said: Array, levels: Array) -> Array:
        """Return the quantiles.

        Args:
            said: Shape (..., numbers).
            levels: Shape (levels,), or (..., levels): of each its own.

        Returns:
            Shape (..., levels).
        """


@dataclass(frozen=True)
class Free:
    """Quantiles of no particular distribution, learnt by twice the mean pinball loss."""

    levels: tuple[float, ...]

    @property
    def rule(self) -> AnswerRule:
        """The median first, then distances."""
        return AnswerRule(len(self.levels), self.levels.index(MEDIAN))

    def loss(self, targets: Any, said: Any) -> Any:
        """Return twice the mean pinball loss over the levels."""
        from keras import ops  # imported late: a head is asked where no network is trained

        levels, above = np.array(self.levels, np.float32), said - targets
        return 2 * ops.mean(ops.maximum((1 - levels) * above, -levels * above), axis=-1)

    def quantiles(self, said: Array, levels: Array) -> Array:
        """Return what was said; between two quantiles a straight line, beyond the last one an exponential tail.

        The tail goes on from the last two quantiles: Q(u) = q1 + (q2 - q1) log(u / u1) / log(u2 / u1) for u < u1.

        Source: Park et al., "Learning quantile functions without quantile crossing for distribution-free time series
        forecasting", 2022.
        """
        known, asked = np.array(self.levels), np.asarray(levels)
        if np.array_equal(asked, known):
            return said
        first, second, before, last = said[..., :1], said[..., 1:2], said[..., -2:-1], said[..., -1:]
        place = np.clip(np.searchsorted(known, asked) - 1, 0, len(known) - 2)  # of the quantile before
        place = np.broadcast_to(place, (*said.shape[:-1], place.shape[-1]))
        low, high = (np.take_along_axis(said, place + side, axis=-1) for side in (0, 1))
        inside = low + (high - low) * (asked - known[place]) / (known[place + 1] - known[place])
        below = first + (second - first) * np.log(asked / known[0]) / np.log(known[1] / known[0])
        above = last - (last - before) * np.log((1 - asked) / (1 - known[-1])) / np.log(
            (1 - known[-2]) / (1 - known[-1])
        )
        return np.where(asked < known[0], below, np.where(asked > known[-1], above, inside))


@dataclass(frozen=True)
class Gaussian:
    """A normal distribution: its mean and its standard deviation, learnt by the negative log likelihood."""

    @property
    def rule(self) -> AnswerRule:
        """Mean and standard deviation."""
        return AnswerRule(2)

    def loss(self, targets: Any, said: Any) -> Any:
        """Return the negative log likelihood, in nats."""
        import tensorflow as tf

        scale = said[..., 1]
        away = (targets[..., 0] - said[..., 0]) / scale
        return 0.5 * away**2 + tf.math.log(scale) + 0.5 * np.log(2 * np.pi)

    def quantiles(self, said: Array, levels: Array) -> Array:
        """Return mean + standard deviation x normal quantile."""
        from scipy.special import ndtri

        return np.asarray(said[..., :1] + said[..., 1:] * ndtri(levels))


@dataclass(frozen=True)
class StudentT:
    """Student's t: location, scale, and degrees of freedom above 2; its tails are as heavy as the data ask for."""

    @property
    def rule(self) -> AnswerRule:
        """Location, scale, and degrees of freedom."""
        return AnswerRule(3)

    def loss(self, targets: Any, said: Any) -> Any:
        """Return the negative log likelihood, in nats."""
        import tensorflow as tf

        scale, freedom = said[..., 1], said[..., 2] + _LEAST_FREEDOM
        away = (targets[..., 0] - said[..., 0]) / scale
        half, lgamma = 0.5 * (freedom + 1), tf.math.lgamma
        shape = lgamma(0.5 * freedom) - lgamma(half) + 0.5 * tf.math.log(np.pi * freedom)
        return shape + tf.math.log(scale) + half * tf.math.log1p(away**2 / freedom)

    def quantiles(self, said: Array, levels: Array) -> Array:
        """Return location + scale x quantile of t."""
        from scipy.special import stdtrit

        freedom = said[..., 2:].astype(float) + _LEAST_FREEDOM
        return np.asarray(said[..., :1] + said[..., 1:2] * stdtrit(freedom, levels))


@dataclass(frozen=True)
class NegativeBinomial:
    """Counts: their mean and their dispersion d, variance = mean + d x mean x mean, as DeepAR has them.

    Source: Salinas et al., "DeepAR: Probabilistic forecasting with autoregressive recurrent networks", 2020. The counts
    are not scaled: the likelihood is one of whole numbers.
    """

    @property
    def rule(self) -> AnswerRule:
        """Mean and dispersion."""
        return AnswerRule(2, counts=True)

    def loss(self, targets: Any, said: Any) -> Any:
        """Return the negative log likelihood, in nats."""
        import tensorflow as tf

        count, mean, size = targets[..., 0], said[..., 0], 1 / (said[..., 1] + _LEAST_DISPERSION)
        lgamma, log = tf.math.lgamma, tf.math.log
        ways = lgamma(count + size) - lgamma(size) - lgamma(count + 1)
        return -(ways + size * log(size / (size + mean)) + count * log(mean / (size + mean)))

    def quantiles(self, said: Array, levels: Array) -> Array:
        """Return the smallest counts that are not exceeded with the probability of each level."""
        from scipy.stats import nbinom  # imported late: one second

        mean, size = said[..., :1].astype(float), 1 / (said[..., 1:].astype(float) + _LEAST_DISPERSION)
        return np.asarray(nbinom.ppf(levels, size, size / (size + mean)))
