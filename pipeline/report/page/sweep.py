"""The report of a sweep: one self-contained page, verdict first, and its figures as files of their own."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline.base.salvage import Salvage
from pipeline.base.text import show_number
from pipeline.baselines.registry import name_baseline
from pipeline.report.figures.drawing import Shape, write_figure
from pipeline.report.figures.sweep import Forecast, draw_cost, draw_curves, draw_map, draw_overlay
from pipeline.report.page.html import page, section, sentence_sections, split_verdict, write_table, write_verdict
from pipeline.report.terminal.comparison import EXPLANATION, show, show_interval, title

PAGE = "report.html"


@dataclass(frozen=True)
class Part:
    """What one page shows about runs that can be compared with each other.

    Attributes:
        document: The comparison.
        curves: Validation loss of every seed of the best configurations, by name. Each (seeds, epochs).
        forecast: Of the best configuration; None if its files are gone.
    """

    document: Mapping[str, Any]
    curves: Mapping[str, np.ndarray]
    forecast: Forecast | None


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
    blocks = []
    if failed:
        runs = "1 run" if len(failed) == 1 else f"{len(failed)} runs"
        blocks.append(f'<p class="warning">{runs} did not finish: <a href="#failed">see why</a>.</p>')
    if len(parts) > 1:
        blocks.append(f"<ul>{''.join(_summary(number, part) for number, part in enumerate(parts, start=1))}</ul>")
    for number, part in enumerate(parts, start=1):
        prefix = "" if len(parts) == 1 else f"{number}_"
        if len(parts) > 1:
            blocks.append(f'<h1 class="part" id="part{number}">{escape(_about(part))}</h1>')
        blocks += _part(folder, prefix, part, salvage)
    if failed:
        lines = ["<ul>", *(f"<li>{escape(line)}</li>" for line in failed), "</ul>"]
        blocks.append(f'<div id="failed">{section("Did not finish", lines)}</div>')
    words = shlex.join(["python", "-m", "pipeline.run", *command])
    blocks.append(section("Repeat it", [f'<p><code class="command">{escape(words)}</code></p>']))
    heading = title(parts[0].document) if parts else "No run finished"
    path = folder / PAGE
    heading = heading if len(parts) < 2 else f"{len(parts)} groups of runs, each scored on its own"
    path.write_text(page(heading, blocks), encoding="utf-8")
    return path


def _part(folder: Path, prefix: str, part: Part, salvage: Salvage) -> list[str]:
    document = part.document
    blocks = [
        write_verdict(document),
        _facts(document),
        f"<p>Scored on {escape(document['dataset']['scored'])}.</p>",
        section("Configurations, the best validation score first", [write_table(document)]),
    ]
    for name, heading, caption, draw in _figures(part):
        told = f"{document['dataset']['name']}: {heading}"
        path = folder / f"{prefix}{name}.png"
        with salvage.attempt(path.name):
            blocks.append(section(heading, [write_figure(path, draw, told, caption)]))
    return [*blocks, *sentence_sections({**document, "failed": []}), f"<p>{escape(EXPLANATION)}</p>"]


def _summary(number: int, part: Part) -> str:
    first, _ = split_verdict(part.document)
    return f'<li><a href="#part{number}">{escape(part.document["dataset"]["scored"])}</a>: {escape(first)}</li>'


def _facts(document: Mapping[str, Any]) -> str:
    """Return what a reader looks for first: the best, the baseline it has to beat, and how much was trained."""
    rows = document["configurations"]
    best, score, measure = rows[0], rows[0]["test_rmse"], document["dataset"]["measure"]
    interval = f", 95 % interval {show_interval(score)}" if score["low"] is not None else ""
    told = [("Best by validation", name_row(best), f"test {measure} {show_number(score['mean'])}{interval}")]
    if document["baselines"]:
        strongest = min(document["baselines"], key=lambda each: each["test_rmse"])
        name = name_baseline(strongest["name"]) + (f" of {strongest['of']}" if strongest["of"] else "")
        told.append(("Strongest baseline", name, f"test {measure} {show_number(strongest['test_rmse'])}"))
    seeds, seconds = sum(each["seeds"] for each in rows), [each["fit_seconds"] for each in rows]
    count = "1 configuration" if len(rows) == 1 else f"{len(rows)} configurations"
    took = "" if None in seconds else f" in {_duration(sum(seconds))}"
    told.append(("Trained", count, f"{seeds} {'training' if seeds == 1 else 'trainings'}{took}"))
    boxes = [
        f"<div><dt>{head}</dt><dd><strong>{escape(name)}</strong><br>{escape(rest)}</dd></div>"
        for head, name, rest in told
    ]
    return f'<dl class="facts">{"".join(boxes)}</dl>'


def _duration(seconds: float) -> str:
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{show_number(seconds / size, 2)} {unit}"
    return f"{show_number(seconds, 2)} s"


def _figures(part: Part) -> list[tuple[str, str, str, Callable[[Shape], Figure]]]:
    """Return file, heading, what is to be seen, and how to draw it, of every figure there is data for."""
    document, found = part.document, []
    rows, dataset = document["configurations"], document["dataset"]
    score = f"test {dataset['measure']}" + (f" [{dataset['unit']}]" if dataset["measure"] == "RMSE" else "")
    if all(each["fit_seconds"] is not None for each in rows):
        scores = np.array([[each["test_rmse"][key] for key in ("mean", "low", "high")] for each in rows], dtype=float)
        baselines = {each["name"]: each["test_rmse"] for each in document["baselines"]}
        seconds = [each["fit_seconds"] for each in rows]
        names = [name_row(each) for each in rows]
        draw: Callable[[Shape], Figure] = partial(
            draw_cost, names=names, seconds=seconds, scores=scores, baselines=baselines, score=score
        )
        caption = "Lower is better, left is cheaper; bars are 95 % intervals over seeds, lines are baselines. Numbers "
        found.append(("cost", "Accuracy against cost", f"{caption}are the ranks by validation in the table.", draw))
    if part.curves:
        caption = "Validation loss in scaled units: mean over the seeds that still train, from the lowest to the "
        caption += "highest seed, a dot where a seed stops; the other configurations in grey."
        found.append(("learning_curves", "Learning curves", caption, partial(draw_curves, curves=part.curves)))
    if part.forecast is not None:
        caption = "What happened on the test part, what the best by validation forecast, and the baselines."
        draw = partial(draw_overlay, forecast=part.forecast)
        found.append(("forecast", "Forecast of the best by validation", caption, draw))
    grid = _grid(document)
    if grid is not None:
        averaged = " and over every other axis" if len(document["axes"]) > 2 else ""
        caption = f"Mean over seeds{averaged}; darker is lower and better."
        draw = partial(draw_map, axes=grid[0], levels=grid[1], scores=grid[2], score=score)
        found.append(("map", f"Test {dataset['measure']} over {grid[0][0]} and {grid[0][1]}", caption, draw))
    return found


def _grid(document: Mapping[str, Any]) -> tuple[tuple[str, str], tuple[list[str], list[str]], np.ndarray] | None:
    """Return the first two axes, their levels and the mean scores; None if there are fewer."""
    if len(document["axes"]) < 2:
        return None
    first, second = document["axes"][:2]
    levels = tuple([show(level["value"]) for level in axis["levels"]] for axis in (first, second))
    cells: dict[tuple[str, str], list[float]] = {}
    for each in document["configurations"]:
        place = (show(each["parameters"][first["name"]]), show(each["parameters"][second["name"]]))
        cells.setdefault(place, []).append(each["test_rmse"]["mean"])
    scores = np.array([[np.mean(cells.get((row, column), [np.nan])) for column in levels[1]] for row in levels[0]])
    return (first["name"], second["name"]), (levels[0], levels[1]), scores


def name_row(configuration: Mapping[str, Any]) -> str:
    """Name a configuration: `look_back=3 stateful=true`."""
    return " ".join(f"{key}={show(value)}" for key, value in configuration["parameters"].items()) or "the only one"


def _about(part: Part) -> str:
    return f"{title(part.document)}, scored on {part.document['dataset']['scored']}"
