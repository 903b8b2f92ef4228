"""What the test part of a text costs models that need no network, each fitted on the training part."""

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.baselines.text.ngrams import fit_ngrams
from pipeline.baselines.text.pieces import Piece
from pipeline.baselines.text.registry import TEXT_BASELINES, TextTask
from pipeline.config.schema import Config, Token
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.prepared import PreparedData
from pipeline.data.text import Stretch, split_text
from pipeline.data.vocabulary import Vocabulary

_CONTEXT = 64  # tokens before a piece that a model may look at; the highest order looks at 7


class TextBaselines(NamedTuple):
    """What was found.

    Attributes:
        costs: Nats of each token of the test part, by name. Each (test tokens,).
        order: Tokens that the n-gram model which the validation part chose looks at, the predicted one included.
    """

    costs: Mapping[str, FloatArray]
    order: int


class _Text(NamedTuple):
    """A text and its parts; two are alike if what names them is."""

    name: tuple[object, ...]
    ids: IntArray
    vocabulary: Vocabulary
    pieces: Mapping[str, list[Stretch]]

    def __hash__(self) -> int:
        return hash(self.name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Text) and self.name == other.name


def cost_baselines(config: Config, data: PreparedData) -> TextBaselines:
    """Fit every baseline and let it read the test part; the jobs of a sweep on one text share what is found."""
    assert data.vocabulary is not None
    pieces = split_text(config, len(data.series))
    name = (data.series.digest(), data.vocabulary.digest(), repr(pieces))
    return _cost(_Text(name, data.series.values[:, 0].astype(np.int64), data.vocabulary, pieces))


@lru_cache(maxsize=2)
def _cost(text: _Text) -> TextBaselines:
    def cut(part: str) -> list[Piece]:
        begins = [max(0, each.first - _CONTEXT) for each in text.pieces[part]]
        return [
            Piece(text.ids[begin : each.end], each.first - begin)
            for begin, each in zip(begins, text.pieces[part], strict=True)
        ]

    train = [text.ids[each.first : each.end] for each in text.pieces["train"]]
    ngrams = fit_ngrams(train, cut("validation"), len(text.vocabulary))

    def spell(ids: IntArray) -> bytes:
        whole = text.vocabulary.kind is not Token.byte  # a piece may begin inside a character
        return text.vocabulary.decode(ids).encode() if whole else bytes(ids.astype(np.uint8))

    task = TextTask(train, cut("test"), ngrams, spell)
    return TextBaselines({name: each.costs(task) for name, each in TEXT_BASELINES.items()}, ngrams.order)
