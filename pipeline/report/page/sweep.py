"""The report of a sweep: one self-contained page, verdict first, and its figures as files of their own."""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib import rc_context
from matplotlib.figure import Figure

from pipeline.base.document import Document
from pipeline.base.salvage import Salvage
from pipeline.base.text import show_number, show_value
from pipeline.baselines.registry import find_strongest, name_baseline
from pipeline.report.figures.calibration import Reliability, draw_pit, draw_reliability
from pipeline.report.figures.drawing import STYLE, Shape, calm_fonts, write_figure
from pipeline.report.figures.sweep import Forecast, draw_cost, draw_curves, draw_map, draw_overlay
from pipeline.report.page.template import MOST_SENTENCES, render_page
from pipeline.report.wording import list_sentences, name_row, show_interval, title

PAGE = "report.html"


@dataclass(frozen=True)
class Part:
    """What one page shows about runs that can be compared with each other.

    Attributes:
        document: The comparison.
        curves: Validation loss of every seed of the best configurations, by name. Each (seeds, epochs).
        forecast: Of the best configuration; None if its files are gone.
        sure: What its intervals and quantiles are worth, a sentence each.
        reliability: The same of its quantiles, to be drawn; None without any.
    """

    document: Document
    curves: Mapping[str, np.ndarray]
    forecast: Forecast | None
    sure: Sequence[str] = ()
    reliability: Reliability | None = None


@dataclass(frozen=True)
class _Fact:
    """A box with what a reader looks for first."""

    about: str
    name: str
    rest: str


@dataclass(frozen=True)
class _Plan:
    """A figure that can be drawn: its file without ending, its heading, what is to be seen, and how to draw it."""

    file: str
    heading: str
    caption: str
    draw: Callable[[Shape], Figure]


@dataclass(frozen=True)
class _Drawn:
    """A figure as SVG, for a wide page and for a narrow one."""

    heading: str
    caption: str
    broad: str
    narrow: str


@dataclass(frozen=True)
class _PartOfPage:
    """A part as the template shows it."""

    title: str
    document: Document
    facts: Sequence[_Fact]
    sure: Sequence[str]
    figures: Sequence[_Drawn]
    sections: Sequence[tuple[str, Sequence[str]]]


def write_sweep_report(
    folder: Path, parts: Sequence[Part], command: Sequence[str], failed: Sequence[str], salvage: Salvage
) -> Path:
    """Write the page and its figures.

    Args:
        folder: Where they go; it exists.
        parts: One for each group of comparable runs, for example one per horizon; may be empty.
        command: The words of the command line that made the sweep.
        failed: One line for each run that did not finish.
        salvage: Keeps the page when one of its figures cannot be drawn.

    Returns:
        The page.
    """
    prefixes = [f"{number}_" if len(parts) > 1 else "" for number in range(1, len(parts) + 1)]
    page = render_page(
        "sweep",
        _head(parts),
        parts=[_lay_out(folder, prefix, part, salvage) for prefix, part in zip(prefixes, parts, strict=True)],
        failed=failed,
        command=shlex.join(["python", "-m", "pipeline.run", *command]),
    )
    path = folder / PAGE
    path.write_text(page, encoding="utf-8")
    return path


def _head(parts: Sequence[Part]) -> str:
    if len(parts) > 1:
        return f"{len(parts)} groups of runs, each scored on its own"
    return title(parts[0].document) if parts else "No run finished"


def _lay_out(folder: Path, prefix: str, part: Part, salvage: Salvage) -> _PartOfPage:
    figures = []
    for plan in _figures(part):
        path = folder / f"{prefix}{plan.file}.png"
        with salvage.attempt(path.name):
            broad, narrow = write_figure(path, plan.draw, _title(part, plan), plan.caption)
            figures.append(_Drawn(plan.heading, plan.caption, broad, narrow))
    return _PartOfPage(
        title=title(part.document),
        document=part.document,
        facts=_facts(part.document),
        sure=part.sure,
        figures=figures,
        sections=list_sentences(part.document, MOST_SENTENCES, failed=False),  # the page tells of them once, at its end
    )


def _facts(document: Document) -> list[_Fact]:
    """Return what a reader looks for first: the best, the baseline it has to beat, and how much was trained."""
    rows, measure = document.configurations, document.dataset.measure.label
    best, score = rows[0], rows[0].test_rmse
    interval = f", 95 % interval {show_interval(score)}" if math.isfinite(score.low) else ""
    told = [_Fact("Best by validation", name_row(best), f"test {measure} {show_number(score.mean)}{interval}")]
    if document.baselines:
        strongest = document.baselines[find_strongest([each.test_rmse for each in document.baselines])]
        name = name_baseline(strongest.name) + (f" of {strongest.of}" if strongest.of else "")
        told.append(_Fact("Strongest baseline", name, f"test {measure} {show_number(strongest.test_rmse)}"))
    seeds, seconds = sum(each.seeds for each in rows), sum(each.fit_seconds for each in rows)
    count = "1 configuration" if len(rows) == 1 else f"{len(rows)} configurations"
    took = f" in {_duration(seconds)}" if math.isfinite(seconds) else ""
    told.append(_Fact("Trained", count, f"{seeds} {'training' if seeds == 1 else 'trainings'}{took}"))
    return told


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{show_number(seconds / size, 2)} {unit}"
    return f"{show_number(seconds, 2)} s"


def draw_figures(part: Part) -> dict[str, Figure]:
    """Return every figure there is data for by its name, without writing it."""
    with rc_context(STYLE), calm_fonts():
        return {plan.file: plan.draw(Shape(title=_title(part, plan))) for plan in _figures(part)}


def _title(part: Part, plan: _Plan) -> str:
    return f"{part.document.dataset.name}: {plan.heading}"


def _figures(part: Part) -> list[_Plan]:
    """Return every figure there is data for."""
    document, found = part.document, []
    rows, dataset = document.configurations, document.dataset
    score = f"test {dataset.measure.label}" + (f" [{dataset.unit}]" if dataset.measure.has_unit else "")
    if all(math.isfinite(each.fit_seconds) for each in rows):
        draw: Callable[[Shape], Figure] = partial(
            draw_cost,
            names=[name_row(each) for each in rows],
            seconds=[each.fit_seconds for each in rows],
            scores=np.array([[each.test_rmse.mean, each.test_rmse.low, each.test_rmse.high] for each in rows]),
            baselines={each.name: each.test_rmse for each in document.baselines},
            score=score,
        )
        caption = "Lower is better, left is cheaper; bars are 95 % intervals over seeds, lines are baselines. Numbers "
        caption += "are the ranks by validation in the table."
        found.append(_Plan("cost", "Accuracy against cost", caption, draw))
    if part.curves:
        caption = "Validation loss in scaled units: mean over the seeds that still train, from the lowest to the "
        caption += "highest seed, a dot where a seed stops; the other configurations in grey."
        found.append(_Plan("learning_curves", "Learning curves", caption, partial(draw_curves, curves=part.curves)))
    if part.forecast is not None:
        caption = "What happened on the test part, what the best by validation forecast, and the baselines."
        if part.forecast.bands:
            caption += " The fan is its conformal intervals: they should cover the share that the legend says."
        draw = partial(draw_overlay, forecast=part.forecast)
        found.append(_Plan("forecast", "Forecast of the best by validation", caption, draw))
    if part.reliability is not None:
        caption = (
            "For each quantile the share of the test part that lies below it, with its exact 95 % interval; on the "
        )
        caption += "dotted line it is the share that should."
        draw = partial(draw_reliability, worth=part.reliability)
        found.append(_Plan("reliability", "Are the quantiles of the best what they say?", caption, draw))
        caption = (
            "The histogram of the probability integral transform: how many values lie between each two quantiles, "
        )
        caption += "over how many should. Bars of 1 are right; high ends: too narrow; a high middle: too wide."
        found.append(
            _Plan("pit", "Where the values lie among them", caption, partial(draw_pit, worth=part.reliability))
        )
    grid = _grid(document)
    if grid is not None:
        averaged = " and over every other axis" if len(document.axes) > 2 else ""
        caption = f"Mean over seeds{averaged}; darker is lower and better."
        draw = partial(draw_map, axes=grid[0], levels=grid[1], scores=grid[2], score=score)
        found.append(_Plan("map", f"Test {dataset.measure.label} over {grid[0][0]} and {grid[0][1]}", caption, draw))
    return found


def _grid(document: Document) -> tuple[tuple[str, str], tuple[list[str], list[str]], np.ndarray] | None:
    """Return the first two axes, their levels and the mean scores; None if there are fewer."""
    if len(document.axes) < 2:
        return None
    first, second = document.axes[:2]
    rows, columns = ([show_value(level.value) for level in axis.levels] for axis in (first, second))
    cells: dict[tuple[str, str], list[float]] = {}
    for each in document.configurations:
        place = (show_value(each.parameters[first.name]), show_value(each.parameters[second.name]))
        cells.setdefault(place, []).append(each.test_rmse.mean)
    scores = np.array([[np.mean(cells.get((row, column), [np.nan])) for column in columns] for row in rows])
    return (first.name, second.name), (rows, columns), scores
