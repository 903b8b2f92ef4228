"""The figure of pipeline.forecast: the network fed with its own forecasts beside the network fed with the truth."""

from io import BytesIO

import pandas as pd
from matplotlib.axes import Axes

from pipeline.report.figures.drawing import literal
from pipeline.report.figures.run import ACTUAL, BASELINE, MAX_PANELS, NETWORK, make_panels, name_axis, save_figure

_KNOWN_BEFORE = 2  # times the steps: how much of the past is drawn


def draw_free_run(file: BytesIO, title: str, unit: str, table: pd.DataFrame, past: list[pd.Series], fed: str) -> None:
    """Draw a panel for each of the first four lanes and targets.

    Args:
        file: Takes the PNG.
        title: Which run it is.
        unit: Unit of the targets.
        table: As `forecast_steps` returns it.
        past: Known values before the table, by timestamp, one series per panel.
        fed: Name of the column with forecasts from true values.
    """
    keys = [key for key in ("lane", "target") if key in table]
    groups = list(table.groupby(keys, sort=False))[:MAX_PANELS]
    figure, axes = make_panels(len(groups), share=False)
    for axis, before, (names, rows) in zip(axes, past, groups, strict=False):
        _draw_panel(axis, before, rows, fed)
        name_axis(axis, f"{': '.join(map(str, names))} [{unit}]")
    axes[0].set_title(literal(title), fontsize=10, y=1)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=8, loc="lower center", ncols=5 if len(labels) < 4 else 3, frameon=False)
    save_figure(figure, file)


def _draw_panel(axis: Axes, before: pd.Series, rows: pd.DataFrame, fed: str) -> None:
    times, steps = rows["timestamp"], len(rows) // 2
    shown = before.iloc[-_KNOWN_BEFORE * steps :]
    if isinstance(times.iloc[-1], str):  # no calendar: the next timestamps are +1, +2, ..., so all are steps from there
        times = pd.Series(range(1 - steps, steps + 1), index=times.index)
        shown = pd.Series(shown.to_numpy(), index=range(1 - steps - len(shown), 1 - steps))
        axis.set_xlabel("steps after the last row")
    known = pd.concat([shown, pd.Series(rows["actual"].to_numpy()[:steps], index=times.to_numpy()[:steps])])
    axis.plot(known.index, known.to_numpy(), color=ACTUAL, linewidth=1.4, label="actual")
    axis.plot(
        times, rows[fed], color=BASELINE, linewidth=1.2, marker=".", label=f"{fed.replace('_', ' ')}, fed with truth"
    )
    for part, label in ((slice(steps), "free run, fed with itself"), (slice(steps, None), None)):
        if rows["free_run"].notna().any():
            axis.plot(times[part], rows["free_run"][part], color=NETWORK, linewidth=1.6, linestyle="--", label=label)
        for low in [str(name) for name in rows if str(name).startswith("low_")]:
            high, share = low.replace("low_", "high_"), low.removeprefix("low_")
            told = label and f"{share} % interval of the free run"
            axis.fill_between(
                times[part], rows[low][part], rows[high][part], color=NETWORK, alpha=0.14, linewidth=0, label=told
            )
        if "direct" in rows:
            direct = label and "direct, all steps from one origin"
            axis.plot(times[part], rows["direct"][part], color="#009e73", linewidth=1, marker="x", label=direct)
    axis.axvspan(times.iloc[0], times.iloc[steps - 1], color="#888888", alpha=0.1, linewidth=0)
    axis.axvline(times.iloc[steps - 1], color="#888888", linewidth=0.8)
    axis.margins(x=0.01)
