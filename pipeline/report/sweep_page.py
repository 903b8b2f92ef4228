"""The report of a sweep: one self-contained page, verdict first, and its figures as files of their own."""

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.report.comparison_text import EXPLANATION, show, title
from pipeline.report.html import page, section, sentence_sections, write_table
from pipeline.report.sweep_figures import Forecast, draw_cost, draw_curves, draw_map, draw_overlay

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


def write_sweep_report(folder: Path, parts: Sequence[Part], command: Sequence[str], failed: Sequence[str]) -> Path:
    """Write the page and its figures.

    Args:
        folder: Where they go; it exists.
        parts: One for each group of comparable runs, for example one per horizon; may be empty.
        command: The words of the command line that made the sweep.
        failed: One line for each run that did not finish.

    Returns:
        The page.
    """
    blocks = []
    for number, part in enumerate(parts):
        prefix = "" if len(parts) == 1 else f"{number + 1}_"
        if len(parts) > 1:
            blocks.append(f"<h1>{escape(_about(part))}</h1>")
        blocks += _part(folder, prefix, part)
    if failed:
        blocks.append(section("Did not finish", ["<ul>", *(f"<li>{escape(line)}</li>" for line in failed), "</ul>"]))
    words = shlex.join(["python", "-m", "pipeline.run", *command])
    blocks.append(section("Repeat it", [f"<p><code>{escape(words)}</code></p>"]))
    heading = title(parts[0].document) if parts else "No run finished"
    path = folder / PAGE
    path.write_text(page(heading if len(parts) < 2 else f"{len(parts)} groups of runs, each scored on its own", blocks))
    return path


def _part(folder: Path, prefix: str, part: Part) -> list[str]:
    document = part.document
    blocks = [
        f'<p class="verdict">{escape(document["verdict"])}</p>',
        f"<p>Scored on {escape(document['dataset']['scored'])}.</p>",
        section("Configurations, the best validation score first", [write_table(document)]),
    ]
    for name, heading, caption in _draw(folder, prefix, part):
        blocks.append(section(heading, [_image(folder / name, caption)]))
    return [*blocks, *sentence_sections({**document, "failed": []}), f"<p>{escape(EXPLANATION)}</p>"]


def _draw(folder: Path, prefix: str, part: Part) -> list[tuple[str, str, str]]:
    """Draw every figure there is data for; return file, heading and what is to be seen of each."""
    document, drawn = part.document, []
    rows, unit = document["configurations"], document["dataset"]["unit"]
    if all(each["fit_seconds"] is not None for each in rows):
        scores = np.array([[each["test_rmse"][key] for key in ("mean", "low", "high")] for each in rows], dtype=float)
        baselines = {each["name"]: each["test_rmse"] for each in document["baselines"]}
        seconds = [each["fit_seconds"] for each in rows]
        draw_cost(folder / f"{prefix}cost.png", [name_row(each) for each in rows], seconds, scores, baselines, unit)
        caption = "Test RMSE over the seconds of training; bars are 95 % intervals over seeds, lines are baselines."
        drawn.append((f"{prefix}cost.png", "Accuracy against cost", caption))
    if part.curves:
        draw_curves(folder / f"{prefix}learning_curves.png", part.curves)
        caption = "Validation loss, mean over seeds; bands reach from the lowest to the highest seed. Best first."
        drawn.append((f"{prefix}learning_curves.png", "Learning curves", caption))
    if part.forecast is not None:
        draw_overlay(folder / f"{prefix}forecast.png", part.forecast)
        caption = "What happened on the test part, what the best by validation forecast, and the baselines."
        drawn.append((f"{prefix}forecast.png", "Forecast of the best by validation", caption))
    grid = _grid(document)
    if grid is not None:
        draw_map(folder / f"{prefix}map.png", *grid, unit)
        caption = f"Mean test RMSE over {grid[0][0]} and {grid[0][1]}, averaged over every other axis."
        drawn.append((f"{prefix}map.png", "Two axes", caption))
    return drawn


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


def _image(path: Path, caption: str) -> str:
    encoded = base64.b64encode(path.read_bytes()).decode()
    return (
        f'<figure><img src="data:image/png;base64,{encoded}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
