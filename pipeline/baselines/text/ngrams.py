"""N-gram models of a text: counted on the training part, chosen on the validation part."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.baselines.text.counts import Counts, count_ngrams
from pipeline.baselines.text.discounts import Evidence, estimate_discounts, gather_evidence, tune_discounts
from pipeline.baselines.text.pieces import FloatArray, IntArray, Piece, join_pieces


@dataclass(frozen=True)
class NGrams:
    """Interpolated modified Kneser-Ney models of every order up to a highest one.

    Attributes:
        counts: Of the training part.
        discounts: Of the model of each order from 1 on: those of its own order last. Shape (order, 3) each.
        validation_costs: Of the model of each order: nats per token of the validation part.
    """

    counts: Counts
    discounts: tuple[FloatArray, ...]
    validation_costs: tuple[float, ...]

    @property
    def order(self) -> int:
        """The order that predicts the validation part best; the lowest of equal ones."""
        return int(np.argmin(self.validation_costs)) + 1

    def costs(self, pieces: Sequence[Piece], order: int | None = None) -> FloatArray:
        """Return minus the logarithm of each token's probability after the true tokens before it.

        Args:
            pieces: What is predicted. The tokens of a piece before its `first` are context.
            order: That of the model: 1 looks at no token before, 2 at one. None for the one that was chosen.

        Returns:
            Of all scored tokens, piece after piece. Shape (scored tokens,), nats.
        """
        order = self.order if order is None else order
        joined = join_pieces(pieces, self.counts.vocabulary_size, order - 1)
        tallies = (*self.counts.continuations[: order - 1], self.counts.occurrences[order - 1])
        chances: FloatArray = np.full(int(joined.scored.sum()), 1.0 / self.counts.vocabulary_size)
        found = self.counts.trace(joined, order)
        for tally, row, (contexts, ids) in zip(tallies, self.discounts[order - 1], found, strict=True):
            chances = gather_evidence(tally, contexts, ids).blend(row, chances)  # (scored tokens,)
        return -np.log(chances)


def fit_ngrams(train: Sequence[IntArray], validation: Sequence[Piece], vocabulary_size: int, most: int = 8) -> NGrams:
    """Count n-grams, and choose order and discounts.

    The discounts of a model are searched together, from those of the formula on, where they predict the validation part
    best: the probability of a token is linear in each of them, so the search has exact gradients.

    Args:
        train: Ids of each piece of the training part, shape (tokens,) each.
        validation: At least one scored token. Only for choosing: its tokens are not counted.
        vocabulary_size: Ids lie below it.
        most: The highest order, at least 1.

    Raises:
        ValueError: If the validation part has no scored token, or an id is out of range.

    Example:
        >>> text = np.tile([0, 1, 2, 3], 50)
        >>> model = fit_ngrams([text], [Piece(text[:40])], vocabulary_size=4, most=3)
        >>> [round(cost, 2) for cost in model.validation_costs]
        [1.39, 0.02, 0.02]
    """
    counts = count_ngrams(train, vocabulary_size, most)
    joined = join_pieces(validation, vocabulary_size, most - 1)
    if not joined.scored.any():
        raise ValueError("the validation part has no token to choose order and discounts by")
    lower: list[Evidence] = []  # of the orders below, by their continuations
    chosen, costs, start = [], [], np.zeros((0, 3))
    for place, (contexts, ids) in enumerate(counts.trace(joined, most)):
        own = counts.occurrences[place]
        evidence = [*lower, gather_evidence(own, contexts, ids)]
        discounts, cost = tune_discounts(evidence, np.vstack([start, estimate_discounts(own)]), 1.0 / vocabulary_size)
        chosen.append(discounts)
        costs.append(cost)
        if place < most - 1:
            below = counts.continuations[place]
            lower.append(gather_evidence(below, contexts, ids))
            start = np.vstack([discounts[:-1], estimate_discounts(below)])
    return NGrams(counts, tuple(chosen), tuple(costs))
