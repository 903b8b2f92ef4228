"""Rectangles, lines and text become safe, well-formed SVG, and text keeps to the room it is given."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.explanation.svg.drawing import GREEN, RED, Drawing, fit, text_width, wrap

ReadPicture = Callable[[str], Any]
EVIL = "</text><script>alert(1)</script> & \"' \x01\n \u2028"
WORDS = st.lists(st.text("abcWi%", min_size=1, max_size=12), max_size=20)


@pytest.fixture
def drawing() -> Drawing:
    return Drawing(200, 100, "title", "what is to be seen")


def test_texts_are_escaped_everywhere(read_picture: ReadPicture) -> None:
    """Breaks safety: a name that holds markup becomes markup, or a control character makes the file unreadable."""
    drawing = Drawing(200, 100, EVIL, EVIL)
    drawing.text(10, 20, EVIL, 12)
    picture = read_picture(drawing.render())
    assert picture.kinds == {"svg", "title", "desc", "rect", "text"}
    told = "</text><script>alert(1)</script> & \"'"
    assert picture.texts == [told]
    assert [next(picture.find(kind)).text for kind in ("title", "desc")] == [told, told]


def test_the_frame_is_the_paper(drawing: Drawing, read_picture: ReadPicture) -> None:
    """Breaks a dark page or a slide: the drawing has another size than it says, or no white behind it."""
    picture = read_picture(drawing.render())
    assert (picture.root.get("viewBox"), picture.root.get("role")) == ("0 0 200 100", "img")
    (paper,) = picture.find("rect")
    assert (paper.get("width"), paper.get("height"), paper.get("fill")) == ("200", "100", "#FFFFFF")


@pytest.mark.parametrize("end", [(90, 50), (10, 50), (50, 90), (50, 10)], ids=["right", "left", "down", "up"])
def test_the_tip_of_an_arrow_is_its_end(drawing: Drawing, read_picture: ReadPicture, end: tuple[float, float]) -> None:
    """Breaks every arrow: it points away from its end, or stops short of the box it goes to."""
    drawing.arrow([(50, 50), end], GREEN)
    picture = read_picture(drawing.render())
    (head,) = picture.find("polygon")
    tip, *corners = [tuple(map(float, pair.split(","))) for pair in head.get("points").split()]
    assert tip == end
    for corner in corners:  # they lie behind the tip
        assert abs(corner[0] - 50) + abs(corner[1] - 50) < 40
    assert head.get("fill") == GREEN


def test_a_zero_state_is_a_zero_a_bar_and_an_arrow(drawing: Drawing, read_picture: ReadPicture) -> None:
    """Breaks the lane map: where the state starts from zero looks like where it is carried."""
    drawing.reset(100, 50, 30, GREEN)
    picture = read_picture(drawing.render())
    assert picture.texts == ["0"]
    bar, _ = (line.get("points") for line in picture.find("polyline"))
    assert len({pair.split(",")[0] for pair in bar.split()}) == 1  # upright
    assert next(picture.find("polygon")).get("points").startswith("100.0,50.0 ")


def test_a_dashed_box_is_dashed(drawing: Drawing, read_picture: ReadPicture) -> None:
    """Breaks padding and copies: they look like what is read."""
    drawing.box(10, 20, 30, 40, RED, "#FFFFFF")
    drawing.box(50, 20, 30, 40, RED, "#FFFFFF", dashed=True)
    drawing.bar(90, 20, 30, 40, RED)
    boxes = read_picture(drawing.render()).boxes
    assert [(box.x, box.colour, box.dashed) for box in boxes] == [(10, RED, False), (50, RED, True), (90, None, False)]
    assert {(box.y, box.width, box.height) for box in boxes} == {(20, 30, 40)}


def test_texts_shrink_before_they_are_cut() -> None:
    """Breaks small boxes: text runs over their edge, or is cut although smaller letters fit."""
    assert fit("t+1", 16, 100) == (16, "t+1")
    size, text = fit("t+1..t+12", 16, 60)
    assert (text, 10.5 <= size < 16) == ("t+1..t+12", True)
    size, text = fit("t+1..t+12", 16, 30)
    assert text.endswith("…") and text_width(text, size) <= 30


@given(st.text("abcWi%", max_size=40), st.floats(11, 26), st.floats(24, 300))
def test_a_text_never_leaves_its_room(text: str, size: float, room: float) -> None:
    """Breaks boxes of any width: letters stand beside them, or are larger than was asked for."""
    smaller, shown = fit(text, size, room)
    assert text_width(shown, smaller) <= room + 0.5 and 10.5 <= smaller <= size
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


@given(WORDS, st.floats(60, 300))
def test_a_paragraph_keeps_every_word(words: list[str], room: float) -> None:
    """Breaks "never dropped silently": a word of a reason is lost at the end of a line, or a line is too wide."""
    lines = wrap(" ".join(words), 14, room)
    assert " ".join(lines).split() == words
    assert all(text_width(line, 14) <= room or " " not in line for line in lines)
