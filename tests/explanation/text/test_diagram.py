"""The text of an explanation: fits a terminal, has every section, draws every wiring."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Horizons, LagsAs, Order, Wiring
from pipeline.explanation.facts.sentences import explain_epoch, explain_left_over
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


@pytest.mark.parametrize("name", WIDE)
def test_numbers_are_those_of_the_facts(make_explained: MakeExplained, name: str) -> None:
    """Breaks the tables: a shape, a number of parameters or a part is not that of the network and the data."""
    case = make_explained(**WIDE[name])
    lines, facts = lines_of(case), case.facts
    cells = [re.split(r"\s{2,}", line.strip()) for line in lines]
    for tensor in facts.tensors:
        each = str([facts.counts.batch_size, *tensor.shape])
        whole = "-" if tensor.is_state else str([facts.counts.num_windows, *tensor.shape])
        assert [tensor.name, each, whole] in [row[:3] for row in cells]
    for layer in facts.layers:
        assert [layer.name, layer.formula, f"= {layer.num_parameters}"] in cells
    assert ["all", f"= {facts.num_parameters}"] in cells
    for part in facts.parts:
        assert [part.name, str(part.num_rows), part.first, part.last, str(part.num_windows)] in cells
    words = " ".join(" ".join(lines).split())
    for sentence in (facts.summary, *facts.answers, *explain_epoch(facts), *explain_left_over(facts)):
        assert " ".join(sentence.split()) in words.replace(" - ", " ") or sentence in words


def test_boxes_have_their_colours(make_explained: MakeExplained) -> None:
    """Breaks the well-known picture: inputs are red, hidden states green, outputs blue."""
    lines = draw_text(make_explained(stateful=True).facts)
    inks = {piece.strip(): ink for line in lines for piece, ink in line.pieces}
    assert (inks["red: input"], inks["green: lstm_1"], inks["blue: output"]) == (Ink.red, Ink.green, Ink.blue)
    text = colour(lines)
    assert text.plain == "".join(f"{''.join(piece for piece, _ in line.pieces)}\n" for line in lines)
    assert {span.style for span in text.spans} >= {"red", "green", "bright_blue", "bold"}
