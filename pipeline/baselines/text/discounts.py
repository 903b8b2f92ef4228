"""Interpolated modified Kneser-Ney smoothing: what is taken from each n-gram's count, and what it is given to.

    P(token | context) = (count - D(count)) / total + D · classes / total * P(token | shorter context)

D(count) is one of three numbers per order: for n-grams that are counted once, twice, and more often; classes are how
many n-grams of each kind begin with the context. Shorter than the empty context is to know nothing: there every token
of the vocabulary is as likely as any other. A context that was never counted hands on what the shorter one says.

Source: Chen and Goodman 1998, An Empirical Study of Smoothing Techniques for Language Modeling, TR-10-98, section 3.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.baselines.text.counts import MOST_CLASS, Tally
from pipeline.baselines.text.pieces import FloatArray, IntArray

_LEAST = 0.01  # no discount is 0: what every context gives on is why no token has probability 0
_MOST = np.array([1.0, 2.0, 3.0])  # nothing below 0 is left of a count
_WITHOUT_FORMULA = np.array([0.5, 1.0, 1.5])  # as KenLM has it where no n-gram is counted once, twice, ... four times


@dataclass(frozen=True)
class Evidence:
    """What the counts of one order say about some tokens; the probability is linear in the discounts.

    Attributes:
        kept: Count of the n-gram over the total of its context. Shape (tokens,).
        taken: What each discount takes from it. Shape (3, tokens).
        given: What each discount gives to the shorter context. Shape (3, tokens).
        passed: 1 where the context was never counted, otherwise 0. Shape (tokens,).
    """

    kept: FloatArray
    taken: FloatArray
    given: FloatArray
    passed: FloatArray

    def weigh(self, discounts: FloatArray) -> FloatArray:
        """Return the weight of the shorter context. Shape (tokens,)."""
        return discounts @ self.given + self.passed

    def blend(self, discounts: FloatArray, shorter: FloatArray) -> FloatArray:
        """Return the probability of each token from that after the shorter context. Shape (tokens,)."""
        return self.kept - discounts @ self.taken + self.weigh(discounts) * shorter


def gather_evidence(tally: Tally, contexts: IntArray, ids: IntArray) -> Evidence:
    """Look up counts. Ids of contexts and n-grams have shape (tokens,), -1 for what does not occur."""
    counts, totals = tally.counts[ids], tally.totals[contexts]
    shares = 1.0 / np.maximum(totals, 1)  # (tokens,)
    kinds = np.minimum(counts, MOST_CLASS) == np.arange(1, MOST_CLASS + 1)[:, None]  # (3, tokens)
    return Evidence(counts * shares, kinds * shares, tally.classes[:, contexts] * shares, (totals == 0).astype(float))


def estimate_discounts(tally: Tally) -> FloatArray:
    """Return the discounts by the formula, from how many n-grams are counted one to four times. Shape (3,)."""
    ones, twos, threes, fours = (float((tally.counts == each).sum()) for each in range(1, 5))
    if min(ones, twos, threes, fours) == 0:
        return _WITHOUT_FORMULA.copy()
    share = ones / (ones + 2 * twos)
    discounts = np.array([1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos, 3 - 4 * share * fours / threes])
    return np.clip(discounts, _LEAST, _MOST)


def tune_discounts(evidence: Sequence[Evidence], start: FloatArray, uniform: float) -> tuple[FloatArray, float]:
    """Choose the discounts that predict some tokens best.

    Args:
        evidence: Of each order, the lowest first.
        start: Discounts to start from. Shape (orders, 3).
        uniform: Probability of a token of which nothing is known.

    Returns:
        Discounts, shape (orders, 3), and the mean cost of a token with them, in nats.
    """
    from scipy.optimize import minimize  # imported late: --help must stay fast

    def measure(flat: FloatArray) -> tuple[float, FloatArray]:
        return _measure(evidence, flat.reshape(start.shape), uniform)

    bounds = [(_LEAST, most) for most in _MOST] * len(evidence)
    found = minimize(measure, start.ravel(), jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-6})
    return found.x.reshape(start.shape), float(found.fun)


def _measure(evidence: Sequence[Evidence], discounts: FloatArray, uniform: float) -> tuple[float, FloatArray]:
    """Return the mean cost of a token in nats, and its gradient by the discounts, flat."""
    chances: list[FloatArray] = [
        np.full(len(evidence[0].kept), uniform)
    ]  # of knowing nothing, of order 1, and so on; (tokens,) each
    for each, row in zip(evidence, discounts, strict=True):
        chances.append(each.blend(row, chances[-1]))
    slopes = np.empty_like(discounts)
    slope = -1.0 / (chances[-1] * len(chances[-1]))  # of the cost by the probability of the highest order
    for place in reversed(range(len(evidence))):
        each = evidence[place]
        slopes[place] = each.given @ (slope * chances[place]) - each.taken @ slope
        slope = slope * each.weigh(discounts[place])
    return -float(np.log(chances[-1]).mean()), slopes.ravel()
