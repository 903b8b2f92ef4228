"""Choose the next token by its probability."""

from dataclasses import dataclass

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray

_AT_ONCE = 256  # random numbers of a text


@dataclass(frozen=True)
class Sampling:
    """How the next token is chosen.

    Attributes:
        temperature: Logits are divided by it: below 1 the probable becomes more probable; 0: always the most probable.
        top_k: Only so many of the most probable tokens, and those that are as probable as the last of them; None: all.
        top_p: Only the most probable tokens that have this share together; None: all.
        never: An id that is never chosen, for example that of unknown tokens; None: there is none.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    never: int | None = None

    def check(self) -> None:
        """Check the ranges.

        Raises:
            UserError: Naming the key.
        """
        if not 0 <= self.temperature < float("inf"):
            raise UserError(f"temperature must be at least 0, but got temperature={self.temperature:g}")
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"top_k must be at least 1, but got top_k={self.top_k}")
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise UserError(f"top_p must be above 0 and at most 1, but got top_p={self.top_p:g}")

    def probabilities(self, logits: FloatArray) -> FloatArray:
        """Return the probability of each token, float64, summing to 1. Shapes (rows, vocabulary).

        Example:
            >>> logits = np.log(np.array([[0.1, 0.6, 0.3]]))
            >>> Sampling(top_k=2).probabilities(logits).round(3)
            array([[0.   , 0.667, 0.333]])
            >>> Sampling(temperature=0).probabilities(logits)
            array([[0., 1., 0.]])
        """
        scores = np.array(logits, dtype=np.float64)  # a copy
        if self.never is not None:
            scores[:, self.never] = -np.inf
        scores -= scores.max(1, keepdims=True)
        if self.temperature == 0:
            return np.eye(scores.shape[1])[scores.argmax(1)]
        shares = np.exp(scores / self.temperature)
        if self.top_k is not None and self.top_k < scores.shape[1]:
            shares[scores < np.partition(scores, -self.top_k, 1)[:, -self.top_k, None]] = 0
        if self.top_p is not None:
            shares = _keep_share(shares, self.top_p)
        return np.asarray(shares / shares.sum(1, keepdims=True))

    def choose(self, logits: FloatArray, numbers: FloatArray) -> IntArray:
        """Return one id per row, by random numbers from 0 to below 1. Shapes (rows, vocabulary), (rows,) -> (rows,)."""
        reached = self.probabilities(logits).cumsum(1)
        ids = (reached <= numbers[:, None] * reached[:, -1:]).sum(1)
        return np.minimum(ids, reached.shape[1] - 1)


def _keep_share(shares: FloatArray, top_p: float) -> FloatArray:
    """Clear all but the fewest tokens that have the share `top_p` of the whole; the first of equal ones stay."""
    order = np.argsort(-shares, axis=1, kind="stable")
    ordered = np.take_along_axis(shares, order, 1)
    before = ordered.cumsum(1) - ordered  # of the whole, before each token
    ordered[before >= top_p * ordered.sum(1, keepdims=True)] = 0
    kept = np.empty_like(shares)
    np.put_along_axis(kept, order, ordered, 1)
    return kept


class Dice:
    """Random numbers of several texts: each has its own, whatever other texts are written beside it.

    Attributes:
        seeds: Of each text. Shape (rows,), int64.
        rolled: Rolls that were made.
    """

    def __init__(self, seeds: IntArray, rolled: int = 0):
        """Take up after some rolls; the arguments are the attributes."""
        self.seeds = seeds
        self.rolled = rolled
        self._sources = [
            np.random.Generator(np.random.PCG64([int(seed), number]).advance(rolled))
            for number, seed in enumerate(seeds)
        ]
        self._block: list[FloatArray] = []

    def roll(self) -> FloatArray:
        """Return the next number of each text, from 0 to below 1. Shape (rows,), float64."""
        if not self._block:
            drawn = np.stack([source.random(_AT_ONCE) for source in self._sources], 1)  # (rolls, rows)
            self._block = list(drawn[::-1])
        self.rolled += 1
        return self._block.pop()
