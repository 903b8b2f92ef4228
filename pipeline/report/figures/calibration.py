"""The figures of quantiles: how many values lie below each one, against how many should."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from pipeline.report.figures.drawing import COLOURS, INK, Shape, finish, literal, start
from pipeline.report.figures.run import make_panels, save_figure

CURVES = {"network": "network, mean of seeds", "linear": "linear fit, errors of the validation part"}
_SHARE, _PIT = "share of the test part below it", "PIT: values between, of those there should be"


@dataclass(frozen=True)
class Shares:
    """Shares of the test part below each quantile, and their 95 % intervals. Each (levels,)."""

    below: np.ndarray
    lows: np.ndarray
    highs: np.ndarray


@dataclass(frozen=True)
class Reliability:
    """What quantiles are worth.

    Attributes:
        levels: Of the quantiles, ascending.
        found: By name, the network first.
    """

    levels: Sequence[float]
    found: Mapping[str, Shares]


def draw_calibration(path: Path, title: str, worth: Reliability) -> None:
    """Draw a reliability diagram, and the histogram of the probability integral transform of the first, into a file.

    Args:
        path: The PNG file.
        title: What was trained, and what its quantiles are worth.
        worth: What is drawn.
    """
    figure, (reliability, histogram) = make_panels(2)
    _draw_shares(reliability, worth)
    reliability.set_ylabel(_SHARE)
    reliability.legend(fontsize=8)
    _draw_pit(histogram, worth)
    histogram.set_ylabel(_PIT.replace(", ", ",\n"))
    histogram.set_xlabel("quantile")
    reliability.set_title(literal(title), fontsize=10, y=1)
    save_figure(figure, path)


def draw_reliability(shape: Shape, worth: Reliability) -> Figure:
    """Draw the reliability diagram for a page."""
    figure, axis = start(shape)
    _draw_shares(axis, worth)
    axis.set_xlabel("quantile")
    finish(figure, axis, shape, _SHARE, axis.get_legend_handles_labels()[0])
    return figure


def draw_pit(shape: Shape, worth: Reliability) -> Figure:
    """Draw the histogram of the probability integral transform for a page."""
    figure, axis = start(shape)
    _draw_pit(axis, worth)
    axis.set_xlabel("quantile")
    finish(figure, axis, shape, _PIT, [])
    return figure


def _draw_shares(axis: Axes, worth: Reliability) -> None:
    axis.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":", label="as it should be")
    for (name, shares), colour in zip(worth.found.items(), COLOURS, strict=False):
        away = np.maximum([shares.below - shares.lows, shares.highs - shares.below], 0.0)  # rounding
        axis.errorbar(worth.levels, shares.below, away, color=colour, marker="o", capsize=3, linewidth=1.2, label=name)
    axis.grid(alpha=0.3)


def _draw_pit(axis: Axes, worth: Reliability) -> None:
    edges = np.array([0.0, *worth.levels, 1.0])
    first = next(iter(worth.found.values())).below
    density = np.diff(first, prepend=0.0, append=1.0) / np.diff(edges)
    axis.bar(edges[:-1], density, np.diff(edges), align="edge", color=COLOURS[0], alpha=0.5, edgecolor=COLOURS[0])
    axis.axhline(1, color=INK, linewidth=1, linestyle=":")
    axis.set_xlim(0, 1)
    axis.grid(alpha=0.3)
