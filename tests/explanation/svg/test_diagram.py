"""The drawing of an explanation: well-formed, self-contained, and nothing leaves its frame."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Horizons, LagsAs, Order, Wiring
from pipeline.explanation.svg.diagram import draw_svg
from pipeline.explanation.svg.drawing import BLUE, GREEN, RED, fit, text_width, wrap

MakeExplained = Callable[..., Any]
NAMESPACE = "{http://www.w3.org/2000/svg}"
WIRINGS = [wiring for wiring in Wiring if wiring is not Wiring.auto]
SHAPES: dict[str, dict[str, Any]] = {
    "plain": {},
    "lanes": {"stateful": True, "look_back": 24, "batch_size": 24, "length": 300},
    "padding": {"stateful": True, "batch_size": 2},
    "both long": {"wiring": Wiring.encoder_decoder, "look_back": 30, "horizon": 12, "units": [128, 64], "length": 400},
    "deep": {"units": [9] * 12, "return_sequences": True, "look_back": 12, "stateful": True},
    "wide": {"look_back": 120, "lags_as": LagsAs.features, "length": 700, "horizon": 20, "horizons": Horizons.all},
    "many columns": {"columns": tuple(f"signal number {number}" for number in range(30)), "name": "W" * 300},
    "minutes": {"frequency": "17min", "stateful": True, "batch_size": 3, "holes": (20,)},
    "overlapping": {"stateful": True, "order": Order.overlapping},
}


def read(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(svg: str) -> list[tuple[float, float, float, str]]:
    """Return left end, right end, baseline and content of every text."""
    found = []
    for each in read(svg).iter(f"{NAMESPACE}text"):
        width = text_width(each.text or "", float(each.get("font-size", "")))
        left = float(each.get("x", "")) - {"start": 0, "middle": width / 2, "end": width}[each.get("text-anchor", "")]
        found.append((left, left + width, float(each.get("y", "")), each.text or ""))
    return found


@pytest.mark.parametrize("name", SHAPES)
def test_is_well_formed_and_stays_in_its_frame(make_explained: MakeExplained, name: str) -> None:
    """Breaks a slide: the file cannot be opened, or text and boxes are cut off at its edge."""
    svg = draw_svg(make_explained(**SHAPES[name]).facts)
    root = read(svg)
    assert root.get("viewBox") == "0 0 1280 720"
    for left, right, baseline, text in texts(svg):
        assert left >= 20 and right <= 1262 and 20 <= baseline <= 714, text
    for each in root.iter(f"{NAMESPACE}rect"):
        x, y, width, height = (float(each.get(key, "0")) for key in ("x", "y", "width", "height"))
        assert x >= 0 and x + width <= 1280 and y >= 0 and y + height <= 720
        assert width > 0 and height > 8


@pytest.mark.parametrize("name", SHAPES)
def test_no_text_runs_into_the_right_column(make_explained: MakeExplained, name: str) -> None:
    """Breaks reading: the picture or the lane map overlaps the tables beside it."""
    for left, right, baseline, text in texts(draw_svg(make_explained(**SHAPES[name]).facts)):
        if baseline > 110 and left < 858:
            assert right <= 862, text


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_left_out_of_an_epoch(make_explained: MakeExplained, name: str) -> None:
    """Breaks "never dropped silently": a reason for what is left over finds no room on the slide."""
    case = make_explained(**SHAPES[name])
    words = " ".join(text for _, _, _, text in texts(draw_svg(case.facts)))
    assert words.count("No training window begins") == len(case.facts.left_over)


def test_the_warning_is_on_the_slide(make_explained: MakeExplained) -> None:
    """Breaks honesty: the tutorials' overlapping order is shown without what is wrong with it."""
    svg = draw_svg(make_explained(**SHAPES["overlapping"]).facts)
    words = " ".join(text for _, _, _, text in texts(svg))
    assert "Warning: dataset.order=overlapping carries the state over windows that overlap" in words
    assert "dataset.order=phases continues it properly." in words


@pytest.mark.parametrize(
    ("wiring", "stateful"),
    [*((wiring, False) for wiring in WIRINGS), (Wiring.many_to_one, True), (Wiring.many_to_many, True)],
)
def test_every_wiring_has_its_picture(make_explained: MakeExplained, wiring: Wiring, stateful: bool) -> None:
    """Breaks the five pictures: boxes of a colour are missing."""
    case = make_explained(wiring=wiring, stateful=stateful, units=[4, 3])
    svg = draw_svg(case.facts)
    upper = [
        each for each in read(svg).iter(f"{NAMESPACE}rect") if each.get("rx") == "5" and float(each.get("y", "")) < 470
    ]
    solid = [each.get("stroke") for each in upper if each.get("stroke-dasharray") is None]
    shown = {Wiring.encoder_decoder: (3, 12, 3)}.get(wiring)  # three of its four horizon steps are drawn
    counts = tuple(solid.count(colour) for colour in (RED, GREEN, BLUE))
    stages = case.facts.stages
    assert counts == (
        shown or tuple(sum(getattr(s, f"num_{k}") for s in stages) for k in ("inputs", "hidden", "outputs"))
    )
    assert ("0" in [text for _, _, _, text in texts(svg)]) is (wiring is not Wiring.one_to_one)  # where states start


def test_is_self_contained(make_explained: MakeExplained) -> None:
    """Breaks safety: an image from MLflow runs a script or loads something from the net."""
    svg = draw_svg(
        make_explained(name="</text><script>alert(1)</script>", columns=("<a href='x'>&\"", "p\x01\nq")).facts
    )
    assert {each.tag.removeprefix(NAMESPACE) for each in read(svg).iter()} == {
        "svg", "title", "desc", "rect", "text", "polyline", "polygon"}  # fmt: skip
    assert not re.search(r"href=\"|url\(|@import|on\w+=\"", svg)
    assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert any("</text><script>" in text for _, _, _, text in texts(svg))


def test_texts_shrink_before_they_are_cut() -> None:
    """Breaks small boxes: text runs over their edge, or is cut although smaller letters fit."""
    assert fit("t+1", 16, 100) == (16, "t+1")
    size, text = fit("t+1..t+12", 16, 60)
    assert (text, 10.5 <= size < 16) == ("t+1..t+12", True)
    size, text = fit("t+1..t+12", 16, 30)
    assert text.endswith("…") and text_width(text, size) <= 30
    lines = wrap("a sentence of some words that is broken", 14, 90)
    assert " ".join(lines) == "a sentence of some words that is broken"
    assert all(text_width(line, 14) <= 90 for line in lines)
