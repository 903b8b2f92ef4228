"""The text of an explanation: fits a terminal, has every section, draws every wiring."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Horizons, LagsAs, Order, Wiring
from pipeline.explanation.text.canvas import Ink, colour
from pipeline.explanation.text.diagram import WIDTH, draw_text

MakeExplained = Callable[..., Any]
WIRINGS = [wiring for wiring in Wiring if wiring is not Wiring.auto]
WIDE: dict[str, dict[str, Any]] = {
    "one after another": {},
    "many steps": {"look_back": 24, "return_sequences": True, "length": 200},
    "many lanes": {"look_back": 40, "stateful": True, "batch_size": 40, "length": 300},
    "minutes": {"frequency": "17min", "stateful": True},
    "numbers": {"frequency": None, "stateful": True},
    "long names": {"columns": ("a" * 90, "b\nc\t" * 30), "name": "d" * 200, "stateful": True},
    "many columns": {"columns": tuple(f"signal_{number}" for number in range(30))},
    "wide features": {"look_back": 120, "lags_as": LagsAs.features, "length": 700},
    "wide outputs": {"horizon": 15, "horizons": Horizons.all, "return_sequences": True, "look_back": 30, "length": 400},
    "both long": {"wiring": Wiring.encoder_decoder, "look_back": 30, "horizon": 12, "units": [128, 64], "length": 400},
    "deep": {"units": [1000, 900, 800, 700, 600, 500]},
    "overlapping": {"stateful": True, "order": Order.overlapping},
}
SECTIONS = ["One sample, unrolled", "Tensors: [samples", "Parameters", "One epoch", "Which ", "In brief"]


def lines_of(case: Any) -> list[str]:
    return [str(line) for line in draw_text(case.facts)]


@pytest.mark.parametrize("name", WIDE)
def test_fits_a_terminal(make_explained: MakeExplained, name: str) -> None:
    """Breaks reading: a line is wrapped by the terminal, and the boxes fall apart."""
    lines = lines_of(make_explained(**WIDE[name]))
    assert max(map(len, lines)) <= WIDTH
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize("wiring", WIRINGS)
def test_sections_follow_each_other(make_explained: MakeExplained, wiring: Wiring) -> None:
    """Breaks finding one's way: a section is missing, or stands elsewhere."""
    lines = lines_of(make_explained(wiring=wiring))
    assert lines[0].startswith("shop: look_back=")
    assert lines[1].startswith(wiring.value.replace("_", "-"))
    found = [number for section in SECTIONS for number, line in enumerate(lines) if line.startswith(section)]
    wanted = len(SECTIONS) - (wiring is Wiring.one_to_one)  # which raises no question
    assert len(found) == wanted
    assert found == sorted(found)


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


def test_many_steps_show_three_and_the_last(make_explained: MakeExplained) -> None:
    """Breaks long windows: the picture has hundreds of boxes, or does not show where the window ends."""
    inputs = next(line for line in lines_of(make_explained(look_back=24, length=200)) if "t-23" in line)
    assert [text.strip() for text in inputs.split("│")][1::2] == ["t-23", "t-22", "t-21", "t-20", "t"]
    assert "..." in inputs


def test_many_lanes_show_three_and_the_last(make_explained: MakeExplained) -> None:
    """Breaks 400 lanes: the map fills the screen, or hides the last lane."""
    lines = lines_of(make_explained(**WIDE["many lanes"]))
    rows = [line.split()[:2] for line in lines if line.startswith("  row ")]
    assert rows == [["row", "1"], ["row", "2"], ["row", "3"], ["row", "40"]]


def test_states_are_carried_and_reset(make_explained: MakeExplained) -> None:
    """Breaks the lane map: an arrow is missing where the state goes on, or the zero where it starts anew."""
    lines = lines_of(make_explained(stateful=True))
    row = next(line for line in lines if line.startswith("  row 1"))
    assert row.split()[2:8] == ["0>", "1:", "2001-01..2001-03", "->", "1:", "2001-04..2001-06"]
    assert row.split()[8:] == ["->", "1:", "2001-07..2001-09", "0>", "2:", "2001-02..2001-04"]
    assert "->" not in next(line for line in lines_of(make_explained()) if line.startswith("  row 1"))
    assert "0>" not in "\n".join(lines_of(make_explained(wiring=Wiring.one_to_one)))


def test_rows_are_numbered_where_dates_are_too_long(make_explained: MakeExplained) -> None:
    """Breaks the lane map of fine-grained series: fewer than three batches fit, or the rows are not those of errors."""
    row = next(line for line in lines_of(make_explained(**WIDE["minutes"])) if line.startswith("  row 1"))
    assert "1: rows 1..3 " in row
    assert "1: rows 7..9" in row


def test_boxes_have_their_colours(make_explained: MakeExplained) -> None:
    """Breaks the well-known picture: inputs are red, hidden states green, outputs blue."""
    lines = draw_text(make_explained(stateful=True).facts)
    inks = {piece.strip(): ink for line in lines for piece, ink in line.pieces}
    assert (inks["red: input"], inks["green: lstm_1"], inks["blue: output"]) == (Ink.red, Ink.green, Ink.blue)
    text = colour(lines)
    assert text.plain == "".join(f"{''.join(piece for piece, _ in line.pieces)}\n" for line in lines)
    assert {span.style for span in text.spans} >= {"red", "green", "bright_blue", "bold"}
