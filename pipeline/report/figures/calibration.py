"""The figure of quantiles: how many values lie below each one, against how many should."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.report.figures.drawing import COLOURS, INK, literal
from pipeline.report.figures.run import make_panels, save_figure


@dataclass(frozen=True)
class Shares:
    """Shares of the test part below each quantile, and their 95 % intervals. Each (levels,)."""

    below: np.ndarray
    lows: np.ndarray
    highs: np.ndarray


def draw_calibration(path: Path, title: str, levels: Sequence[float], found: Mapping[str, Shares]) -> None:
    """Draw a reliability diagram, and the histogram of the probability integral transform of the first.

    Args:
        path: The PNG file.
        title: What was trained, and what its quantiles are worth.
        levels: Of the quantiles, ascending.
        found: By name, the network first.
    """
    figure, (reliability, histogram) = make_panels(2)
    reliability.plot([0, 1], [0, 1], color=INK, linewidth=1, linestyle=":", label="as it should be")
    for (name, shares), colour in zip(found.items(), COLOURS, strict=False):
        away = np.maximum([shares.below - shares.lows, shares.highs - shares.below], 0.0)  # rounding
        reliability.errorbar(levels, shares.below, away, color=colour, marker="o", capsize=3, linewidth=1.2, label=name)
    reliability.set_ylabel("share below it")
    reliability.legend(fontsize=8)
    edges = np.array([0.0, *levels, 1.0])
    first = next(iter(found.values())).below
    density = np.diff(first, prepend=0.0, append=1.0) / np.diff(edges)
    histogram.bar(edges[:-1], density, np.diff(edges), align="edge", color=COLOURS[0], alpha=0.5, edgecolor=COLOURS[0])
    histogram.axhline(1, color=INK, linewidth=1, linestyle=":")
    histogram.set_ylabel("PIT: values between,\nof those there should be")
    histogram.set_xlabel("quantile")
    histogram.set_xlim(0, 1)
    reliability.set_title(literal(title), fontsize=10)
    for axis in (reliability, histogram):
        axis.grid(alpha=0.3)
    save_figure(figure, path)
