"""A drawing in SVG by hand: rectangles, lines and text in a fixed frame, with no script, font or link."""

from dataclasses import dataclass, field
from xml.sax.saxutils import escape

from pipeline.explanation.facts.labels import tidy

# Red, green and blue that people with any colour vision tell apart (Okabe and Ito, 2008), each with a light fill.
RED, GREEN, BLUE = "#C44E00", "#00795A", "#0067A5"
FILLS = {RED: "#FBE3D4", GREEN: "#D3F0E5", BLUE: "#D6EAF8"}
INK, QUIET, PAPER, RULE = "#1B1F24", "#57606A", "#FFFFFF", "#D0D7DE"
_FONT = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"
# Widths of characters in units of the font size, of Helvetica and what replaces it, from narrow to wide.
_WIDTHS = {"ijl.,:;'|!": 0.25, "frt()[]- ": 0.35, "mwMW@%—…": 0.9, "ABCDEFGHIKLNOPQRSTUVXYZ&+=<>": 0.7}
_OTHER = 0.565
_CHARACTERS = {character: width for characters, width in _WIDTHS.items() for character in characters}


@dataclass
class Drawing:
    """Elements in the order in which they are drawn. All positions in pixels, y downwards."""

    width: int
    height: int
    title: str
    description: str
    parts: list[str] = field(default_factory=list)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size: float,
        colour: str = INK,
        anchor: str = "start",
        bold: bool = False,
        room: float | None = None,
    ) -> None:
        """Write one line on the baseline y; with `room`, smaller where it would be wider than that, then cut."""
        text = tidy(text)
        if room is not None:
            size, text = fit(text, size, room * (0.93 if bold else 1))
        weight = ' font-weight="bold"' if bold else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:.1f}" fill="{colour}" text-anchor="{anchor}"{weight}>'
            f"{escape(text)}</text>"
        )

    def heading(self, x: float, y: float, heading: str, told: str = "") -> None:
        """Write a heading and, quietly behind it, what else is to be told: the fonts here do not decide where."""
        quiet = f'<tspan dx="12" font-size="13" font-weight="normal" fill="{QUIET}">{escape(tidy(told))}</tspan>'
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="16.0" fill="{INK}" text-anchor="start" font-weight="bold">'
            f"{escape(tidy(heading))}{quiet if told else ''}</text>"
        )

    def box(
        self, x: float, y: float, width: float, height: float, colour: str, fill: str, dashed: bool = False
    ) -> None:
        """Draw a rectangle with round corners."""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="5" fill="{fill}" '
            f'stroke="{colour}" stroke-width="2"{dash}/>'
        )

    def bar(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """Draw a plain rectangle."""
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{fill}"/>')

    def arrow(self, points: list[tuple[float, float]], colour: str, width: float = 2) -> None:
        """Draw a line through the points with a head at its end; its last piece is horizontal or upright."""
        (x0, y0), (x1, y1) = points[-2:]
        length = max(abs(x1 - x0), abs(y1 - y0), 1e-9)
        dx, dy = (x1 - x0) / length, (y1 - y0) / length
        tail = [*points[:-1], (x1 - 6 * dx, y1 - 6 * dy)]
        self.line(tail, colour, width)
        corners = [(x1, y1), (x1 - 8 * dx - 4 * dy, y1 - 8 * dy + 4 * dx), (x1 - 8 * dx + 4 * dy, y1 - 8 * dy - 4 * dx)]
        self.parts.append(f'<polygon points="{_path(corners)}" fill="{colour}"/>')

    def line(self, points: list[tuple[float, float]], colour: str, width: float = 2) -> None:
        """Draw a line through the points."""
        self.parts.append(f'<polyline points="{_path(points)}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def reset(self, x: float, y: float, length: float, colour: str) -> None:
        """Draw where a state starts from zero: a zero, a bar across, and an arrow that ends at x."""
        self.text(x - length, y + 4.5, "0", 13, colour, bold=True)
        self.line([(x - length + 11, y - 7), (x - length + 11, y + 7)], colour, 2.5)
        self.arrow([(x - length + 11, y), (x, y)], colour)

    def render(self) -> str:
        """Return the file."""
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" font-family="{_FONT}">'
        )
        told = f"<title>{escape(tidy(self.title))}</title>\n<desc>{escape(tidy(self.description))}</desc>"
        paper = f'<rect width="{self.width}" height="{self.height}" rx="10" fill="{PAPER}"/>'
        return "\n".join([head, told, paper, *self.parts, "</svg>", ""])


def text_width(text: str, size: float) -> float:
    """Estimate the width of a line of text, in pixels."""
    return size * sum(_CHARACTERS.get(character, _OTHER) for character in text)


def fit(text: str, size: float, room: float, least: float = 10.5) -> tuple[float, str]:
    """Return a font size, and the text, that fit into `room`: smaller letters first, then fewer."""
    size = max(min(size, room / max(text_width(text, 1), 1e-9)), min(least, size))
    if text_width(text, size) <= room + 0.5:
        return size, text
    while text and text_width(f"{text}…", size) > room:
        text = text[:-1]
    return size, f"{text}…"


def wrap(text: str, size: float, room: float) -> list[str]:
    """Break a text into lines no wider than `room`, between words."""
    lines = [""]
    for word in tidy(text).split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, size) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def _path(points: list[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
