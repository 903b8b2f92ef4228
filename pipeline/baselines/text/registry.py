"""Every baseline of a text, one line each. To add one: a file beside this one, and a line here."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from pipeline.baselines.text.compressors import compress_bz2, compress_xz, measure_bits
from pipeline.baselines.text.ngrams import NGrams
from pipeline.baselines.text.pieces import FloatArray, Piece


@dataclass(frozen=True)
class TextTask:
    """What is to be predicted, and what a baseline may know.

    Attributes:
        part: Pieces of the part that is predicted; a token may be predicted from all true tokens before it.
        ngrams: What `fit_ngrams` made of the training and the validation part: one fit serves every part.
        train_text: The training part as bytes, with what is no token of the vocabulary as it was written.
        part_text: The scored tokens likewise.
    """

    part: Sequence[Piece]
    ngrams: NGrams
    train_text: bytes
    part_text: bytes


@dataclass(frozen=True)
class TextBaseline:
    """A prediction of a text that needs no network.

    Attributes:
        name: In metric names: `baseline_NAME_nats_per_token`.
        label: For tables and figures.
        phrase: For sentences.
        costs: Returns the cost of every scored token of a part, piece after piece. Shape (scored tokens,), nats.
        per_token: Whether it knows the cost of one token. A compressor knows the sum; each of its costs is the mean.
    """

    name: str
    label: str
    phrase: str
    costs: Callable[[TextTask], FloatArray]
    per_token: bool


def cost_ngrams(task: TextTask, order: int | None = None) -> FloatArray:
    """Return what the n-gram model of an order, or the chosen one, costs. Shape (scored tokens,), nats."""
    return task.ngrams.costs(task.part, order)


def cost_unigram(task: TextTask) -> FloatArray:
    """Return what the model costs that knows no token before. Shape (scored tokens,), nats."""
    return cost_ngrams(task, order=1)


def cost_bigram(task: TextTask) -> FloatArray:
    """Return what the model costs that knows one token before. Shape (scored tokens,), nats."""
    return cost_ngrams(task, order=min(2, task.ngrams.counts.most))


def cost_compressed(task: TextTask, compress: Callable[[bytes], bytes]) -> FloatArray:
    """Return the mean cost of a token by a compressor, for every token. Shape (scored tokens,), nats."""
    tokens = sum(len(piece.scored) for piece in task.part)
    return np.full(tokens, measure_bits(compress, task.train_text, task.part_text) * math.log(2) / max(tokens, 1))


TEXT_BASELINES = {
    each.name: each
    for each in (
        TextBaseline("unigram", "unigram", "the frequency of each token (unigram)", cost_unigram, True),
        TextBaseline("bigram", "bigram", "what follows the last token (bigram)", cost_bigram, True),
        TextBaseline("kneser_ney", "Kneser-Ney n-gram", "the best n-gram model (Kneser-Ney)", cost_ngrams, True),
        TextBaseline("xz", "xz", "the compressor xz", partial(cost_compressed, compress=compress_xz), False),
        TextBaseline("bz2", "bz2", "the compressor bzip2", partial(cost_compressed, compress=compress_bz2), False),
    )
}
