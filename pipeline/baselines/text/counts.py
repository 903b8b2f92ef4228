"""Count the n-grams of a text, of every order up to a highest one.

An n-gram has an id: its place among the sorted keys of its order. Its key is the id of its first n - 1 tokens, times
the size of the vocabulary, plus its last token. So a key fits in 64 bits whatever the order, and one sort per order
counts.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.baselines.text.pieces import IntArray, Joined, Piece, join_pieces

MOST_CLASS = 3  # n-grams counted once, twice, and three times or more are told apart
_NO_KEY = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Tally:
    """The counts of all n-grams of one order. The last row stands for what does not occur, and holds zeros.

    Attributes:
        counts: Of each n-gram. Shape (n-grams + 1,), int32.
        totals: Sum of the counts of the n-grams that begin with each context. Shape (contexts + 1,), int32.
        classes: How many of these n-grams are counted once, twice, and more often. Shape (3, contexts + 1), int32.
    """

    counts: IntArray
    totals: IntArray
    classes: IntArray


@dataclass(frozen=True)
class Counts:
    """The n-grams of a text.

    Attributes:
        vocabulary_size: Number of ids.
        keys: Of each order from 1 on; sorted, with one behind the last that is never found. Shape (n-grams + 1,) each.
        occurrences: Of each order: how often each n-gram occurs.
        continuations: Of each order but the highest: how many different tokens stand before each n-gram; the start of
            a piece counts as one.
    """

    vocabulary_size: int
    keys: tuple[IntArray, ...]
    occurrences: tuple[Tally, ...]
    continuations: tuple[Tally, ...]

    @property
    def most(self) -> int:
        """The highest order."""
        return len(self.keys)

    def trace(self, joined: Joined, order: int) -> Iterator[tuple[IntArray, IntArray]]:
        """Find the n-grams that end at each scored token, from order 1 to `order`.

        Yields:
            Ids of the context and of the whole n-gram, -1 for what was not counted. Shape (scored tokens,) each.
        """
        contexts: IntArray = np.zeros(len(joined.tokens), np.int64)  # of order 1: the empty one
        for keys in self.keys[:order]:
            wanted = (
                contexts * self.vocabulary_size + joined.tokens
            )  # negative, so never found, after an unknown context
            places = np.searchsorted(keys, wanted)
            ids = np.where(keys[places] == wanted, places, -1)  # (tokens,)
            yield contexts[joined.scored], ids[joined.scored]
            contexts = joined.shift(ids)


def count_ngrams(pieces: Sequence[IntArray], vocabulary_size: int, most: int) -> Counts:
    """Count the n-grams of order 1 to `most`; none reaches from one piece into another.

    Takes 100 bytes for each token of ordinary text up to order 8, 450 of noise.

    Args:
        pieces: Ids, shape (tokens,) each.
        vocabulary_size: Ids lie below it.
        most: The highest order, at least 1.
    """
    joined = join_pieces([Piece(each) for each in pieces], vocabulary_size, context=0)
    contexts: IntArray = np.zeros(len(joined.tokens), np.int64)  # ids of the tokens before each, -1 over a border
    shorter = contexts  # ids of the n-grams of one order less that end at each token
    all_keys: list[IntArray] = []
    occurrences: list[Tally] = []
    continuations: list[Tally] = []
    num_contexts = 1
    for order in range(1, most + 1):
        inside = contexts >= 0
        keys, found, counts = np.unique(
            contexts[inside] * vocabulary_size + joined.tokens[inside], return_inverse=True, return_counts=True
        )
        ids = np.full(len(contexts), -1)
        ids[inside] = found
        if order > 1:
            lefts = _count_lefts(shorter, ids, num_contexts, len(keys))
            continuations.append(_tally(all_keys[-1] // vocabulary_size, lefts, len(occurrences[-1].totals) - 1))
        occurrences.append(_tally(keys // vocabulary_size, counts, num_contexts))
        all_keys.append(keys)
        shorter, contexts, num_contexts = ids, joined.shift(ids), len(keys)
    ended = tuple(np.append(keys, _NO_KEY) for keys in all_keys)
    return Counts(vocabulary_size, ended, tuple(occurrences), tuple(continuations))


def _count_lefts(shorter: IntArray, longer: IntArray, num_shorter: int, num_longer: int) -> IntArray:
    """Return how many different tokens, or the start of a piece, stand before each shorter n-gram.

    Args:
        shorter: Ids of the n-grams that end at each token, -1 for none. Shape (tokens,).
        longer: Ids of those with one token more before them. Shape (tokens,).
        num_shorter: Number of different shorter ones.
        num_longer: Number of different longer ones.
    """
    suffixes = np.zeros(num_longer, np.int64)
    suffixes[longer[longer >= 0]] = shorter[longer >= 0]  # (longer n-grams,)
    lefts = np.bincount(suffixes, minlength=num_shorter)
    lefts[np.unique(shorter[(longer < 0) & (shorter >= 0)])] += 1
    return lefts


def _tally(contexts: IntArray, counts: IntArray, num_contexts: int) -> Tally:
    """Sum the counts of n-grams over their contexts. Contexts and counts have shape (n-grams,)."""
    rows = num_contexts + 1
    totals = np.bincount(contexts, weights=counts, minlength=rows)
    kinds = np.minimum(counts, MOST_CLASS)
    classes = [np.bincount(contexts[kinds == each], minlength=rows) for each in range(1, MOST_CLASS + 1)]
    return Tally(np.append(counts, 0).astype(np.int32), totals.astype(np.int32), np.stack(classes).astype(np.int32))
