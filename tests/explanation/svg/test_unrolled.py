"""The drawing of one sample has the boxes of its wiring, each with the rows it stands for."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Decoder, Wiring
from pipeline.explanation.facts.labels import name_rows
from pipeline.explanation.svg.drawing import BLUE, GREEN, RED, Drawing
from pipeline.explanation.svg.unrolled import draw_unrolled

Draw = Callable[..., Any]
WIRINGS = [wiring for wiring in Wiring if wiring is not Wiring.auto]
X, Y, WIDTH, HEIGHT = 36.0, 118.0, 814.0, 318.0
KINDS = ("inputs", "hidden", "outputs")


@pytest.fixture
def draw(make_explained: Callable[..., Any], read_picture: Callable[[str], Any]) -> Draw:
    """Return the facts, and the picture of their boxes alone."""

    def make(**keys: Any) -> tuple[Any, Any]:
        facts, drawing = make_explained(**keys).facts, Drawing(1280, 720, "title", "description")
        draw_unrolled(drawing, facts, X, Y, WIDTH, HEIGHT)
        return facts, read_picture(drawing.render())

    return make


@pytest.mark.parametrize(
    ("wiring", "stateful"),
    [*((wiring, False) for wiring in WIRINGS), (Wiring.many_to_one, True), (Wiring.many_to_many, True)],
)
def test_every_wiring_has_its_picture(draw: Draw, wiring: Wiring, stateful: bool) -> None:
    """Breaks the five pictures: boxes of a colour are missing."""
    facts, picture = draw(wiring=wiring, stateful=stateful, units=[4, 3])
    solid = [box.colour for box in picture.boxes if not box.dashed]
    every = tuple(sum(getattr(stage, f"num_{kind}") for stage in facts.stages) for kind in KINDS)
    shown = {Wiring.encoder_decoder: (3, 12, 3)}.get(wiring, every)  # three of its four horizon steps are drawn
    assert tuple(solid.count(colour) for colour in (RED, GREEN, BLUE)) == shown
    assert ("0" in picture.texts) is (wiring is not Wiring.one_to_one and not stateful)  # where states start


@pytest.mark.parametrize("wiring", WIRINGS)
def test_boxes_are_named_by_their_rows(draw: Draw, wiring: Wiring) -> None:
    """Breaks the labels t-2, t, t+1: a box stands for another row or date, or green ones have other units."""
    facts, picture = draw(wiring=wiring, units=[4, 3])
    texts = [(box.colour, *picture.text_in(box)) for box in picture.boxes if not box.dashed]
    first, last = facts.stages[0], facts.stages[-1]
    reds = [text for colour, *text in texts if colour == RED]
    origin = facts.example[1]
    expected = [
        [name_rows(rows), facts.labels.span(origin + rows[0], origin + rows[-1])]
        for rows in first.input_rows[: first.num_inputs]
    ]
    assert reds == expected
    blues = [name for colour, name, *_ in texts if colour == BLUE]
    outputs = [name_rows(rows) for rows in last.output_rows]
    assert blues == (outputs if len(outputs) <= 3 or len(facts.stages) == 1 else [*outputs[:2], outputs[-1]])
    assert {name for colour, name, *_ in texts if colour == GREEN} == {"4 units", "3 units"}
    copies = [picture.text_in(box) for box in picture.boxes if box.dashed]
    assert copies == [["copy"]] * {Wiring.one_to_many: 3, Wiring.encoder_decoder: 3}.get(wiring, 0)


def test_a_decoder_shows_which_row_it_knows(draw: Draw) -> None:
    """Breaks the picture of model.decoder=future: nobody sees that tomorrow's price is read, and where."""
    _, picture = draw(wiring=Wiring.encoder_decoder, future=["price"], decoder=Decoder.future)
    copies = [picture.text_in(box) for box in picture.boxes if box.dashed]
    assert copies == [["copy", f"t+{row}"] for row in (1, 2, 4)]


def test_numbers_beside_the_boxes_are_those_of_the_network(draw: Draw) -> None:
    """Breaks long windows: the boxes left out of the picture are not counted."""
    facts, picture = draw(look_back=24, length=200, units=[7], return_sequences=True)
    texts = picture.texts
    assert {"24 red: input", "24 green: lstm_1", "24 blue: output"} <= set(texts)
    assert {"2 values: sales, price", "1 value: sales", "all trained on, last scored"} <= set(texts)
    assert texts.count("7 units") == 5 and "t-23" in texts and facts.stages[0].num_steps == 24


@pytest.mark.parametrize("stateful", [False, True])
def test_states_are_carried_in_and_out_only_when_stateful(draw: Draw, stateful: bool) -> None:
    """Breaks the difference between stateful and stateless: both have the same arrows."""
    facts, picture = draw(look_back=3, units=[4], stateful=stateful)
    wide = [line for line in picture.find("polyline") if line.get("stroke-width") == "3.5"]
    assert len(wide) == (2 if stateful else 0)
    assert picture.texts.count("0") == (0 if stateful else 1)
    assert f"{facts.state_names} {'carried on' if stateful else 'from zero'}" in picture.texts


@pytest.mark.parametrize(
    "keys",
    [
        {"units": [9] * 12, "return_sequences": True, "look_back": 12, "stateful": True},
        {"wiring": Wiring.encoder_decoder, "look_back": 30, "horizon": 12, "units": [128, 64], "length": 400},
        {"look_back": 1},
    ],
    ids=["deep", "both long", "one step"],
)
def test_it_stays_in_its_rectangle_and_boxes_do_not_overlap(draw: Draw, keys: dict[str, Any]) -> None:
    """Breaks the slide: boxes lie on each other, on the heading or on the table beside them."""
    _, picture = draw(**keys)
    boxes = picture.boxes
    for number, box in enumerate(boxes):
        assert box.x >= X and box.x + box.width <= X + WIDTH and box.y >= Y and box.y + box.height <= Y + HEIGHT
        for other in boxes[number + 1 :]:
            beside = box.x + box.width <= other.x or other.x + other.width <= box.x
            assert beside or box.y + box.height <= other.y or other.y + other.height <= box.y
