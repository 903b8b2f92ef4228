"""The drawing of the batches says of every place what it holds and where its state comes from."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Wiring
from pipeline.explanation.facts.labels import show_few
from pipeline.explanation.facts.sentences import name_places
from pipeline.explanation.svg.batch_map import draw_batches
from pipeline.explanation.svg.drawing import Drawing, fit

Draw = Callable[..., Any]
X, Y, WIDTH, HEIGHT = 36.0, 514.0, 810.0, 192.0
CASES: dict[str, dict[str, Any]] = {
    "shuffled": {},
    "lanes": {"stateful": True, "look_back": 6, "batch_size": 4},
    "many lanes": {"stateful": True, "look_back": 24, "batch_size": 24, "length": 300},
    "padding": {"stateful": True, "look_back": 3, "batch_size": 2},
    "filled in": {"stateful": True, "look_back": 3, "batch_size": 3, "holes": (6,)},
    "minutes": {"frequency": "17min", "stateful": True, "batch_size": 3},
    "small last batch": {"batch_size": 16},
}


@pytest.fixture
def draw(make_explained: Callable[..., Any], read_picture: Callable[[str], Any]) -> Draw:
    """Return the facts, the picture of their batches alone, and where it says that it ends."""

    def make(**keys: Any) -> tuple[Any, Any, float]:
        facts, drawing = make_explained(**keys).facts, Drawing(1280, 720, "title", "description")
        below = draw_batches(drawing, facts, X, Y, WIDTH, HEIGHT)
        return facts, read_picture(drawing.render()), below

    return make


@pytest.mark.parametrize("name", CASES)
def test_every_place_says_what_it_holds(draw: Draw, name: str) -> None:
    """Breaks the map: a window stands in another row or batch than in training, or a place has no text."""
    facts, picture, _ = draw(**CASES[name])
    shown = facts.batches
    rows = [row for row in show_few(shown.num_rows, 4) if row is not None]
    by_date, by_number = (name_places(facts, rows, dates) for dates in (True, False))
    for number, batch in enumerate(shown.numbers):
        (left,) = {word.left for word in picture.words if word.text.endswith(f"batch {batch}")}
        column = sorted((box for box in picture.boxes if box.x == pytest.approx(left, abs=0.1)), key=lambda box: box.y)
        held = [(row, shown.place(row, number)) for row in rows]
        assert len(column) == sum(place is not None for _, place in held)
        for box, (row, place) in zip(column, held, strict=False):
            (text,) = picture.text_in(box)
            cells = {fit(names[row, number], 14, box.width - 6)[1] for names in (by_date, by_number)}
            assert text in cells
            assert box.dashed is (place.filling.value != "window")


@pytest.mark.parametrize("name", CASES)
def test_it_stays_in_its_rectangle(draw: Draw, name: str) -> None:
    """Breaks the slide: the map lies over the answers below it or the column beside it."""
    _, picture, below = draw(**CASES[name])
    assert below <= Y + HEIGHT
    for box in picture.boxes:
        assert box.x >= X and box.x + box.width <= X + WIDTH and box.y >= Y and box.y + box.height <= below
    assert all(word.left >= X and word.right <= X + WIDTH and Y <= word.baseline <= below for word in picture.words)


@pytest.mark.parametrize("name", CASES)
def test_zeros_stand_where_the_state_starts_anew(draw: Draw, name: str) -> None:
    """Breaks what stateful means: an arrow stands where the state is reset, or a zero where it is carried."""
    facts, picture, _ = draw(**CASES[name])
    shown = facts.batches
    rows = [row for row in show_few(shown.num_rows, 4) if row is not None]
    places = [number for number in range(len(shown.numbers)) for row in rows if shown.place(row, number) is not None]
    assert picture.texts.count("0") == sum(shown.from_zero[number] for number in places)
    assert len(list(picture.find("polygon"))) == len(places)  # something leads to every place


def test_without_a_state_there_is_nothing_to_carry(draw: Draw) -> None:
    """Breaks one-to-one: its dense layers seem to remember."""
    _, picture, _ = draw(wiring=Wiring.one_to_one)
    assert "0" not in picture.texts and not list(picture.find("polygon"))
