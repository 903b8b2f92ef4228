"""Texts that are written: repeatable, side by side, and continued as if there had been no stop."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Token
from pipeline.serving.sampling import Sampling
from pipeline.serving.state_file import SavedState, save_state
from pipeline.serving.writing import Writing, begin_writing, resume_writing

TEXT = "μῆνιν ἄειδε θεὰ Πηληϊάδεω Ἀχιλῆος\n"


def begin(writer: Any, rows: int = 1, seed: int = 1, sampling: Sampling | None = None) -> Writing:
    return begin_writing(writer, sampling or Sampling(), seed, writer.vocabulary.encode("μῆνιν"), rows)


def texts_of(writing: Writing, length: int) -> list[str]:
    return ["".join(pieces) for pieces in zip(*writing.write(length), strict=True)]


@pytest.mark.parametrize("kind", Token)
@pytest.mark.parametrize("stateful", [True, False])
def test_a_stop_changes_nothing(kind: Token, stateful: bool, tmp_path: Path, random_writer: Any) -> None:
    """Breaks state=: the text would go on with another memory, other random numbers, or half a character."""
    writer = random_writer(TEXT, kind, stateful=stateful, return_sequences=stateful)
    whole = texts_of(begin(writer, rows=2), 60)
    writing = begin(writer, rows=2)
    pieces = texts_of(writing, 31)
    for _ in range(2):
        writing.save(tmp_path / "state.npz")
        writing = resume_writing(writer, Sampling(), tmp_path / "state.npz")
        more = texts_of(writing, 14 if writing.length == 31 else 15)
        pieces = [text + rest for text, rest in zip(pieces, more, strict=True)]
    assert pieces == whole and writing.length == 60
    if kind is Token.char:
        assert set(whole[0]) <= set(TEXT) and len(whole[0]) == 60


def test_samples_differ_and_the_first_is_the_one_that_is_written_alone(random_writer: Any) -> None:
    """Breaks samples=: the same text again and again, or another first text than without the key."""
    writer = random_writer(TEXT)
    alone, beside = texts_of(begin(writer), 40), texts_of(begin(writer, rows=3), 40)
    assert alone[0] == beside[0] and len(set(beside)) == 3
    assert texts_of(begin(writer, seed=2), 40) != alone
    sure = Sampling(temperature=0)
    assert texts_of(begin(writer, sampling=sure), 40) == texts_of(begin(writer, seed=2, sampling=sure), 40)


def test_the_state_of_another_network_is_refused(tmp_path: Path, random_writer: Any) -> None:
    """Breaks state=: a text would go on with the memory of another network, and nobody would notice."""
    path = tmp_path / "state.npz"
    writer = random_writer(TEXT)
    begin(writer).save(path)
    with pytest.raises(UserError, match="belongs to another model"):
        resume_writing(random_writer(TEXT + "!"), Sampling(), path)
    save_state(path, writer.digest, SavedState(["text 1"], [5], [np.nan], [np.ones(1, int), np.ones((1, 4), np.uint8)]))
    with pytest.raises(UserError, match="does not hold what a network of this run remembers"):
        resume_writing(writer, Sampling(), path)


def test_a_text_is_read_on_after_it_was_resumed(tmp_path: Path, random_writer: Any) -> None:
    """Breaks a prime after a state: it would be left out."""
    writer = random_writer(TEXT)
    writing = begin(writer)
    writing.save(tmp_path / "state.npz")
    writing = resume_writing(writer, Sampling(), tmp_path / "state.npz", seed=9)
    writing.read(writer.vocabulary.encode(" θεὰ"))
    other = begin_writing(writer, Sampling(), 9, writer.vocabulary.encode("μῆνιν θεὰ"), 1)
    assert texts_of(writing, 30) == texts_of(other, 30)
