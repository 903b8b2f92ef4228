"""What stands in a drawing, read back from its SVG."""

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from pipeline.explanation.svg.drawing import text_width

NAMESPACE = "{http://www.w3.org/2000/svg}"


@dataclass(frozen=True)
class Word:
    """A line of text, in pixels."""

    left: float
    right: float
    baseline: float
    text: str


@dataclass(frozen=True)
class Box:
    """A rectangle, in pixels."""

    x: float
    y: float
    width: float
    height: float
    colour: str | None  # of its edge; a bar has none
    dashed: bool


@dataclass(frozen=True)
class Picture:
    """A drawing whose XML is well-formed."""

    root: ElementTree.Element

    def find(self, kind: str) -> Iterator[ElementTree.Element]:
        return self.root.iter(f"{NAMESPACE}{kind}")

    @property
    def kinds(self) -> set[str]:
        return {each.tag.removeprefix(NAMESPACE) for each in self.root.iter()}

    @property
    def words(self) -> list[Word]:
        found = []
        for each in self.find("text"):
            text = each.text or ""
            width = text_width(text, float(each.get("font-size", "")))
            shift = {"start": 0, "middle": width / 2, "end": width}[each.get("text-anchor", "")]
            left = float(each.get("x", "")) - shift
            found.append(Word(left, left + width, float(each.get("y", "")), text))
        return found

    @property
    def texts(self) -> list[str]:
        return [word.text for word in self.words]

    @property
    def boxes(self) -> list[Box]:
        """Every rectangle but the paper."""
        sides = ("x", "y", "width", "height")
        return [
            Box(*(float(each.get(side, "")) for side in sides), each.get("stroke"), "stroke-dasharray" in each.attrib)
            for each in self.find("rect")
            if each.get("rx") != "10"
        ]

    def text_in(self, box: Box) -> list[str]:
        """Return what is written in a box; it must not reach over its edge."""
        inside = [
            word
            for word in self.words
            if box.y < word.baseline < box.y + box.height and box.x < (word.left + word.right) / 2 < box.x + box.width
        ]
        assert all(word.left >= box.x and word.right <= box.x + box.width for word in inside), inside
        return [word.text for word in inside]


@pytest.fixture
def read_picture() -> Callable[[str], Picture]:
    """Read an SVG file."""
    return lambda svg: Picture(ElementTree.fromstring(svg))
