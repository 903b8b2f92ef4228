"""The vocabulary: learnt from the training part alone, the same after saving, and honest about what it lacks."""

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Token
from pipeline.data.tokens import tokenize
from pipeline.data.vocabulary import (
    UNKNOWN,
    Vocabulary,
    build_vocabulary,
    load_vocabulary,
    save_vocabulary,
)

TRAINING, LATER = "the cat, the dog, the end", "the bird é 🐈 é"


def build(kind: Token, later: str = LATER, most: int = 3) -> tuple[Vocabulary, tuple[str, ...]]:
    return build_vocabulary(kind, tokenize(TRAINING, kind), tokenize(later, kind), most)


def test_characters_are_those_of_the_training_part() -> None:
    """Breaks the honest score: the network would know characters that only the test part holds, or fail on them."""
    vocabulary, notes = build(Token.char)
    assert vocabulary.tokens == (*sorted(set(TRAINING)), UNKNOWN)
    assert notes[0].startswith("the network knows each character of the training part; every other is <unk>: 0 of 25")
    assert "6 of 14 tokens of the other parts (42.86%)" in notes[0]
    assert vocabulary.list_unknown(LATER) == {"b": 4, "i": 5, "r": 6, "é": 9, "🐈": 11}
    ids = vocabulary.encode("cé")
    assert ids.dtype == np.int32 and ids.tolist() == [vocabulary.tokens.index("c"), vocabulary.unknown]
    assert vocabulary.decode(ids) == "c<unk>"


def test_without_need_there_is_no_unknown_token() -> None:
    """Breaks the vocabulary of 65 that others publish with, or takes a character for another instead of refusing it."""
    vocabulary, notes = build(Token.char, later="the")
    assert (vocabulary.unknown, notes) == (None, ())
    with pytest.raises(UserError, match=r"2 token\(s\) of the text .*: '🐈', 'z'; the first is token 3 of"):
        vocabulary.encode("do🐈🐈z")
    assert vocabulary.decode(vocabulary.encode(TRAINING)) == TRAINING


def test_the_commonest_words_are_known() -> None:
    """Breaks dataset.vocabulary: other words than the commonest, or another choice among equals from run to run."""
    vocabulary, notes = build(Token.word)
    assert vocabulary.tokens == (",", " the", "the", UNKNOWN)
    assert vocabulary.decode(vocabulary.encode("the cat, the")) == "the<unk>, the"
    assert (
        "the 3 commonest words of the training part, of 6; every other is <unk>: 3 of 8 tokens of the training"
        in (notes[0])
    )


def test_bytes_are_all_known() -> None:
    """Breaks a text beyond ASCII, or one that ends within a character."""
    vocabulary, _ = build(Token.byte)
    ids = vocabulary.encode(LATER)
    assert len(vocabulary) == 256 and vocabulary.decode(ids) == LATER
    assert vocabulary.decode(vocabulary.encode("né")[:-1]) == "n\N{REPLACEMENT CHARACTER}"


@pytest.mark.parametrize("kind", Token)
def test_a_saved_vocabulary_is_the_same(kind: Token, tmp_path: Path) -> None:
    """Breaks serving: ids would stand for other tokens than in the training."""
    vocabulary, _ = build(kind)
    save_vocabulary(tmp_path / "vocabulary.json", vocabulary)
    loaded = load_vocabulary(tmp_path / "vocabulary.json")
    assert loaded == vocabulary and loaded.digest() == vocabulary.digest() and loaded.unknown == vocabulary.unknown


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"format": "other"}, "does not say that it is"),
        ({"tokens": ["a", "b"]}, "not those that were saved"),
        ({"tokens": ["b", "a"]}, "not single characters in order"),
        ({"tokens": ["a", "a"]}, "not different ones"),
        ({"tokens": [1]}, "no list of texts"),
        ({"token": "page"}, "'page' is not a valid Token"),
    ],
)
def test_a_damaged_vocabulary_is_refused(change: dict[str, object], told: str, tmp_path: Path) -> None:
    """Breaks serving of a damaged or foreign run: a traceback, or letters mixed up without a word."""
    path = tmp_path / "vocabulary.json"
    save_vocabulary(path, build(Token.char)[0])
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(UserError, match=f"vocabulary.json of the run cannot be read: .*{told}.*; train the run again"):
        load_vocabulary(path)
    path.write_bytes(b"[" * 100_000)
    with pytest.raises(UserError, match=r"vocabulary.json of the run cannot be read"):
        load_vocabulary(path)
