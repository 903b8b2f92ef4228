"""The sentences below the drawings say the numbers of the facts, in the singular where there is one."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import TrainingConfig, Wiring
from pipeline.explanation.facts.sentences import (
    explain_boxes,
    explain_epoch,
    explain_left_over,
    explain_map,
    name_places,
)
from pipeline.explanation.text.diagram import draw_text

MakeExplained = Callable[..., Any]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({}, "3 red, 3 green and 1 blue box. The blue box is trained on and scored."),
        ({"return_sequences": True}, "3 red, 3 green and 3 blue boxes. Every blue box is trained on, the last one is"),
        ({"wiring": Wiring.one_to_many}, "1 red, 4 green and 4 blue boxes. Every blue box is trained on and scored."),
    ],
)
def test_boxes_are_counted_in_words(make_explained: MakeExplained, keys: dict[str, Any], words: str) -> None:
    """Breaks the caption: it counts other boxes than are drawn, or says that another one is scored."""
    sentences = [*explain_boxes(make_explained(**keys).facts)]
    assert sentences[0].startswith(words)
    assert ("copies" in " ".join(sentences)) is (keys.get("wiring") is Wiring.one_to_many)
    assert sentences[-1].startswith("The first training window reads 2001-01")


def test_an_epoch_is_said_in_the_numbers_of_its_counts(case: Any) -> None:
    """Breaks the account in words: it says other windows, batches, lanes or resets than the facts."""
    counts, epochs = case.facts.counts, case.facts.epochs
    words = " ".join(explain_epoch(case.facts))
    assert f"An epoch: {counts.num_windows} windows, " in words
    assert f"{counts.num_batches} batches of {counts.batch_size}" in words
    assert f"{counts.num_batches * epochs} times in {epochs} epochs at most" in words
    if case.facts.is_stateful:
        assert f"{counts.num_lanes} lane" in words and f"{counts.num_resets} reset" in words
    assert (" padding" in words) is (counts.num_padded > 0)
    assert ("filled in" in words) is (counts.num_unscored > 0)


def test_one_of_a_kind_is_said_in_the_singular(make_explained: MakeExplained) -> None:
    """Breaks reading: `1 epochs`, `1 lanes`, `1 resets`."""
    facts = make_explained(look_back=1, stateful=True, training=TrainingConfig(epochs=1)).facts
    words = " ".join(explain_epoch(facts))
    assert "1 lane of" in words and "1 reset of the state" in words and "times in 1 epoch at most" in words
    assert not any(f" 1 {noun}s" in words for noun in ("lane", "reset", "epoch", "place"))


def test_what_is_left_over_has_its_dates(case: Any) -> None:
    """Breaks "never dropped silently": rows are left over without a number, a date or a reason."""
    for sentence, left in zip(explain_left_over(case.facts), case.facts.left_over, strict=True):
        assert sentence.endswith(f"{left.reason}.") and left.first in sentence and left.last in sentence
        assert len(left.rows) == 1 or f"{len(left.rows)} rows" in sentence


def test_the_map_says_when_the_state_is_zero(case: Any) -> None:
    """Breaks what stateful means: the number of resets, or the batch before which the next one comes, is wrong."""
    words = " ".join(explain_map(case.facts))
    shown, counts = case.facts.batches, case.facts.counts
    if not case.facts.is_stateful:
        assert not words
    elif counts.num_resets == 1:
        assert "before batch 1 of every epoch, and never inside it" in words
    else:
        later = case.data.lanes.resets[1:].argmax() + 2
        assert f"before batch {later} and so on, {counts.num_resets} times" in words and later in shown.numbers


def test_places_are_named_by_what_they_hold(make_explained: MakeExplained) -> None:
    """Breaks the map: padding looks like a window, or rows are not numbered as error messages number them."""
    facts = make_explained(stateful=True, look_back=3, batch_size=2, holes=(6,)).facts
    by_number = name_places(facts, [0, None, 1], dates=False)
    by_date = name_places(facts, [0, None, 1], dates=True)
    assert (by_number[0, 0], by_date[0, 0]) == ("1: rows 1..3", "1: 2001-01..2001-03")
    assert by_number[0, 1] == "(1: rows 4..6)"  # its target was filled in
    assert (
        set(by_number) == set(by_date) == {(row, batch) for row in (0, 1) for batch in range(len(facts.batches.starts))}
    )
    assert "(padding)" in by_number.values()


def test_a_text_is_told_in_tokens_and_can_be_read(make_text: MakeExplained) -> None:
    """Breaks explain for a text: it tells of rows and values, or tears the text at its line breaks."""
    facts = make_text(stateful=True, return_sequences=True, batch_size=2, embedding=5).facts
    *_, boxes = explain_boxes(facts)
    assert boxes == ("The first training window reads 'First Citizen:⏎Befor'; its targets are 'irst Citizen:⏎Before'.")
    assert facts.summary.startswith("many-to-many, stateful: 20 tokens in, after every one of them the next token out")
    lines = "\n".join(map(str, draw_text(facts)))
    size = facts.vocabulary
    for told in (f"{size} logits: token", "green: embedding", f"5 of {size}", f"embedding   {size} x 5"):
        assert told in lines
    assert not {"value", "row", "rows", "values"} & {word.strip(".,:;") for word in " ".join(facts.answers).split()}
    (one,) = (line for line in explain_boxes(make_text().facts) if "reads" in line)
    assert one.endswith("its forecast is for 'e'.")
