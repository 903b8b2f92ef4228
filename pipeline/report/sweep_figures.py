"""The figures of a whole sweep: accuracy against cost, learning curves, the best forecast, and a map of two axes.

Colours are those of Okabe and Ito; lines also differ in style, points in shape, and the map has its numbers in it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

_DPI = 110
_INK = "#222222"
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
_STYLES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)))
_MARKERS = ("o", "s", "^", "D", "v", "P")
MOST_CURVES = len(_COLOURS)
_MOST_POINTS_NAMED = 12
_MOST_STEPS = 140
_BASELINES = {"persistence": ":", "seasonal": "--", "linear": "-."}
_NAMES = {"seasonal": "seasonal naive", "linear": "linear fit"}


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
    """

    name: str
    times: Sequence[str]
    actual: np.ndarray
    seeds: np.ndarray
    baselines: Mapping[str, np.ndarray]
    label: str


def draw_cost(
    path: Path,
    names: Sequence[str],
    seconds: Sequence[float],
    scores: np.ndarray,
    baselines: Mapping[str, float],
    unit: str,
) -> None:
    """Draw test RMSE against seconds of training, with the interval over seeds and the baselines as lines.

    Args:
        path: The PNG file.
        names: Of the configurations, the best validation score first.
        seconds: Training of all seeds. Length configurations.
        scores: Mean, lower and upper end of the interval; ends may be NaN. Shape (configurations, 3).
        baselines: Test RMSE by name.
        unit: Of the RMSE.
    """
    figure, axis = _figure()
    mean, low, high = scores.T
    spread = np.nan_to_num(np.stack([mean - low, high - mean])).clip(0)
    axis.errorbar(seconds, mean, yerr=spread, fmt="none", ecolor="#888888", elinewidth=1, capsize=3)
    axis.scatter(seconds[1:], mean[1:], color=_COLOURS[0], marker="o", s=28, zorder=3)
    axis.scatter(seconds[:1], mean[:1], color=_COLOURS[1], marker="*", s=160, zorder=4, label="best by validation")
    middle = (min(seconds) + max(seconds)) / 2
    for name, second, score in list(zip(names, seconds, mean, strict=True))[:_MOST_POINTS_NAMED]:
        inwards = {"xytext": (-5, 5), "ha": "right"} if second > middle else {"xytext": (5, 5), "ha": "left"}
        axis.annotate(_plain(name), (second, score), textcoords="offset points", fontsize=7, **inwards)
    for name, score in baselines.items():
        axis.axhline(score, color=_INK, linewidth=1, linestyle=_BASELINES.get(name, "-"), label=_NAMES.get(name, name))
    axis.set_xlabel("training of all seeds [s]")
    axis.set_ylabel(f"test RMSE [{_plain(unit)}]")
    _explain(figure, axis)
    axis.grid(alpha=0.3)
    _save(figure, path)


def draw_curves(path: Path, curves: Mapping[str, np.ndarray]) -> None:
    """Draw the validation loss over the epochs: the mean over seeds, and from the lowest to the highest seed as a band.

    Args:
        path: The PNG file.
        curves: Validation loss of every seed, by configuration. Each (seeds, epochs), NaN after a seed has stopped.
    """
    figure, axis = _figure()
    for number, (name, losses) in enumerate(curves.items()):
        epochs = np.arange(1, losses.shape[1] + 1)
        colour, style = _COLOURS[number % MOST_CURVES], _STYLES[number % MOST_CURVES]
        axis.plot(
            epochs, np.nanmean(losses, axis=0), color=colour, linestyle=style, linewidth=1.5, label=_plain(name),
            marker=_MARKERS[number % MOST_CURVES], markevery=max(1, len(epochs) // 10), markersize=4,
        )  # fmt: skip
        if len(losses) > 1:
            axis.fill_between(
                epochs, np.nanmin(losses, axis=0), np.nanmax(losses, axis=0), color=colour, alpha=0.15, linewidth=0
            )
    if all(np.nanmin(losses) > 0 for losses in curves.values()):
        axis.set_yscale("log")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set_xlabel("epoch")
    axis.set_ylabel("validation loss, scaled units")
    _explain(figure, axis)
    axis.grid(alpha=0.3)
    _save(figure, path)


def draw_overlay(path: Path, forecast: Forecast) -> None:
    """Draw the best configuration's forecasts over what happened and over the baselines, at most 140 test steps."""
    figure, axis = _figure()
    steps = np.arange(min(len(forecast.times), _MOST_STEPS))
    seeds = forecast.seeds[:, steps]
    axis.plot(steps, forecast.actual[steps], color=_INK, linewidth=1.6, label="actual")
    for number, (name, values) in enumerate(forecast.baselines.items()):
        style, told = _BASELINES.get(name, "-"), _NAMES.get(name, name)
        axis.plot(steps, values[steps], color=_COLOURS[2 + number], linestyle=style, linewidth=1, label=told)
    axis.plot(
        steps, seeds.mean(axis=0), color=_COLOURS[0], linewidth=1.6, label=f"{_plain(forecast.name)}, mean of seeds"
    )
    if len(seeds) > 1:
        band = "lowest to highest seed"
        axis.fill_between(
            steps, seeds.min(axis=0), seeds.max(axis=0), color=_COLOURS[0], alpha=0.2, linewidth=0, label=band
        )
    ticks = np.unique(np.linspace(0, len(steps) - 1, 6).round().astype(int))
    axis.set_xticks(ticks, [forecast.times[tick] for tick in ticks], fontsize=8)
    axis.set_ylabel(_plain(forecast.label))
    axis.margins(x=0.01)
    _explain(figure, axis)
    _save(figure, path)


def draw_map(
    path: Path, axes: tuple[str, str], levels: tuple[Sequence[str], Sequence[str]], scores: np.ndarray, unit: str
) -> None:
    """Draw the test RMSE over two axes, with the number in every cell; what was not trained stays empty.

    Args:
        path: The PNG file.
        axes: The key of the rows and the key of the columns.
        levels: Levels of the rows and of the columns.
        scores: Mean test RMSE. Shape (rows, columns), NaN where there is none.
        unit: Of the RMSE.
    """
    figure, axis = _figure()
    image = axis.imshow(np.ma.masked_invalid(scores), cmap="cividis_r", aspect="auto")
    middle = (np.nanmin(scores) + np.nanmax(scores)) / 2
    for row, column in np.argwhere(np.isfinite(scores)):
        value = scores[row, column]
        ink = "white" if value > middle else "black"
        axis.text(column, row, f"{value:.3g}", ha="center", va="center", fontsize=8, color=ink)
    for set_ticks, names in ((axis.set_yticks, levels[0]), (axis.set_xticks, levels[1])):
        set_ticks(range(len(names)), [_plain(name) for name in names], fontsize=8)
    axis.set_ylabel(_plain(axes[0]))
    axis.set_xlabel(_plain(axes[1]))
    figure.colorbar(image, label=f"test RMSE [{_plain(unit)}], lower is better")
    _save(figure, path)


def _figure() -> tuple[Figure, Axes]:
    """Return a figure without pyplot, whose import and global state cost more than the drawing."""
    figure = Figure(figsize=(8, 4.2), dpi=_DPI)
    FigureCanvasAgg(figure)
    figure.subplots_adjust(left=0.13, right=0.98, bottom=0.26, top=0.97)
    return figure, figure.subplots()


def _explain(figure: Figure, axis: Axes) -> None:
    """Put the legend below the axis, where it hides nothing."""
    figure.legend(*axis.get_legend_handles_labels(), fontsize=8, loc="lower center", ncols=3, frameon=False)


def _plain(text: str) -> str:
    """Keep matplotlib from reading a dollar sign in a name as mathematics."""
    return text.replace("$", r"\$")


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path)
