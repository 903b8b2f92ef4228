"""The drawing of an explanation: well-formed, self-contained, and nothing leaves its frame."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Horizons, LagsAs, Order, Wiring
from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.labels import tidy
from pipeline.explanation.facts.sentences import explain_epoch, explain_left_over
from pipeline.explanation.svg.diagram import draw_svg

Draw = Callable[..., Any]
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


@pytest.fixture
def draw(make_explained: Callable[..., Any], read_picture: Callable[[str], Any]) -> Draw:
    """Return the facts of a configuration and the whole drawing of them."""

    def make(**keys: Any) -> tuple[Explanation, Any]:
        facts = make_explained(**keys).facts
        return facts, read_picture(draw_svg(facts))

    return make


@pytest.mark.parametrize("name", SHAPES)
def test_is_well_formed_and_stays_in_its_frame(draw: Draw, name: str) -> None:
    """Breaks a slide: the file cannot be opened, or text and boxes are cut off at its edge."""
    _, picture = draw(**SHAPES[name])
    assert picture.root.get("viewBox") == "0 0 1280 720"
    for word in picture.words:
        assert word.left >= 20 and word.right <= 1262 and 20 <= word.baseline <= 714, word
    for box in picture.boxes:
        assert box.x >= 0 and box.x + box.width <= 1280 and box.y >= 0 and box.y + box.height <= 720
        assert box.width > 0 and box.height > 8


@pytest.mark.parametrize("name", SHAPES)
def test_no_text_runs_into_the_right_column(draw: Draw, name: str) -> None:
    """Breaks reading: the picture or the lane map overlaps the tables beside it."""
    _, picture = draw(**SHAPES[name])
    assert all(word.right <= 862 for word in picture.words if word.baseline > 110 and word.left < 858)


@pytest.mark.parametrize("name", SHAPES)
def test_nothing_is_left_out_of_an_epoch(draw: Draw, name: str) -> None:
    """Breaks "never dropped silently": a sentence of the account finds no room on the slide."""
    facts, picture = draw(**SHAPES[name])
    words = " ".join(" ".join(picture.texts).split())
    for sentence in (*explain_epoch(facts), *explain_left_over(facts)):
        assert tidy(sentence) in words


@pytest.mark.parametrize("name", SHAPES)
def test_numbers_are_those_of_the_configuration(draw: Draw, name: str) -> None:
    """Breaks what is copied from the slide: a shape, a number of parameters or of rows is not that of the network."""
    facts, picture = draw(**SHAPES[name])
    lines: dict[float, list[str]] = {}
    for word in picture.words:
        if word.left >= 858:
            lines.setdefault(word.baseline, []).append(word.text)
    rows = {line[0]: line[1:] for line in lines.values()}
    sizes = {layer.name: f"{layer.num_parameters:,}" for layer in facts.layers}
    shown = {tensor.name: tensor for tensor in facts.tensors if tensor.name in rows}
    assert {"window", "target"} <= set(shown)
    for tensor in shown.values():
        size = [sizes[tensor.name]] if tensor.name in sizes else []
        assert rows[tensor.name] == [str([facts.counts.batch_size, *tensor.shape]), *size]
    assert rows["parameters in all"] == [f"{sum(layer.num_parameters for layer in facts.layers):,}"]
    bars = [box for box in picture.boxes if box.colour is None]
    whole = sum(part.num_rows for part in facts.parts)
    assert [box.width / sum(bar.width for bar in bars) for box in bars] == pytest.approx(
        [part.num_rows / whole for part in facts.parts], abs=1e-3
    )
    told = ", ".join(f"{part.name} {part.num_rows}" for part in facts.parts)
    assert any(text.startswith(told) for text in picture.texts)


def test_the_heading_is_the_title_and_the_summary(draw: Draw) -> None:
    """Breaks a stack of slides: nobody sees which experiment one of them is about."""
    facts, picture = draw(stateful=True)
    assert picture.texts[0] == facts.title == "shop: look_back=3 horizon=1 batch_size=1 stateful=true"
    assert " ".join(picture.texts[1:3]).startswith(facts.summary)
    assert [next(picture.find(kind)).text for kind in ("title", "desc")] == [facts.title, facts.summary]


def test_the_warning_is_on_the_slide(draw: Draw) -> None:
    """Breaks honesty: the tutorials' overlapping order is shown without what is wrong with it."""
    _, picture = draw(**SHAPES["overlapping"])
    words = " ".join(picture.texts)
    assert "Warning: dataset.order=overlapping carries the state over windows that overlap" in words
    assert "dataset.order=phases continues it properly." in words


def test_is_self_contained(make_explained: Callable[..., Any], read_picture: Callable[[str], Any]) -> None:
    """Breaks safety: an image from MLflow runs a script or loads something from the net."""
    case = make_explained(name="</text><script>alert(1)</script>", columns=("<a href='x'>&\"", "p\x01\nq"))
    svg = draw_svg(case.facts)
    picture = read_picture(svg)
    assert picture.kinds == {"svg", "title", "desc", "rect", "text", "tspan", "polyline", "polygon"}
    assert not re.search(r"href=\"|url\(|@import|on\w+=\"", svg)
    assert re.findall(r"https?://[^\"]*", svg) == ["http://www.w3.org/2000/svg"]
    assert any("</text><script>" in text for text in picture.texts)
