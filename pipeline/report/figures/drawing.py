"""What the figures of a sweep have in common: size, margins, legend, and the two forms in which they are written."""

import io
import math
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from pipeline.base.text import show_name, show_text

COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
INK, PAPER, GREY = "#222222", "#ffffff", "#888888"  # in the page ink, paper and the blue follow light and dark
_DPI = 120
_WIDE, _NARROW = 9.2, 4.1  # inches
_HEIGHT, _PANEL_HEIGHT = 3.1, 1.35  # of what is inside the axes, inches
_LEFT, _RIGHT, _BELOW, _LINE = 0.7, 0.15, 0.5, 0.17  # margins, and a line of text, inches
_POINT = 1 / 72  # inch
_LETTER = 0.56  # width of a letter in units of its size
STYLE: Any = {
    "font.size": 9, "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "xtick.color": INK,
    "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "figure.facecolor": PAPER, "axes.facecolor": "none",
    "axes.titley": 1,  # no ticks stand above the axes: to look for them measures every label once more
    "text.parse_math": False,  # a dollar sign in a name is a dollar sign
}  # fmt: skip


@contextmanager
def calm_fonts() -> Iterator[None]:
    """Draw a box for a letter that the font lacks, without a warning for each."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        warnings.filterwarnings("ignore", "Matplotlib currently does not support")  # some scripts, letter by letter
        yield


def literal(text: str, most: int = 100) -> str:
    r"""Return a text as it can stand in a figure that knows mathematics: a dollar sign is a dollar sign.

    Args:
        text: Any text, of one or several lines.
        most: Letters of a line.

    Example:
        >>> print(literal("$_a per $"))
        \$_a per \$
    """
    return "\n".join(show_name(line, most) for line in text.split("\n")).replace("$", r"\$")


@dataclass(frozen=True)
class Shape:
    """What a figure is drawn for.

    Attributes:
        narrow: For a phone.
        title: Above the figure, where nothing else tells what it is; may be empty.
    """

    narrow: bool = False
    title: str = ""


def write_figure(path: Path, draw: Callable[[Shape], Figure], title: str, caption: str) -> tuple[str, str]:
    """Write a figure as PNG on white, and return it for the page: as SVG, wide and narrow, in the page's colours.

    The SVG is markup that may be trusted: texts from outside are escaped in it.

    Args:
        path: The PNG file.
        draw: Draws the figure in a shape.
        title: What the PNG is about.
        caption: What is to be seen, also for those who do not see it.
    """
    with rc_context(STYLE), calm_fonts():
        draw(Shape(title=title)).savefig(path)
    broad, narrow = (_draw_svg(draw, Shape(narrow=each), path.name, caption) for each in (False, True))
    return broad, narrow


def _draw_svg(draw: Callable[[Shape], Figure], shape: Shape, name: str, caption: str) -> str:
    text, kind = io.StringIO(), "narrow" if shape.narrow else "broad"
    # The salt keeps the names of clip paths apart: those of a figure that is not shown do not work elsewhere.
    with rc_context({**STYLE, "svg.hashsalt": f"{name} {kind}"}), calm_fonts():
        draw(shape).savefig(text, format="svg", transparent=True, metadata={"Date": None})
    drawing = text.getvalue()
    drawing = re.sub(r"<metadata>.*?</metadata>", "", drawing[drawing.index("<svg") :], flags=re.DOTALL)
    for colour, name in ((INK, "ink"), (PAPER, "paper"), (COLOURS[0], "mark")):
        drawing = drawing.replace(colour, f"var(--{name})")
    return drawing.replace("<svg ", f'<svg class="{kind}" role="img" aria-label="{escape(caption)}" ', 1)


def start(shape: Shape, rows: int = 1, columns: int = 1) -> tuple[Figure, Axes]:
    """Return a figure, and its first axes, without pyplot, whose import and global state cost more than the drawing."""
    figure = Figure(figsize=(_NARROW if shape.narrow else _WIDE, 4), dpi=_DPI)
    FigureCanvasAgg(figure)
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    return figure, axes[0, 0]


def letters_across(shape: Shape) -> int:
    """Return how many letters of 9 points stand side by side below the axes."""
    return int(((_NARROW if shape.narrow else _WIDE) - _LEFT - _RIGHT) / (9 * _LETTER * _POINT))


def inside_width(shape: Shape, beside: Sequence[str]) -> float:
    """Return how wide the axes will be, in inches, with such names beside them."""
    width = _NARROW if shape.narrow else _WIDE
    return width - _left_margin(width, beside) - _RIGHT


def _left_margin(width: float, beside: Sequence[str]) -> float:
    return min(max(_LEFT, 0.2 + max(map(len, beside), default=0) * 9 * _LETTER * _POINT), 0.45 * width)


def finish(
    figure: Figure, axis: Axes, shape: Shape, value: str, handles: Sequence[Artist],
    rows: int = 1, columns: int = 1, row_titles: int = 0, beside: Sequence[str] = (), height: float = _HEIGHT,
) -> None:  # fmt: skip
    """Write the vertical axis's name above it and the legend below it, where they hide nothing, and fit the margins.

    Args:
        figure: The figure.
        axis: Its first axes.
        shape: How wide, and under which title.
        value: What the vertical axis shows; empty where panels have names.
        handles: Of the legend.
        rows: Of panels.
        columns: Of panels.
        row_titles: Lines of text above each row of panels.
        beside: Names on the vertical axis, where they are no numbers.
        height: Of what is inside the axes, inches, where there are no panels.
    """
    width = float(figure.get_size_inches()[0])
    left = _left_margin(width, beside)
    letters = int((width - left) / (9 * _LETTER * _POINT))
    lines = textwrap.wrap(show_text(value), letters)
    if lines:
        axis.set_title("\n".join(lines), fontsize=9, loc="left")
    above = 0.12 + _LINE * (len(lines) + row_titles)
    titles = textwrap.wrap(show_text(shape.title), letters)
    if titles:
        above += 0.1 + _LINE * len(titles)
    columns_below, lines_below = _lay_out(handles, width)
    below = (_BELOW if axis.get_xlabel() or rows * columns > 1 else _BELOW - _LINE) + _LINE * lines_below
    between = _LINE * (1 + row_titles) + 0.1
    height = above + below + (height if rows * columns == 1 else rows * (_PANEL_HEIGHT + between) - between)
    figure.set_size_inches(width, height)
    figure.subplots_adjust(
        left=left / width, right=1 - _RIGHT / width, bottom=below / height, top=1 - above / height,
        hspace=between / _PANEL_HEIGHT, wspace=0.08,
    )  # fmt: skip
    if titles:
        figure.text(0.1 / width, 1 - 0.08 / height, "\n".join(titles), fontsize=10, weight="bold", va="top")
    if handles:
        figure.legend(
            handles=handles, fontsize=8, loc="lower left", bbox_to_anchor=(0.05 / width, 0), ncols=columns_below,
            frameon=False, borderaxespad=0.1, labelspacing=0.3, columnspacing=1.5,
        )  # fmt: skip


def _lay_out(handles: Sequence[Artist], width: float) -> tuple[int, int]:
    """Break the names that are too long for a legend of this width; return its columns and its lines of text."""
    letter, line = 8 * _LETTER * _POINT, 0.5  # inches; the line or marker before a name
    broken = [textwrap.wrap(show_text(str(handle.get_label())), int((width - line) / letter)) for handle in handles]
    for handle, lines in zip(handles, broken, strict=True):
        handle.set_label("\n".join(lines))
    if not broken or max(map(len, broken)) > 1:
        return 1, sum(map(len, broken))
    longest = max(len(lines[0]) for lines in broken) * letter + line
    columns = max(1, min(len(broken), int(width / longest)))
    return columns, math.ceil(len(broken) / columns)


def place_labels(axis: Axes, points: np.ndarray, labels: Sequence[str], size: float = 9) -> None:
    """Write a label beside each point, on the side where it hides neither a point nor another label.

    Args:
        axis: Axes whose size and limits are final.
        points: In the axes' own units. Shape (points, 2).
        labels: Of the first points.
        size: Of the letters, in points.
    """
    axis.autoscale_view()  # what is drawn last decides the limits only when somebody asks
    inches = axis.transData.transform(points) / axis.figure.dpi
    taken = list(inches)
    for point, place, label in zip(points, inches, labels, strict=False):
        sides = [np.array([across * (0.09 + 0.03 * len(label)), up]) for up in (0.1, -0.1) for across in (1, -1)]
        free = [min(np.abs(place + side - other).sum() for other in taken) for side in sides]
        side = sides[int(np.argmax(np.minimum(free, 0.19)))]  # the first that is free, else the one least covered
        taken.append(place + side)
        axis.annotate(
            label,
            point,
            xytext=tuple(side / _POINT),
            textcoords="offset points",
            fontsize=size,
            ha="center",
            va="center",
        )


def keep_scale(axis: Axes, shown: np.ndarray, others: Sequence[np.ndarray]) -> list[str]:
    """Keep an axis readable when something that is only drawn beside the rest lies far off: it is cut.

    Args:
        axis: The axes.
        shown: What must be seen whole, for example what happened and the middle of the forecasts; NaN does not count.
        others: What may widen the axis by its own height on either side, and not more.

    Returns:
        What a legend should add to the name of each other: ` (beyond the axis)`, or nothing.
    """
    shown, known = shown[np.isfinite(shown)], [each[np.isfinite(each)] for each in others]
    if not shown.size or not any(each.size for each in known):
        return [""] * len(known)
    low, high = float(shown.min()), float(shown.max())
    room = (high - low) or abs(high) or 1.0
    all_others = np.concatenate(known)
    bottom = max(min(low, float(all_others.min())), low - room)
    top = min(max(high, float(all_others.max())), high + room)
    told = [" (beyond the axis)" if each.size and (each.min() < bottom or each.max() > top) else "" for each in known]
    if any(told):
        margin = 0.05 * (top - bottom)
        axis.set_ylim(bottom - margin, top + margin)
    return told


def draw_fan(axis: Axes, along: Any, bands: Mapping[str, np.ndarray]) -> None:
    """Draw intervals of which each lies inside the next, the wider the paler, without letting them set the scale.

    Args:
        axis: Axes on which what must be seen is drawn already.
        along: Places on the horizontal axis. Length time.
        bands: Lower and upper ends by the share they should cover, in per cent, the narrowest first. Each (2, time),
            NaN where there is none.
    """
    bottom, top = axis.get_ylim()
    inner: np.ndarray | None = None
    for place, (share, (low, high)) in enumerate(bands.items()):  # beside each other: shades as the legend has them
        shade: dict[str, Any] = {"color": COLOURS[0], "alpha": 0.3 * 0.5**place, "linewidth": 0}
        name = f"{share} % interval"
        if inner is None:
            axis.fill_between(along, low, high, **shade, label=name)
        else:
            axis.fill_between(along, low, inner[0], **shade, label=name)
            axis.fill_between(along, inner[1], high, **shade)
        inner = np.stack([low, high])
    narrowest = next(iter(bands.values()))  # is always in sight
    axis.set_ylim(min(bottom, np.nanmin(narrowest)), max(top, np.nanmax(narrowest)))


def spread_out(axis: Axes, which: str, values: np.ndarray, least: float = 10) -> bool:
    """Make an axis logarithmic, with plain numbers, where a linear one would press the lower values together.

    Args:
        axis: The axes.
        which: `x` or `y`.
        values: What is drawn.
        least: How many times the lowest value the highest must be; all must be positive.

    Returns:
        Whether it is logarithmic now.
    """
    if values.min() <= 0 or values.max() < least * values.min():
        return False
    axis.set(**{f"{which}scale": "log"})
    one = axis.xaxis if which == "x" else axis.yaxis
    decades = math.log10(values.max() / values.min())
    one.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2 else (1,)))
    one.set_major_formatter(StrMethodFormatter("{x:g}"))
    one.set_minor_formatter(NullFormatter())
    return True
