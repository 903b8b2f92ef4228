"""How much of a score is protocol, for programs: JSON and CSV, whose keys are an interface."""

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from pipeline.base.study import ProtocolDocument, RescoredRun

_OF_RUN = ("run", "label", "trained_under")
_SCORES = ("test_rmse", "std", "points", "persistence_rmse")
_DIFFERENCES = ("difference", "by_points", "by_state", "share", "sentence")


def write_json(document: ProtocolDocument) -> str:
    """Return the whole document as JSON."""
    return json.dumps(asdict(document), indent=2, allow_nan=False, ensure_ascii=False) + "\n"


def write_csv(document: ProtocolDocument) -> str:
    """Return one line per run; a run that cannot be re-scored has a sentence and no numbers."""
    lines = [_flat(row) for row in document.runs]
    refused = [{"run": each.run, "label": each.label, "sentence": each.reason} for each in document.refused]
    text = io.StringIO()
    writer = csv.DictWriter(text, list((lines or refused)[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*lines, *refused])
    return text.getvalue()


def _flat(row: RescoredRun) -> dict[str, Any]:
    flat: dict[str, Any] = {name: getattr(row, name) for name in _OF_RUN}
    flat |= {"seeds": len(row.seeds), "logged_test_rmse": row.logged_test_rmse}
    for protocol, score in (("fair", row.fair), ("tutorial", row.tutorial)):
        flat |= {f"{protocol}_{name}": getattr(score, name) for name in _SCORES}
    return flat | {name: getattr(row, name) for name in _DIFFERENCES}
