"""Text drawn on a grid of characters, with a colour name per character."""

from dataclasses import dataclass, field
from enum import Enum
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


class Ink(Enum):
    """What a character belongs to; the values are colours of a terminal."""

    plain = ""
    heading = "bold"
    red = "red"  # input
    green = "green"  # hidden
    blue = "bright_blue"  # output
    quiet = "dim"


@dataclass
class Canvas:
    """Characters by position; the grid grows as it is drawn on."""

    cells: dict[tuple[int, int], tuple[str, Ink]] = field(default_factory=dict)

    def write(self, x: int, y: int, text: str, ink: Ink = Ink.plain) -> None:
        """Write a line of text whose first character stands at column x of line y."""
        for offset, character in enumerate(text):
            self.cells[x + offset, y] = (character, ink)

    def box(self, x: int, y: int, width: int, text: str, ink: Ink) -> None:
        """Draw a box, three lines high, with a centred text."""
        self.write(x, y, f"┌{'─' * (width - 2)}┐", ink)
        self.write(x, y + 1, f"│{text[: width - 2]:^{width - 2}}│", ink)
        self.write(x, y + 2, f"└{'─' * (width - 2)}┘", ink)

    def lines(self) -> list["Line"]:
        """Return the drawing line by line, without trailing blanks."""
        height = 1 + max((y for _, y in self.cells), default=-1)
        drawn = []
        for y in range(height):
            width = 1 + max((x for x, row in self.cells if row == y), default=-1)
            spans = [self.cells.get((x, y), (" ", Ink.plain)) for x in range(width)]
            grouped = groupby(spans, key=lambda span: span[1])
            drawn.append(Line([("".join(text for text, _ in group), ink) for ink, group in grouped]))
        return drawn


@dataclass(frozen=True)
class Line:
    """A line of text in pieces of one colour each."""

    pieces: list[tuple[str, Ink]]

    @classmethod
    def of(cls, text: str, ink: Ink = Ink.plain) -> "Line":
        """Return a line of one colour."""
        return cls([(text, ink)])

    def __str__(self) -> str:
        """Return the text without colours."""
        return "".join(text for text, _ in self.pieces).rstrip()


def colour(lines: list[Line]) -> "Text":
    """Return the lines with the colours of a terminal."""
    from rich.text import Text

    text = Text()
    for line in lines:
        for piece, ink in line.pieces:
            text.append(piece, style=ink.value)
        text.append("\n")
    return text
