"""Parallel coordinates: every trial of a search is one line, through what was chosen of each key down to its score."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.path import Path
from matplotlib.ticker import LogLocator, MaxNLocator

from pipeline.base.text import show_name
from pipeline.report.figures.drawing import COLOURS, INK, PAPER, Shape, finish, inside_width, start

MOST_LINES = 200  # more than these cannot be told apart, and make the page heavy
_SCALE = LinearSegmentedColormap.from_list("score", [COLOURS[0], "#9a9a9a", COLOURS[4]])  # the best is blue
_BUNDLE = 0.5  # of the room of an option: how wide the lines through the most frequent one stand
_SIZE, _LINE, _LETTER = 7, 0.115, 0.056  # of what stands below an axis: points; inches of a line and of a letter
_NAME, _BETWEEN = 0.2, 0.36  # inches: above an axis, and between the text below one and the next


@dataclass(frozen=True)
class Coordinate:
    """One axis.

    Attributes:
        name: What is chosen.
        values: Of each trial: a number, or the place of its option. Shape (trials,).
        options: What can be chosen, as text; empty of a number.
        low: Where the axis of a number begins.
        high: Where it ends.
        log: Whether the logarithm of the number is drawn.
    """

    name: str
    values: np.ndarray
    options: Sequence[str] = ()
    low: float = 0.0
    high: float = 1.0
    log: bool = False

    def place(self, values: np.ndarray) -> np.ndarray:
        """Return where numbers stand, from 0 to 1."""
        ends = np.array([self.low, self.high])
        low, high = np.log(ends) if self.log else ends
        return np.asarray(((np.log(values) if self.log else values) - low) / ((high - low) or 1.0))

    def spread(self, ranks: np.ndarray) -> np.ndarray:
        """Return where each trial stands, from 0 to 1; those of one option stand side by side, the best on the left.

        Args:
            ranks: Of the trials, the best is 0. Shape (trials,).
        """
        if not self.options:
            return self.place(self.values)
        counts = np.bincount(self.values.astype(int), minlength=len(self.options))
        places = np.empty(len(self.values))
        for option, count in enumerate(counts):
            mine = np.flatnonzero(self.values == option)
            beside = np.arange(count) - (count - 1) / 2
            places[mine[np.argsort(ranks[mine])]] = option + 0.5 + _BUNDLE * beside / counts.max()
        return places / len(self.options)

    def ticks(self, inches: float) -> tuple[np.ndarray, list[str]]:
        """Return where its labels stand, from 0 to 1, and what they say, in lines that fit into so many inches."""
        if self.options:
            room = inches / len(self.options) / _LETTER
            longest = max(len(piece) for text in self.options for piece in _pieces(text))
            staggered = longest > room
            lines = [_break(show_name(text), int(2 * room if staggered else room)) for text in self.options]
            down = 1 + max(text.count("\n") for text in lines[::2])
            told = ["\n" * down * (staggered and number % 2) + text for number, text in enumerate(lines)]
            return (np.arange(len(told)) + 0.5) / len(told), told
        few = max(2, int(inches / 0.6))
        wide = self.high > 30 * self.low
        locator = LogLocator(subs=(1,) if wide and few < 6 else (1, 2, 5)) if self.log else MaxNLocator(few)
        found = np.array([each for each in locator.tick_values(self.low, self.high) if self.low <= each <= self.high])
        return self.place(found), [f"{each:g}" for each in found]


def draw_coordinates(shape: Shape, axes: Sequence[Coordinate], ranks: np.ndarray) -> Figure:
    """Draw a line for each trial, coloured by its rank; the champion's is thick, and drawn above all others.

    Args:
        shape: How wide, and under which title.
        axes: From the top; the last is the score.
        ranks: Of the trials, 0 is the best. The champion is the first trial, whatever its rank. Shape (trials,).
    """
    figure, axis = start(shape)
    names = [] if shape.narrow else [each.name for each in axes]
    width = inside_width(shape, names)
    drawn = [each.ticks(width) for each in axes]
    deep = [_LINE * max((text.count("\n") + 1 for text in told), default=1) for _, told in drawn]
    above = _NAME if shape.narrow else 0.0
    heights = 0.08 + above + np.cumsum([0.0, *(each + _BETWEEN + above for each in deep[:-1])])
    xs = np.stack([each.spread(ranks) for each in axes], axis=1)  # (trials, axes)
    _draw_lines(axis, xs, heights, ranks)
    for each, (places, told), height in zip(axes, drawn, heights, strict=True):
        axis.hlines(height, 0, 1, color=INK, linewidth=1, zorder=4)
        box = {"facecolor": PAPER, "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
        for place, text in zip(places, told, strict=True):
            axis.vlines(place, height, height + 0.04, color=INK, linewidth=1, zorder=4)
            down = height + 0.06 + _LINE * (len(text) - len(text.lstrip("\n")))
            axis.text(place, down, text.lstrip("\n"), size=_SIZE, ha="center", va="top", bbox=box, zorder=5)
        if shape.narrow:
            axis.text(0, height - 0.05, each.name, size=8, weight="bold", va="bottom", bbox=box, zorder=5)
    axis.set(xlim=(0, 1), ylim=(heights[-1] + deep[-1] + 0.1, 0), xticks=[])
    axis.set_yticks(*((heights, names) if names else ([],)))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    handles = [
        Line2D([], [], color=INK, linewidth=2.5, label="the champion"),
        Line2D([], [], color=COLOURS[0], linewidth=2, label="the best scores"),
        Line2D([], [], color=_SCALE(0.5), linewidth=2, label="in the middle"),
        Line2D([], [], color=_SCALE(1.0), linewidth=2, label="the worst"),
    ]
    finish(figure, axis, shape, "", handles, beside=names, height=float(axis.get_ylim()[0]))
    return figure


def _draw_lines(axis: Axes, xs: np.ndarray, heights: np.ndarray, ranks: np.ndarray) -> None:
    """Draw the worst first, so that the good ones stay to be seen."""
    turns = np.repeat(heights, 3)[1:-1]  # each curve leaves an axis straight down and comes straight to the next
    turns[1::3] = turns[2::3] = (heights[:-1] + heights[1:]) / 2
    codes = [Path.MOVETO, *[Path.CURVE4] * (len(turns) - 1)]
    paths = [Path(np.column_stack([np.repeat(row, 3)[1:-1], turns]), codes) for row in xs]
    order = np.argsort(-ranks)
    colours = _SCALE(ranks / max(1, len(ranks) - 1))
    colours[:, 3] = np.clip(25 / len(ranks), 0.35, 0.9)
    shown = [paths[each] for each in order]
    axis.add_collection(
        PathCollection(shown, facecolors="none", edgecolors=colours[order], linewidths=0.9), autolim=False
    )
    best = PathCollection(paths[:1] * 2, facecolors="none", edgecolors=[PAPER, INK], linewidths=[4.5, 2.2], zorder=3)
    axis.add_collection(best, autolim=False)
    axis.scatter(xs[0], heights, color=INK, edgecolors=PAPER, s=34, zorder=6, clip_on=False)


def _pieces(text: str) -> list[str]:
    return re.findall(r"[^,_]+[,_]?|[,_]", text)


def _break(text: str, letters: int) -> str:
    """Break a text after commas and underscores.

    Example:
        >>> print(_break("[log,seasonal_difference]", 12))
        [log,
        seasonal_
        difference]
    """
    lines = [""]
    for piece in _pieces(text):
        if lines[-1] and len(lines[-1] + piece) > letters:
            lines.append("")
        lines[-1] += piece
    return "\n".join(lines)
