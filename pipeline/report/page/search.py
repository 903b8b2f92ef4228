"""The report of a search: one self-contained page, the verdict on its champion first."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from pipeline.base.document import Document
from pipeline.base.salvage import Salvage
from pipeline.report.figures.coordinates import MOST_LINES, Coordinate, draw_coordinates
from pipeline.report.figures.drawing import Shape, write_figure
from pipeline.report.figures.search import draw_history, draw_importance
from pipeline.report.figures.sweep import Forecast, draw_overlay
from pipeline.report.page.template import render_page

PAGE = "report.html"
_MOST_ROWS = 30


@dataclass(frozen=True)
class TrialRow:
    """A trial as the page shows it.

    Attributes:
        number: Its number.
        values: What was tried, by key.
        score: On the furthest rung that it reached; None without one.
        rung: Which one that was, from 1; 0 without one.
        state: How it ended, and why.
    """

    number: int
    values: Mapping[str, str]
    score: float | None
    rung: int
    state: str


@dataclass(frozen=True)
class SearchFacts:
    """What the page shows.

    Attributes:
        document: The champion beside the baselines.
        forecast: Of the champion; None if its files are gone.
        sentences: What was found, and what of it is luck.
        trials: All, the best first.
        last: The last rung.
        naive: What repeating the last value scores where trials were judged.
        importance: Share of the differences that each key explains; empty with too few trials.
        coordinates: What was chosen of each key by the trials that are drawn, the champion first, and last their score
            on the first rung; empty with too few trials.
        command: The words of the command line.
    """

    document: Document
    forecast: Forecast | None
    sentences: Sequence[str]
    trials: Sequence[TrialRow]
    last: int
    naive: float
    importance: Mapping[str, float]
    coordinates: Sequence[Coordinate]
    command: Sequence[str]


def write_search_report(folder: Path, facts: SearchFacts, salvage: Salvage) -> Path:
    """Write the page and its figures.

    Args:
        folder: Where they go; it exists.
        facts: What is shown.
        salvage: Keeps the page when one of its figures cannot be drawn.

    Returns:
        The page.
    """
    name, figures = facts.document.dataset.name, []
    for file, heading, caption, draw in _figures(facts):
        path = folder / f"{file}.png"
        with salvage.attempt(path.name):
            broad, narrow = write_figure(path, draw, f"{name}: {heading}", caption)
            figures.append({"heading": heading, "caption": caption, "broad": broad, "narrow": narrow})
    page = render_page(
        "search",
        f"Search: {name}",
        document=facts.document,
        sentences=facts.sentences,
        figures=figures,
        keys=list(facts.trials[0].values) if facts.trials else [],
        trials=facts.trials[:_MOST_ROWS],
        left_out=max(0, len(facts.trials) - _MOST_ROWS),
        last=facts.last,
        command=shlex.join(["python", "-m", "pipeline.search", *facts.command]),
    )
    path = folder / PAGE
    path.write_text(page, encoding="utf-8")
    return path


def _figures(facts: SearchFacts) -> list[tuple[str, str, str, Callable[[Shape], Figure]]]:
    """Return file, heading, caption and drawing of every figure there is data for."""
    dataset, found = facts.document.dataset, list[tuple[str, str, str, Callable[[Shape], Figure]]]()
    score = f"validation {dataset.measure.label}" + (f" [{dataset.unit}]" if dataset.measure.has_unit else "")
    scored = [(row.number, row.score, row.rung) for row in facts.trials if row.score is not None]
    if scored:
        numbers, scores, rungs = zip(*sorted(scored), strict=True)
        draw = partial(draw_history, numbers=numbers, scores=scores, rungs=rungs, last=facts.last, naive=facts.naive)
        caption = "Each trial on the furthest rung that it reached, on folds before the test part; lower is better. "
        caption += "Scores of different rungs are of different folds and seeds: only complete trials are compared."
        found.append(("history", "How the search went", caption, partial(draw, score=score)))
    if facts.coordinates:
        *_, last = facts.coordinates
        ranks = np.argsort(np.argsort(last.values, kind="stable"))
        caption = (
            "Each line is a trial: through what was chosen of each key, down to its score on the first rung, where "
        )
        caption += "every trial was tried alike. Blue ones have the best scores, orange ones the worst."
        if len(ranks) == MOST_LINES:
            caption += f" Of more trials {MOST_LINES} are drawn, from the best to the worst."
        draw_lines = partial(draw_coordinates, axes=facts.coordinates, ranks=ranks)
        found.append(("coordinates", "What was tried", caption, draw_lines))
    if facts.importance:
        caption = "fANOVA of the first rung, where every trial has a score: how much of the differences each key "
        caption += "explains by itself. Few trials make a rough estimate."
        draw_shares = partial(draw_importance, shares=facts.importance)
        found.append(("importance", "Which keys decided", caption, draw_shares))
    if facts.forecast is not None:
        caption = "What happened on the test part, what the champion forecast, and the baselines."
        found.append(("forecast", "Forecast of the champion", caption, partial(draw_overlay, forecast=facts.forecast)))
    return found
