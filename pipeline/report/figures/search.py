"""The figures of a search: how it went, and which keys decided."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline.report.figures.drawing import COLOURS, GREY, INK, Shape, finish, spread_out, start


def draw_history(
    shape: Shape, numbers: Sequence[int], scores: Sequence[float], rungs: Sequence[int], last: int, naive: float,
    score: str,
) -> Figure:  # fmt: skip
    """Draw what each trial scored on the furthest rung that it reached, and the best complete one so far.

    Args:
        shape: How wide, and under which title.
        numbers: Of the trials that have a score.
        scores: Of each, on its furthest rung.
        rungs: Which one that was, from 1.
        last: The last rung: its trials are complete.
        naive: What repeating the last value scores.
        score: What is drawn, with its unit.
    """
    figure, axis = start(shape)
    number, value, rung = np.array(numbers), np.array(scores), np.array(rungs)
    complete = rung == last
    axis.scatter(number[~complete], value[~complete], color=GREY, s=16, marker="x", linewidth=1)
    axis.scatter(number[complete], value[complete], color=COLOURS[0], s=28, zorder=3)
    if complete.any():
        best = np.minimum.accumulate(value[complete])
        axis.step([*number[complete], number.max()], [*best, best[-1]], where="post", color=COLOURS[1], linewidth=1.5)
    spread_out(axis, "y", np.array([*value, naive]), least=4)
    axis.axhline(naive, color=INK, linewidth=1, linestyle=":")
    axis.set_xlabel("trial")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.grid(alpha=0.3)
    handles = [
        Line2D([], [], linestyle="", marker="x", markersize=5, color=GREY, label="dropped on an earlier rung"),
        Line2D([], [], linestyle="", marker="o", markersize=5, color=COLOURS[0], label="complete"),
        Line2D([], [], color=COLOURS[1], label="best complete so far"),
        Line2D([], [], color=INK, linewidth=1, linestyle=":", label="repeating the last value"),
    ]
    finish(figure, axis, shape, score, handles)
    return figure


def draw_importance(shape: Shape, shares: Mapping[str, float]) -> Figure:
    """Draw which share of the differences between trials each key explains, the largest above.

    Args:
        shape: How wide, and under which title.
        shares: By key; they add up to 1.
    """
    figure, axis = start(shape)
    names = sorted(shares, key=lambda name: shares[name])
    axis.barh(range(len(names)), [shares[name] for name in names], color=COLOURS[0], height=0.6)
    axis.set_yticks(range(len(names)), names)
    axis.tick_params(axis="y", length=0)
    axis.set_xlim(0, 1)
    for place, name in enumerate(names):
        axis.text(min(shares[name] + 0.01, 0.93), place, f"{shares[name]:.2f}", va="center", fontsize=8, color=INK)
    axis.set_xlabel("share of the differences between trials")
    finish(figure, axis, shape, "", [], beside=names)
    return figure
