"""The figures of every run: forecasts against the truth, the learning curves, and how far back the state helps."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from pipeline.base.text import show_name
from pipeline.report.figures.drawing import COLOURS, INK, calm_fonts, draw_fan, keep_scale, literal, spread_out

_DPI = 100
ACTUAL, NETWORK, BASELINE = INK, COLOURS[0], COLOURS[1]
_TITLE_LETTERS = 100
_LEGEND_LETTERS = 120  # in one line below a figure
_LARGE, _SMALL = 10, 8  # points
MAX_PANELS = 4  # more panels than that cannot be read
_MAX_TEST_ROWS, _MAX_ROWS_BEFORE = 140, 60  # with more rows, curves that follow each other are not distinguishable


@dataclass(frozen=True)
class ForecastPanel:
    """One target of one lane.

    Attributes:
        name: What the axis is called.
        timestamps: Of every row. Shape (time,).
        test_start: First row of the test part.
        actual: Shape (time,).
        forecasts: Of every seed. Shape (seeds, time).
        linear: Of a linear fit on the same lags. Shape (time,).
        levels: Of the intervals, ascending.
        centres: What they lie around. Shape (time,).
        radii: How far they reach, NaN outside the test part. Shape (time, levels).
    """

    name: str
    timestamps: pd.Index
    test_start: int
    actual: np.ndarray
    forecasts: np.ndarray
    linear: np.ndarray
    levels: Sequence[float] = ()
    centres: np.ndarray | None = None
    radii: np.ndarray | None = None


def draw_forecast(path: Path, title: str, panels: Sequence[ForecastPanel]) -> None:
    """Draw the forecasts of every seed, and of the linear fit, before and in the test part.

    Args:
        path: The PNG file.
        title: What was trained, and its scores.
        panels: Below each other; the first four are drawn.
    """
    shown = list(panels)[:MAX_PANELS]
    figure, axes = make_panels(len(shown), share=len({panel.test_start for panel in shown}) == 1)
    for axis, panel in zip(axes, shown, strict=True):
        _draw_panel(axis, panel)
    axes[0].set_title(literal(title), fontsize=10, y=1)
    handles, labels = axes[0].get_legend_handles_labels()
    columns = 5 if sum(map(len, labels)) <= _LEGEND_LETTERS else 3
    figure.legend(handles, labels, fontsize=8, loc="lower center", ncols=columns, frameon=False)
    save_figure(figure, path)


def _draw_panel(axis: Axes, panel: ForecastPanel) -> None:
    num_test = len(panel.timestamps) - panel.test_start
    count = min(num_test, _MAX_TEST_ROWS)
    last = panel.test_start + count
    rows = slice(max(0, panel.test_start - min(count, _MAX_ROWS_BEFORE)), last)
    part = "test part" if count == num_test else f"test part, first {count} of {num_test} steps"
    times, each = panel.timestamps[rows], panel.forecasts[:, rows]  # (seeds, time)
    axis.plot(times, panel.actual[rows], color=ACTUAL, linewidth=1.4, label="actual")
    seen = np.concatenate([panel.actual[rows], np.median(each, axis=0)])  # a seed that went astray moves no median
    cut = keep_scale(axis, seen, [panel.linear[rows], each.mean(axis=0), each])
    name = f"linear fit, same lags{cut[0]}"
    axis.plot(times, panel.linear[rows], color=BASELINE, linewidth=1, linestyle="--", label=name)
    axis.plot(times, each.mean(axis=0), color=NETWORK, linewidth=1.4, label=f"network, mean of seeds{cut[1]}")
    if panel.centres is not None and panel.radii is not None and np.isfinite(panel.radii[rows]).any():
        away = [-1, 1] * panel.radii[rows][..., None]  # (time, levels, 2)
        ends = (panel.centres[rows][:, None, None] + away).T  # (2, levels, time)
        draw_fan(axis, times, {f"{100 * level:g}": ends[:, place] for place, level in enumerate(panel.levels)})
    elif len(each) > 1:
        lowest, highest = each.min(axis=0), each.max(axis=0)
        label = f"lowest to highest seed{cut[2]}"
        axis.fill_between(times, lowest, highest, color=NETWORK, alpha=0.2, linewidth=0, label=label)
    first, end = panel.timestamps[panel.test_start], panel.timestamps[last - 1]
    axis.axvspan(first, end, color="#888888", alpha=0.1, linewidth=0, label=part)
    name_axis(axis, panel.name)
    axis.margins(x=0.01)


def draw_learning_curve(
    path: Path, title: str, losses: Mapping[int, tuple[Sequence[float], Sequence[float]]], unit: str = "scaled units"
) -> None:
    """Draw training and validation loss of every seed over the epochs, on a logarithmic axis."""
    figure, (axis,) = make_panels(1)
    for number, (train, validation) in enumerate(losses.values()):
        epochs = range(1, len(train) + 1)
        marker = "o" if len(train) == 1 else None
        axis.plot(
            epochs,
            train,
            color=NETWORK,
            alpha=0.8,
            linewidth=1,
            marker=marker,
            label="training" if number == 0 else None,
        )
        axis.plot(
            epochs,
            validation,
            color=BASELINE,
            alpha=0.8,
            linewidth=1,
            marker=marker,
            label="validation" if number == 0 else None,
        )
    spread_out(axis, "y", np.array([value for both in losses.values() for curve in both for value in curve]), least=3)
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    axis.set_xlabel("epoch")
    axis.set_ylabel(f"loss, {unit}")
    axis.set_title(literal(f"{title}\none line per seed"), fontsize=10, y=1)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    save_figure(figure, path)


def draw_memory(
    path: Path, sentence: str, judged: str, step: str, warm_up: np.ndarray, zeroed: np.ndarray, whole: float
) -> None:
    """Draw what validation is judged by against the steps that were read from a zero state.

    Args:
        path: The PNG file.
        sentence: What the curves mean.
        judged: What the curves are, with its unit: `validation RMSE [kW]`.
        step: What is read at one step: `step`, or of a text `character`, `byte` or `word`.
        warm_up: After 1, 2, ... steps. Shape (steps,).
        zeroed: With the state zeroed every 1, 2, ... steps. Shape (steps,).
        whole: After the whole past.
    """
    figure, (axis,) = make_panels(1)
    steps = np.arange(1, len(warm_up) + 1)
    marker = "o" if len(steps) < 16 else None
    axis.plot(steps, warm_up, color=NETWORK, marker=marker, label=f"after so many {step}s from a zero state")
    axis.plot(steps, zeroed, color=BASELINE, marker=marker, linestyle="--", label=f"state zeroed every so many {step}s")
    axis.axhline(whole, color=ACTUAL, linewidth=1, linestyle=":", label="as it was scored")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    if len(steps) == 1:
        axis.set_xticks([1])  # around one point there would be parts of a step
    axis.set_xlabel(f"{step}s read, or between two zeros" if len(steps) > 1 else f"{step}s read")
    name_axis(axis, judged)
    if len(steps) > 32:
        axis.set_xscale("log", base=2)
        axis.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_title(literal("\n".join(_balance(sentence))), fontsize=10, y=1)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    save_figure(figure, path)


def _balance(sentence: str) -> list[str]:
    """Break a sentence into lines of about the same length."""
    num_lines = math.ceil(len(sentence) / _TITLE_LETTERS)
    told = sentence.replace(" %", "\N{NO-BREAK SPACE}%")
    return textwrap.wrap(told, min(_TITLE_LETTERS, len(told) // num_lines + 12))


def name_axis(axis: Axes, name: str) -> None:
    """Write the name of a vertical axis beside it, in two lines of small letters where one is longer than the axis."""
    letters = axis.get_window_extent().height / _DPI * 72 / 0.52  # of one point that stand along the axis
    lines = textwrap.wrap(show_name(name, int(2 * letters / _SMALL) - 2), int(letters / _SMALL))
    small = len(name) > letters / _LARGE
    axis.set_ylabel(literal("\n".join(lines) if small else name), fontsize=_SMALL if small else _LARGE)


def make_panels(count: int, share: bool = True) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure without pyplot, whose import and global state cost more than the drawing."""
    height = 2.2 + 1.8 * count
    figure = Figure(figsize=(9, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    # Fixed margins, in inches above and below: a layout engine draws everything twice.
    figure.subplots_adjust(left=0.09, right=0.985, bottom=0.75 / height, top=1 - 0.55 / height)
    return figure, np.atleast_1d(figure.subplots(count, 1, sharex=share)).tolist()


def save_figure(figure: Figure, path: Path | BytesIO) -> None:
    """Write a figure as PNG."""
    with calm_fonts():
        figure.savefig(path)


def draw_bits(path: Path, title: str, network: Sequence[float], others: Mapping[str, float]) -> None:
    """Draw what a character of the test part costs the network and whatever needs none.

    Args:
        path: The PNG file.
        title: What was trained.
        network: Bits per character of each seed.
        others: The same of n-grams and compressors, by label.
    """
    order = sorted(others, key=lambda name: -others[name])
    values = [*(others[name] for name in order), float(np.mean(network))]
    figure, (axis,) = make_panels(1)
    figure.subplots_adjust(left=0.2)  # names are longer than numbers
    colours = [BASELINE] * len(order) + [NETWORK]
    axis.barh(range(len(values)), values, color=colours, height=0.6)
    axis.plot(network, [len(order)] * len(network), "|", color=INK, markersize=12)
    for place, value in enumerate(values):
        axis.annotate(f" {value:.3f}", (value, place), va="center", fontsize=9)
    axis.set_yticks(range(len(values)), [*map(literal, order), "network, mean of seeds"], fontsize=9)
    axis.set_xlim(0, 1.12 * max(values))
    axis.set_xlabel("bits per character of the test part, fewer are better")
    axis.set_title(literal(title), fontsize=10, y=1)
    axis.grid(alpha=0.3, axis="x")
    save_figure(figure, path)
