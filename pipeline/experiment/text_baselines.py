"""What the test part of a text costs models that need no network, each fitted on the training part."""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.baselines.text.ngrams import fit_ngrams
from pipeline.baselines.text.pieces import Piece
from pipeline.baselines.text.registry import TEXT_BASELINES, TextTask
from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.prepared import PreparedData
from pipeline.data.text import Stretch, split_text
from pipeline.data.tokens import Tokens, spell_tokens

_CONTEXT = 64  # tokens before a piece that a model may look at; the highest order looks at 7


class TextBaselines(NamedTuple):
    """What was found.

    Attributes:
        costs: Nats of each token of the test part, by name. Each (test tokens,).
        order: Tokens that the n-gram model which the validation part chose looks at, the predicted one included.
    """

    costs: Mapping[str, FloatArray]
    order: int


_FOUND: dict[tuple[str, ...], TextBaselines] = {}  # of the text that was looked at last


def cost_baselines(config: Config, data: PreparedData) -> TextBaselines:
    """Fit every baseline and let it read the test part; the jobs of a sweep on one text share what is found."""
    assert data.vocabulary is not None and data.tokens is not None
    pieces = split_text(config, len(data.series))
    train_text, test_text = (_spell(data.tokens, pieces[part]) for part in ("train", "test"))
    content = hashlib.sha256(train_text + test_text).hexdigest()  # ids do not tell which tokens are unknown
    name = (data.series.digest(), data.vocabulary.digest(), repr(pieces), content)
    if name not in _FOUND:
        ids = data.series.values[:, 0].astype(np.int64)
        train = [ids[each.first : each.end] for each in pieces["train"]]
        ngrams = fit_ngrams(train, _cut(ids, pieces["validation"]), len(data.vocabulary))
        task = TextTask(_cut(ids, pieces["test"]), ngrams, train_text, test_text)
        costs = {name: each.costs(task) for name, each in TEXT_BASELINES.items()}
        _FOUND.clear()
        _FOUND[name] = TextBaselines(costs, ngrams.order)
    return _FOUND[name]


def _spell(tokens: Tokens, pieces: Sequence[Stretch]) -> bytes:
    return b"".join(spell_tokens(tokens[each.first : each.end]) for each in pieces)


def _cut(ids: IntArray, pieces: Sequence[Stretch]) -> list[Piece]:
    begins = [max(0, each.first - _CONTEXT) for each in pieces]
    return [Piece(ids[begin : each.end], each.first - begin) for begin, each in zip(begins, pieces, strict=True)]
