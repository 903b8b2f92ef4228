"""Pieces of a text: contiguous runs of tokens, put one after another and worked on as one array."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

IntArray = np.ndarray[tuple[int, ...], np.dtype[np.integer]]
FloatArray = np.ndarray[tuple[int, ...], np.dtype[np.floating]]


@dataclass(frozen=True)
class Piece:
    """A part of a text that is predicted, with what stands before it.

        tokens    T o  b e  o r  n o t
                  └ context ┘└ scored ┘
                             first

    Attributes:
        tokens: Ids. Shape (tokens,).
        first: Place of the first token that is predicted; those before it are known to whoever predicts.
    """

    tokens: IntArray
    first: int = 0

    @property
    def scored(self) -> IntArray:
        """The tokens that are predicted. Shape (scored tokens,)."""
        return self.tokens[self.first :]


@dataclass(frozen=True)
class Joined:
    """Several pieces as one array.

    Attributes:
        tokens: Shape (tokens,), int64.
        starts: Whether a piece starts here: nothing before it is its context. Shape (tokens,).
        scored: Whether the token is predicted. Shape (tokens,).
    """

    tokens: IntArray
    starts: np.ndarray
    scored: np.ndarray

    def shift(self, ids: IntArray) -> IntArray:
        """Return what stood one token before, -1 at the start of a piece. Shape (tokens,)."""
        before = np.empty_like(ids)
        before[1:] = ids[:-1]
        before[self.starts] = -1
        return before


def join_pieces(pieces: Sequence[Piece], vocabulary_size: int, context: int) -> Joined:
    """Put pieces one after another.

    Args:
        pieces: Any number of them.
        vocabulary_size: Ids lie below it.
        context: Tokens before `first` that are kept of each piece, at most.

    Raises:
        ValueError: If an id is negative or not below `vocabulary_size`.
    """
    begins = [max(piece.first - context, 0) for piece in pieces]
    lengths = np.array([len(piece.tokens) - begin for piece, begin in zip(pieces, begins, strict=True)], np.int64)
    offsets = np.cumsum(lengths) - lengths
    tokens = np.empty(lengths.sum(), np.int64)
    starts, scored = np.zeros(len(tokens), bool), np.zeros(len(tokens), bool)
    for piece, begin, offset, length in zip(pieces, begins, offsets, lengths, strict=True):
        tokens[offset : offset + length] = piece.tokens[begin:]
        scored[offset + piece.first - begin : offset + length] = True
        starts[offset : offset + min(length, 1)] = True
    if len(tokens) and not 0 <= tokens.min() <= tokens.max() < vocabulary_size:
        raise ValueError(
            f"ids must lie between 0 and {vocabulary_size - 1}, but {tokens.min()} to {tokens.max()} occur"
        )
    return Joined(tokens, starts, scored)
