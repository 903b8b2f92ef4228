"""What makes an answer of the numbers that the last dense layer says about a target: one rule for Keras, XLA and NumPy.

The first number is the point, and stays as it is. Of the others only the softplus counts, which is never negative. For
quantiles they are the distances to the next one, from the middle outwards, so that no quantile crosses another:

    numbers       m  a  b  c  d          softplus: a' = log(1 + exp(a)), ...
    quantiles     m-a'-b'  m-a'  m  m+c'  m+c'+d'

For a distribution they are its scale, at least `SMALLEST`, and perhaps a shape:

    numbers       m  a  b
    distribution  m  a'  b'

Of a distribution of counts the first number is a mean, and above zero as well.
"""

from dataclasses import dataclass
from typing import Any

SMALLEST = 1e-4  # scale of a distribution, in scaled units: a series without noise has no infinite likelihood


@dataclass(frozen=True)
class AnswerRule:
    """How the numbers of a target become what the head says about it.

    Attributes:
        numbers: Of each target.
        below: Of quantiles, those that are distances below the first one; what is left are distances above it. None:
            they are the scale and the shape of a distribution.
        counts: Whether the first number is a mean of counts.
    """

    numbers: int
    below: int | None = None
    counts: bool = False

    @property
    def moves(self) -> tuple[tuple[bool, bool], ...]:
        """Whether each number of an answer moves with its target, and whether it grows with its unit."""
        if self.below is not None:
            return ((True, True),) * self.numbers
        if self.counts:  # a mean above zero: it grows, and the dispersion, a share of it, stays
            return ((False, True), (False, False))
        return ((True, True), (False, True), *((False, False),) * (self.numbers - 2))

    def apply(self, outputs: Any, space: Any) -> Any:
        """Return the answers.

        Args:
            outputs: Of the last dense layer, the numbers of a target beside each other. Shape (..., outputs).
            space: `numpy` or `keras.ops`.

        Returns:
            Quantiles ascending for each target, or the location, the scale and the shape. Shape (..., outputs).
        """
        shape = space.shape(outputs)
        said = space.reshape(outputs, (*shape[:-1], shape[-1] // self.numbers, self.numbers))
        first, others = said[..., :1], space.logaddexp(said[..., 1:], 0.0)
        if self.counts:
            first = space.logaddexp(first, 0.0) + SMALLEST
        if self.below is None:
            answers = [first, others + SMALLEST]
        else:
            low = first - space.cumsum(others[..., : self.below], axis=-1)
            high = first + space.cumsum(others[..., self.below :], axis=-1)
            answers = [space.flip(low, axis=-1), first, high]
        return space.reshape(space.concatenate(answers, axis=-1), shape)
