"""What makes an answer of the numbers that the last dense layer says about a target: one rule for Keras, XLA and NumPy.

The first number is the point, and stays as it is. Of the others only the softplus counts, which is never negative. For
quantiles they are the distances to the next one, from the middle outwards, so that no quantile crosses another:

    numbers     m  a  b  c  d          softplus: a' = log(1 + exp(a)), ...
    quantiles   m-a'-b'  m-a'  m  m+c'  m+c'+d'
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AnswerRule:
    """How the numbers of a target become what the head says about it.

    Attributes:
        numbers: Of each target.
        below: Those that are distances below the first one; what is left are distances above it.
    """

    numbers: int
    below: int

    def apply(self, outputs: Any, space: Any) -> Any:
        """Return the answers.

        Args:
            outputs: Of the last dense layer, the numbers of a target beside each other. Shape (..., outputs).
            space: `numpy` or `keras.ops`.

        Returns:
            Ascending for each target. Shape (..., outputs).
        """
        shape = space.shape(outputs)
        said = space.reshape(outputs, (*shape[:-1], shape[-1] // self.numbers, self.numbers))
        middle, apart = said[..., :1], space.logaddexp(said[..., 1:], 0.0)
        low = middle - space.cumsum(apart[..., : self.below], axis=-1)
        high = middle + space.cumsum(apart[..., self.below :], axis=-1)
        return space.reshape(space.concatenate([space.flip(low, axis=-1), middle, high], axis=-1), shape)
