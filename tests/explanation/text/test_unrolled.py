"""The boxes of one sample, drawn with characters: every wiring, every row, never wider than it may be."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Decoder, Wiring
from pipeline.explanation.text.unrolled import draw_unrolled

MakeExplained = Callable[..., Any]


def lines_of(case: Any) -> list[str]:
    return [str(line) for line in draw_unrolled(case.facts)]


@pytest.mark.parametrize(
    ("wiring", "reds", "greens", "blues"),
    [
        (Wiring.one_to_one, ["t"], 2, ["t+1"]),
        (Wiring.one_to_many, ["t", "copy", "copy", "copy"], 8, ["t+1", "t+2", "t+3", "t+4"]),
        (Wiring.many_to_one, ["t-2", "t-1", "t"], 6, ["t+1"]),
        (Wiring.many_to_many, ["t-2", "t-1", "t"], 6, ["t-1", "t", "t+1"]),
        (Wiring.encoder_decoder, ["t-2", "t-1", "t", "copy", "copy", "copy"], 12, ["t+1", "t+2", "t+4"]),
    ],
)
def test_every_wiring_has_its_picture(
    make_explained: MakeExplained, wiring: Wiring, reds: list[str], greens: int, blues: list[str]
) -> None:
    """Breaks the pictures: a box is missing, stands on another level or holds another row."""
    picture = lines_of(make_explained(wiring=wiring, units=[4, 3]))
    middles = [line[line.index("│") :] for line in picture if line.count("│") > 1]
    texts = [
        [text.strip() for text in line.split("│") if text.strip(" ─>┐└")] for line in middles if set(line) & set("tu")
    ]
    texts = [[text for text in level if text != "..."] for level in texts if level]
    assert texts[0] == blues
    assert sum(text.endswith("units") for level in texts for text in level) == greens
    assert [text for text in texts[-1] if text not in ("└>",)] == reds


def test_a_decoder_shows_which_row_it_knows(make_explained: MakeExplained) -> None:
    """Breaks the picture of model.decoder=future: nobody sees that tomorrow's price is read, and where."""
    picture = lines_of(make_explained(wiring=Wiring.encoder_decoder, future=["price"], decoder=Decoder.future))
    texts = [text.strip(" ─>┐└") for line in picture for text in line.split("│")]
    assert [text for text in texts if text.startswith("copy")] == ["copy, t+1", "copy, t+2", "copy, t+4"]
    assert max(map(len, picture)) <= 120


def test_many_steps_show_three_and_the_last(make_explained: MakeExplained) -> None:
    """Breaks long windows: the picture has hundreds of boxes, or does not show where the window ends."""
    inputs = next(line for line in lines_of(make_explained(look_back=24, length=200)) if "t-23" in line)
    assert [text.strip() for text in inputs.split("│")][1::2] == ["t-23", "t-22", "t-21", "t-20", "t"]
    assert "..." in inputs


def test_numbers_are_those_of_the_configuration(make_explained: MakeExplained) -> None:
    """Breaks the names beside the boxes: they hold other columns, units or states than the network."""
    picture = "\n".join(lines_of(make_explained(units=[7, 2], look_back=3)))
    assert (picture.count("7 units"), picture.count("2 units")) == (3, 3)
    for words in (
        "1 value: sales",
        "2 values",
        "sales and 1 more",
        "green: lstm_1",
        "green: lstm_2",
        "─> h and c",
        "first from zero",
    ):
        assert words in picture, words
    dense = "\n".join(lines_of(make_explained(wiring=Wiring.one_to_one, units=[7])))
    assert "tanh, no state" in dense and "─>" not in dense


@pytest.mark.parametrize("stateful", [False, True])
def test_states_enter_and_leave_only_when_stateful(make_explained: MakeExplained, stateful: bool) -> None:
    """Breaks the difference between stateful and stateless: both have the same arrows."""
    (row,) = (line for line in lines_of(make_explained(stateful=stateful, units=[4])) if "4 units" in line)
    assert row.count("─>") - ("─> h" in row) == (4 if stateful else 2)
