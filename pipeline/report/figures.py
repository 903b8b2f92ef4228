"""The two figures of every run: forecasts against the truth, and the learning curves."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

_DPI = 100
_ACTUAL, _NETWORK, _BASELINE = "#222222", "#1f77b4", "#e08214"
_MAX_TARGETS = 4  # more panels than that cannot be read
_MAX_TEST_ROWS, _MAX_ROWS_BEFORE = 140, 60  # with more rows, curves that follow each other cannot be told apart


def draw_forecast(
    path: Path,
    title: str,
    unit: str,
    timestamps: pd.Index,
    targets: Sequence[str],
    test_start: int,
    actual: np.ndarray,
    forecasts: np.ndarray,
    linear: np.ndarray,
) -> None:
    """Draw the last horizon step of every seed, and of the linear fit, before and in the test part.

    Args:
        path: The PNG file.
        title: What was trained, and its scores.
        unit: Unit of the targets.
        timestamps: Of every row. Shape (time,).
        targets: Names of the targets; the first four are drawn.
        test_start: First row of the test part.
        actual: Shape (time, targets).
        forecasts: Shape (seeds, time, horizon_steps, targets).
        linear: Forecasts of a linear fit on the same lags. Shape (time, horizon_steps, targets).
    """
    num_test = len(timestamps) - test_start
    shown = min(num_test, _MAX_TEST_ROWS)
    last = test_start + shown
    rows = slice(max(0, test_start - min(shown, _MAX_ROWS_BEFORE)), last)
    part = "test part" if shown == num_test else f"test part, first {shown} of {num_test} steps"
    names = list(targets)[:_MAX_TARGETS]
    figure, axes = _panels(len(names))
    for column, (axis, name) in enumerate(zip(axes, names, strict=True)):
        each = forecasts[:, rows, -1, column]  # (seeds, time)
        axis.plot(timestamps[rows], actual[rows, column], color=_ACTUAL, linewidth=1.4, label="actual")
        axis.plot(
            timestamps[rows],
            linear[rows, -1, column],
            color=_BASELINE,
            linewidth=1,
            linestyle="--",
            label="linear fit, same lags",
        )
        axis.plot(timestamps[rows], each.mean(axis=0), color=_NETWORK, linewidth=1.4, label="network, mean of seeds")
        if len(each) > 1:
            axis.fill_between(
                timestamps[rows],
                each.min(axis=0),
                each.max(axis=0),
                color=_NETWORK,
                alpha=0.2,
                linewidth=0,
                label="lowest to highest seed",
            )
        axis.axvspan(timestamps[test_start], timestamps[last - 1], color="#888888", alpha=0.1, linewidth=0, label=part)
        axis.set_ylabel(f"{name} [{unit}]")
        axis.margins(x=0.01)
    axes[0].set_title(title, fontsize=10)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, loc="lower center", ncols=5, frameon=False)
    _save(figure, path)


def draw_learning_curve(path: Path, title: str, losses: Mapping[int, tuple[Sequence[float], Sequence[float]]]) -> None:
    """Draw training and validation loss of every seed over the epochs, on a logarithmic axis, in scaled units."""
    figure, (axis,) = _panels(1)
    for number, (train, validation) in enumerate(losses.values()):
        epochs = range(1, len(train) + 1)
        marker = "o" if len(train) == 1 else None
        axis.plot(
            epochs,
            train,
            color=_NETWORK,
            alpha=0.8,
            linewidth=1,
            marker=marker,
            label="training" if number == 0 else None,
        )
        axis.plot(
            epochs,
            validation,
            color=_BASELINE,
            alpha=0.8,
            linewidth=1,
            marker=marker,
            label="validation" if number == 0 else None,
        )
    values = [value for both in losses.values() for curve in both for value in curve]
    if min(values) > 0:
        axis.set_yscale("log")
    axis.set_xlabel("epoch")
    axis.set_ylabel("loss, scaled units")
    axis.set_title(f"{title}\none line per seed", fontsize=10)
    axis.legend(fontsize=8)
    axis.grid(alpha=0.3)
    _save(figure, path)


def _panels(count: int) -> tuple[Figure, Sequence[Axes]]:
    """Return a figure without pyplot, whose import and global state cost more than the drawing."""
    height = 2.2 + 1.8 * count
    figure = Figure(figsize=(9, height), dpi=_DPI)
    FigureCanvasAgg(figure)
    # Fixed margins, in inches above and below: a layout engine draws everything twice.
    figure.subplots_adjust(left=0.09, right=0.985, bottom=0.75 / height, top=1 - 0.55 / height)
    return figure, np.atleast_1d(figure.subplots(count, 1, sharex=True)).tolist()


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path)
