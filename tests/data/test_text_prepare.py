"""A text is cut into parts, lanes and chunks as char-rnn does, and nothing of a later part is learnt."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, Source, TextSplit, Token
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.reading import read_in_chunks
from pipeline.data.text import split_text
from pipeline.data.text_series import load_text

TEXT = "the quick brown fox jumps over the lazy dog. " * 30  # 1350 characters
Prepare = Callable[..., PreparedData]


def configure(path: Path, **keys: Any) -> Config:
    dataset = DatasetConfig(
        name="text", source=Source.text, path=str(path), validation_fraction=0.1, test_fraction=0.2,
        **keys.pop("dataset", {}),
    )  # fmt: skip
    config = Config(look_back=10, return_sequences=True, dataset=dataset, **keys)
    check_ranges(config)
    return config


@pytest.fixture
def prepare(tmp_path: Path) -> Prepare:
    def make(text: str = TEXT, **keys: Any) -> PreparedData:
        (tmp_path / "text.txt").write_text(text, encoding="utf-8")
        return prepare_data(configure(tmp_path / "text.txt", **keys))

    return make


def pairs(data: PreparedData) -> tuple[list[str], list[str]]:
    """Return the text that each training window reads, and the one that it learns."""
    assert data.vocabulary is not None
    inputs = data.windows.gather_inputs(data.windows.train)[..., 0].astype(int)
    targets = data.windows.gather_targets(data.windows.train)[..., 0].astype(int)
    return [data.vocabulary.decode(row) for row in inputs], [data.vocabulary.decode(np.ravel(row)) for row in targets]


@pytest.mark.parametrize("split", TextSplit)
def test_every_token_of_validation_and_test_is_scored_once(split: TextSplit, prepare: Prepare) -> None:
    """Two configurations are compared on other tokens, or a token counts twice."""
    each = [prepare(batch_size=5, dataset={"split": split}, stateful=stateful) for stateful in (True, False)]
    for data in each:
        forecast = data.windows.spec.forecast_rows(data.windows.starts)[:, 0]
        expected = np.flatnonzero(data.split.rows("validation") | data.split.rows("test"))
        assert forecast.tolist() == expected.tolist()
        chosen = data.windows.spec.forecast_rows(data.windows.validation)[:, 0]
        assert chosen.tolist() == np.flatnonzero(data.split.rows("validation")).tolist()


@pytest.mark.parametrize("split", TextSplit)
def test_lanes_are_contiguous_pieces_and_targets_are_the_next_tokens(split: TextSplit, prepare: Prepare) -> None:
    """The state of one piece of text is carried into another, or a network learns to repeat what it reads."""
    data = prepare(batch_size=5, stateful=True, dataset={"split": split})
    read, learnt = pairs(data)
    assert all(text in TEXT for text in read)
    assert all(first[1:] == second[:-1] for first, second in zip(read, learnt, strict=True))
    assert data.lanes is not None and data.lanes.starts.shape[1] == 5 and data.lanes.resets.sum() == 1
    assert (np.diff(data.lanes.starts, axis=0) == 10).all() and data.lanes.weights.all()
    last = data.windows.spec.last_targets(data.windows.train)
    assert data.split.rows("train")[last].all()


def test_parts_of_lanes_lie_at_the_end_of_each(prepare: Prepare) -> None:
    """dataset.split=lanes tests on one place of the text only."""
    data = prepare(batch_size=5, stateful=True, dataset={"split": TextSplit.lanes})
    for lane in range(5):
        own = data.split.parts[lane * 270 : (lane + 1) * 270]
        assert own.tolist() == [0] * 189 + [1] * 27 + [2] * 54


def test_windows_of_a_stateless_network_lie_as_far_apart_as_asked(prepare: Prepare) -> None:
    """dataset.stride is not what is trained on."""
    many = prepare()
    assert (np.diff(many.windows.train) == 10).all()
    one = prepare(dataset={"stride": 3})
    assert (np.diff(one.windows.train) == 3).all()


def test_the_vocabulary_knows_the_training_part_only(prepare: Prepare) -> None:
    """A network is built for a character that only the test part holds, and so knows that it comes."""
    data = prepare(TEXT[:-1] + "Ω")
    assert data.vocabulary is not None and "Ω" not in data.vocabulary.tokens
    assert data.series.values[-1, 0] == data.vocabulary.unknown == len(data.vocabulary) - 1
    assert any("<unk>" in note for note in data.series.notes)
    assert data.windows.num_outputs == len(data.vocabulary)


def test_words_and_bytes_are_tokens_too(prepare: Prepare) -> None:
    """dataset.token is ignored, or a text comes back changed."""
    words = prepare(dataset={"token": Token.word})
    assert words.vocabulary is not None and " quick" in words.vocabulary.tokens
    told = words.vocabulary.decode(words.series.values[:, 0].astype(int))
    assert told == TEXT[:-1] + "<unk>"  # no other space stands alone
    data = prepare(dataset={"token": Token.byte})
    assert data.windows.num_outputs == 256


def test_chunks_begin_with_the_token_before_the_first_that_is_scored(prepare: Prepare) -> None:
    """A stateless network is scored with the wrong tokens before, or not at every token."""
    data = prepare()
    starts = data.windows.starts
    first_rows, chunks, steps = read_in_chunks(data.windows, starts)
    np.testing.assert_array_equal(first_rows[chunks] + steps, data.windows.spec.origins(starts))
    assert steps.max() == 9 and steps[0] == 0
    begins = [np.flatnonzero(data.split.rows(part))[0] for part in ("validation", "test")]
    assert set(np.array(begins) - 1) <= set(first_rows.tolist())


def test_what_a_text_cannot_be_is_refused(tmp_path: Path, prepare: Prepare) -> None:
    """A person waits for a training that means nothing."""
    with pytest.raises(
        UserError, match=r"a text needs horizon=1, because the next token is predicted, but got horizon=2"
    ):
        configure(tmp_path / "t.txt", horizon=2)
    with pytest.raises(UserError, match=r"dataset\.stride=null with stateful=true"):
        configure(tmp_path / "t.txt", stateful=True, dataset={"stride": 3})
    with pytest.raises(UserError, match=r"a text needs its parts by dataset\.validation_fraction"):
        configure(tmp_path / "t.txt", dataset={"validation_start": "200", "test_start": "300"})
    with pytest.raises(UserError, match=r"a text needs dataset\.time_column=null"):
        configure(tmp_path / "t.txt", dataset={"time_column": "day"})
    with pytest.raises(UserError, match="lower batch_size"):
        prepare(batch_size=200, stateful=True)
    with pytest.raises(UserError, match="leaves 0 for the validation part"):
        prepare(batch_size=200, stateful=True, dataset={"split": TextSplit.lanes})


def test_split_is_nanogpts(tmp_path: Path) -> None:
    """Numbers are placed beside published ones of another split."""
    config = configure(tmp_path / "t.txt")
    pieces = split_text(replace(config, dataset=replace(config.dataset, test_fraction=0.1)), 1_115_394)
    assert pieces["test"][0].first == int(1_115_394 * 0.9) and pieces["test"][0].end == 1_115_394


def test_equal_texts_have_equal_digests(tmp_path: Path) -> None:
    """A finished run on a text is trained again, or one on another text is read back."""
    found = []
    for text in (TEXT, TEXT, TEXT.replace("fox", "cat")):
        (tmp_path / "text.txt").write_text(text)
        for kind in (Token.char, Token.word):
            found.append(load_text(configure(tmp_path / "text.txt", dataset={"token": kind}).dataset).digest())
    assert found[:2] == found[2:4] and len(set(found)) == 4


def test_texts_of_the_same_pattern_are_not_the_same(prepare: Prepare) -> None:
    """resume=true reads back a run on another text, whose ids happen to be equal, and it writes other letters."""
    lower, upper = (prepare(text).series for text in (TEXT, TEXT.upper()))
    np.testing.assert_array_equal(lower.values, upper.values)
    assert lower.digest() != upper.digest()
