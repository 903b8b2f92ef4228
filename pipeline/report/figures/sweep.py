"""The figures of a whole sweep: accuracy against cost, learning curves, the best forecast, and a map of two axes.

Colours are those of Okabe and Ito; lines also differ in style, points have numbers, and the map has its values in it.
Every figure is drawn once wide and once narrow, because letters that are scaled down to a phone cannot be read.
"""

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from pipeline.base.text import show_number
from pipeline.baselines.registry import name_baseline
from pipeline.report.figures.drawing import (
    COLOURS,
    GREY,
    INK,
    PAPER,
    Shape,
    draw_fan,
    finish,
    keep_scale,
    letters_across,
    place_labels,
    spread_out,
    start,
)

MOST_CURVES = 6
_MOST_POINTS_NAMED = 12
_MOST_STEPS = 140
_FAR = 1000  # times the lowest or highest score: a baseline beyond it would press the scores together
_SMALLEST = 4  # points; smaller numbers cannot be read even when the page is enlarged
_STYLES: tuple[Any, ...] = (":", "--", (0, (5, 1, 1, 1, 1, 1)), "-.")  # of the baselines, in their order


@dataclass(frozen=True)
class Forecast:
    """The forecasts of one run on the test part: first target, furthest step ahead.

    Attributes:
        name: The configuration.
        times: Label of every step. Length time.
        actual: What happened. Shape (time,).
        seeds: Forecast of every seed. Shape (seeds, time).
        baselines: Forecasts that need no network, by name. Each (time,).
        label: The target with its unit.
        bands: Intervals around the mean of the seeds: lower and upper ends by the share they should cover, in per cent,
            the narrowest first. Each (2, time), NaN where there is none. Empty without intervals.
    """

    name: str
    times: Sequence[str]
    actual: np.ndarray
    seeds: np.ndarray
    baselines: Mapping[str, np.ndarray]
    label: str
    bands: Mapping[str, np.ndarray] = field(default_factory=dict)


def draw_cost(
    shape: Shape,
    names: Sequence[str],
    seconds: Sequence[float],
    scores: np.ndarray,
    baselines: Mapping[str, float],
    score: str,
) -> Figure:
    """Draw test RMSE against seconds of training, with the interval over seeds and the baselines as lines.

    Args:
        shape: How wide, and under which title.
        names: Of the configurations, the best validation score first.
        seconds: Training of all seeds. Length configurations.
        scores: Mean, lower and upper end of the interval; ends may be NaN. Shape (configurations, 3).
        baselines: Test RMSE by name.
        score: What is drawn, with its unit.
    """
    figure, axis = start(shape)
    mean, low, high = scores.T
    spread = np.nan_to_num(np.stack([mean - low, high - mean])).clip(0)
    axis.errorbar(seconds, mean, yerr=spread, fmt="none", ecolor=GREY, elinewidth=1, capsize=2)
    axis.scatter(seconds[1:], mean[1:], color=COLOURS[0], s=24, zorder=3)
    axis.scatter(seconds[:1], mean[:1], color=COLOURS[1], marker="*", s=150, zorder=4)
    spread_out(axis, "x", np.asarray(seconds))
    lines = _draw_baselines(axis, mean, baselines)
    axis.set_xlabel("training of all seeds [s]")
    axis.grid(alpha=0.3)
    named = [f"{number}  {name}" for number, name in enumerate(names[:_MOST_POINTS_NAMED], start=1)]
    numbers = [
        Line2D([], [], linestyle="", color=COLOURS[0], marker="o", markersize=5, label=told) for told in named[1:]
    ]
    numbers.insert(0, Line2D([], [], linestyle="", color=COLOURS[1], marker="*", markersize=9, label=named[0]))
    finish(figure, axis, shape, f"{score}; star: best by validation", [*numbers, *lines])
    place_labels(axis, np.column_stack([seconds, mean]), [str(row + 1) for row in range(len(numbers))])
    return figure


def _draw_baselines(axis: Axes, mean: np.ndarray, baselines: Mapping[str, float]) -> list[Line2D]:
    """Draw baselines as lines and spread the axis; return what the legend says of each.

    One that is all but perfect lies at the foot of a linear axis. A logarithmic one has no 0, and would press the
    configurations together to reach 1e-15: there it is named with its number, like one that is far above them.
    """
    highest = _FAR * mean.max()
    near = [value for value in baselines.values() if mean.min() / _FAR <= value <= highest]
    lowest = mean.min() / _FAR if spread_out(axis, "y", np.array([*mean, *near])) else 0.0
    lines = []
    for (name, value), style in zip(baselines.items(), cycle(_STYLES), strict=False):
        look: dict[str, Any] = {"color": INK, "linewidth": 1, "linestyle": style, "label": name_baseline(name)}
        if lowest <= value <= highest:
            lines.append(axis.axhline(value, **look))
        else:
            look["label"] += f": {show_number(value, 3)} (beyond the axis)"
            lines.append(Line2D([], [], **look))
    return lines


def draw_curves(shape: Shape, curves: Mapping[str, np.ndarray]) -> Figure:
    """Draw the validation loss over the epochs, a panel for each configuration, the others in grey behind it.

    The line is the mean over the seeds that still train, the band reaches from the lowest to the highest of them, and a
    dot is where a seed has stopped.

    Args:
        shape: How wide, and under which title.
        curves: Validation loss of every seed, by configuration. Each (seeds, epochs), NaN after a seed has stopped.
    """
    columns = min(len(curves), 2 if shape.narrow else 3)
    rows = math.ceil(len(curves) / columns)
    figure, axis = start(shape, rows, columns)
    panels = figure.axes
    for panel in panels[len(curves) :]:
        panel.remove()
    means = [np.nanmean(losses, axis=0) for losses in curves.values()]
    letters = 26 if shape.narrow else 44
    titles = [textwrap.wrap(f"{number}  {name}", letters) for number, name in enumerate(curves, start=1)]
    for number, (panel, losses) in enumerate(zip(panels, curves.values(), strict=False)):
        for other in means[:number] + means[number + 1 :]:
            panel.plot(np.arange(1, len(other) + 1), other, color=GREY, alpha=0.45, linewidth=0.8)
        _draw_losses(panel, losses, means[number])
        panel.set_title("\n".join(titles[number]), fontsize=8, loc="left")
        panel.grid(alpha=0.3)
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True, steps=[1, 2, 5, 10]))
        if number + columns >= len(curves):
            panel.set_xlabel("epoch")
            panel.tick_params(labelbottom=True)
    values = np.concatenate([losses[np.isfinite(losses)] for losses in curves.values()])
    spread_out(axis, "y", values, least=3)
    finish(figure, axis, shape, "", [], rows=rows, columns=columns, row_titles=max(map(len, titles)))
    return figure


def _draw_losses(panel: Axes, losses: np.ndarray, mean: np.ndarray) -> None:
    epochs = np.arange(1, losses.shape[1] + 1)
    if len(losses) > 1:
        lowest, highest = np.nanmin(losses, axis=0), np.nanmax(losses, axis=0)
        panel.fill_between(epochs, lowest, highest, color=COLOURS[0], alpha=0.25, linewidth=0)
    panel.plot(epochs, mean, color=COLOURS[0], linewidth=1.6)
    last = np.isfinite(losses).sum(axis=1)
    panel.plot(last, losses[np.arange(len(losses)), last - 1], "o", color=COLOURS[1], markersize=2.5)


def draw_overlay(shape: Shape, forecast: Forecast) -> Figure:
    """Draw the best configuration's forecasts over what happened and over the baselines, at most 140 test steps."""
    figure, axis = start(shape)
    count = min(len(forecast.times), _MOST_STEPS)
    steps = np.arange(count)
    seeds = forecast.seeds[:, steps]
    axis.plot(steps, forecast.actual[steps], color=INK, linewidth=1.6, label="actual")
    baselines = {name: values[steps] for name, values in forecast.baselines.items()}
    seen = np.concatenate([forecast.actual[steps], np.median(seeds, axis=0)])  # a seed that went astray moves no median
    of_mean, of_band, *of_baselines = keep_scale(axis, seen, [seeds.mean(axis=0), seeds, *baselines.values()])
    label = f"{forecast.name}, mean of seeds{of_mean}"
    axis.plot(steps, seeds.mean(axis=0), color=COLOURS[0], linewidth=1.8, label=label)
    bands = {share: ends[:, steps] for share, ends in forecast.bands.items()}
    bands = {share: ends for share, ends in bands.items() if np.isfinite(ends).any()}
    if bands:
        draw_fan(axis, steps, bands)
    elif len(seeds) > 1:
        lowest, highest = seeds.min(axis=0), seeds.max(axis=0)
        label = f"lowest to highest seed{of_band}"
        axis.fill_between(steps, lowest, highest, color=COLOURS[0], alpha=0.25, linewidth=0, label=label)
    for number, ((name, values), cut) in enumerate(zip(baselines.items(), of_baselines, strict=True)):
        colour, style = COLOURS[(1 + number) % len(COLOURS)], _STYLES[number % len(_STYLES)]
        axis.plot(steps, values, color=colour, linestyle=style, linewidth=1.1, label=name_baseline(name) + cut)
    times = [time.removesuffix(" 00:00:00").replace(" ", "\n") for time in forecast.times]
    if any("\n" in time for time in times):
        axis.set_xlabel(" ")  # room for the hours below the days
    longest = max(len(line) for time in times for line in time.split("\n"))
    most = max(2, min(6, int(0.7 * letters_across(shape) / longest)))
    ticks = np.unique(np.linspace(0, count - 1, most).round().astype(int))
    axis.set_xticks(ticks, [times[tick] for tick in ticks])
    axis.get_xticklabels()[0].set_horizontalalignment("left")  # neither end is cut
    axis.get_xticklabels()[-1].set_horizontalalignment("right")
    axis.margins(x=0.01)
    axis.grid(alpha=0.3)
    part = "" if count == len(forecast.times) else f", first {count} of {len(forecast.times)} test steps"
    finish(figure, axis, shape, f"{forecast.label}{part}", axis.get_legend_handles_labels()[0])
    return figure


def draw_map(
    shape: Shape, axes: tuple[str, str], levels: tuple[Sequence[str], Sequence[str]], scores: np.ndarray, score: str
) -> Figure:
    """Draw the test RMSE over two axes, with the number in every cell that has room; what was not trained stays empty.

    Args:
        shape: How wide, and under which title.
        axes: The key of the rows and the key of the columns.
        levels: Levels of the rows and of the columns.
        scores: Mean test RMSE. Shape (rows, columns), NaN where there is none.
        score: What is drawn, with its unit.
    """
    figure, axis = start(shape)
    axis.pcolormesh(np.ma.masked_invalid(scores), cmap="cividis", edgecolors=PAPER, linewidth=2)
    axis.invert_yaxis()
    middle = (np.nanmin(scores) + np.nanmax(scores)) / 2
    names_of_rows = [f"{axes[0]}={level}" for level in levels[0]]
    told = {place: show_number(scores[place], 3) for place in map(tuple, np.argwhere(np.isfinite(scores)).tolist())}
    room = (letters_across(shape) - max(map(len, names_of_rows))) / scores.shape[1]  # letters of 9 points in a cell
    size = min(11, 9 * 0.8 * room / max(map(len, told.values())), 130 / len(scores))
    for (row, column), text in told.items() if size >= _SMALLEST else ():
        ink = "black" if scores[row, column] > middle else "#fefefe"
        axis.text(column + 0.5, row + 0.5, text, ha="center", va="center", fontsize=size, color=ink)
    for set_ticks, names in ((axis.set_yticks, names_of_rows), (axis.set_xticks, levels[1])):
        set_ticks(np.arange(len(names)) + 0.5, list(names))
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    axis.set_xlabel(axes[1])
    finish(figure, axis, shape, score, [], beside=names_of_rows)
    return figure
