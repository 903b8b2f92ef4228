"""The answers of the studies for programs: JSON and CSV, whose keys are an interface."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pipeline.base.newer import NewerDocument
from pipeline.base.study import NeighbourDocument, NeighbourRow, ProtocolDocument, RescoredRun, TextRun

_OF_RUN = ("run", "label", "trained_under")
_SCORES = ("test_rmse", "std", "points", "persistence_rmse")
_DIFFERENCES = ("difference", "by_points", "by_state", "share", "sentence")


def write_json(document: ProtocolDocument | NeighbourDocument | NewerDocument) -> str:
    """Return the whole document as JSON."""
    return json.dumps(asdict(document), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_csv(document: ProtocolDocument) -> str:
    """Return one line per run; a run that cannot be re-scored has a sentence and no numbers."""
    lines = [_flat(row) for row in document.runs]
    refused = [{"run": each.run, "label": each.label, "sentence": each.reason} for each in document.refused]
    return _write_lines([*lines, *refused])


def write_neighbours_csv(document: NeighbourDocument) -> str:
    """Return one line per run, and below it one for its n-gram model and for each neighbour."""
    return _write_lines([line for run in document.runs for line in _list_lines(run)])


def write_newer_csv(document: NewerDocument) -> str:
    """Return one line per target, number of steps ahead and forecast, with the run that made it."""
    runs = {"challenger": document.challenger.run, "champion": document.champion.run}
    return _write_lines([{"run": runs.get(row.forecast, "")} | asdict(row) for row in document.scores])


def _list_lines(run: TextRun) -> list[dict[str, Any]]:
    own = {
        "run": run.run, "beside": run.label, "name": run.label, "network": run.network, "seeds": len(run.seeds),
        "train_low": run.train, "train_high": run.train, "validation_low": run.validation,
        "validation_high": run.validation, "test": run.test, "std": run.std, "epochs": max(run.epochs),
        "seconds": run.seconds, "source": "", "sentence": run.sentence,
    }  # fmt: skip
    ngram = {"run": run.run, "beside": run.label, "name": f"Kneser-Ney n-gram, order {run.ngram_order}"}
    return [own, ngram | {"test": run.ngram}, *(_flat_neighbour(run, each) for each in run.neighbours)]


def _flat_neighbour(run: TextRun, row: NeighbourRow) -> dict[str, Any]:
    flat: dict[str, Any] = {"run": run.run, "beside": run.label, "name": row.name, "network": row.network}
    for part, span in (("train", row.train), ("validation", row.validation)):
        if span is not None:
            flat |= {f"{part}_low": span[0], f"{part}_high": span[1]}
    return flat | {"source": row.source, "sentence": "; ".join(row.differences)}


def _write_lines(lines: Sequence[Mapping[str, Any]]) -> str:
    """Return a CSV; the columns are those of the first line."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _flat(row: RescoredRun) -> dict[str, Any]:
    flat: dict[str, Any] = {name: getattr(row, name) for name in _OF_RUN}
    flat |= {"seeds": len(row.seeds), "logged_test_rmse": row.logged_test_rmse}
    for protocol, score in (("fair", row.fair), ("tutorial", row.tutorial)):
        flat |= {f"{protocol}_{name}": getattr(score, name) for name in _SCORES}
    return flat | {name: getattr(row, name) for name in _DIFFERENCES}
