"""A comparison for programs: JSON and CSV, whose keys are an interface. No number is null, or an empty cell."""

import csv
import io
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from pipeline.base.document import AxisEffect, BaselineRow, ComparisonRow, ConfigurationRow, Document, Summary
from pipeline.base.text import show_value

_MOST_INDENTED = 100  # configurations; JSON of more is for programs, and Python indents slowly
_COLUMNS = {
    each.name: f"difference_{each.name}" if each.name in ("low", "high") else each.name
    for each in fields(ComparisonRow)
}
_SCORES = ("validation_rmse", "test_rmse", "test_mae")


def write_json(document: Document) -> str:
    """Return the whole comparison as JSON."""
    indent = 2 if len(document.configurations) <= _MOST_INDENTED else None
    return json.dumps(plain_document(document), indent=indent, allow_nan=False, ensure_ascii=False) + "\n"


def plain_document(document: Document) -> dict[str, Any]:
    """Return the whole comparison as dicts, lists, texts and numbers; None for no number."""
    return {
        "selection": document.selection,
        "dataset": asdict(document.dataset) | {"measure": document.dataset.measure.label},
        "by": list(document.by),
        "configurations": [_plain_configuration(each) for each in document.configurations],
        "axes": [
            {
                "name": axis.name,
                "changes_together_with": list(axis.changes_together_with),
                "levels": [asdict(level) for level in axis.levels],
                "effects": [_plain_effect(effect) for effect in axis.effects],
            }
            for axis in document.axes
        ],
        "baselines": [_plain_baseline(each) for each in document.baselines],
        "failed": [asdict(each) for each in document.failed],
        "sentences": list(document.sentences),
        "verdict": " ".join(document.verdict),
    }


def write_csv(document: Document) -> str:
    """Return one line per configuration, the best validation score first, then those that did not finish."""
    lines = [
        {"status": "FINISHED", **_shown(document, each.parameters), **_flat(each)} for each in document.configurations
    ]
    lines += [
        {"status": each.status, **_shown(document, each.parameters), "sentence": each.reason}
        for each in document.failed
    ]
    text = io.StringIO()
    writer = csv.DictWriter(text, list(lines[0]), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _shown(document: Document, parameters: Mapping[str, Any]) -> dict[str, str]:
    return {key: show_value(parameters[key]) for key in document.by}


def _flat(row: ConfigurationRow) -> dict[str, Any]:
    flat: dict[str, Any] = {"seeds": row.seeds, "runs": " ".join(row.runs)}
    for score in _SCORES:
        flat |= {f"{score}_{name}": value for name, value in _plain_numbers(getattr(row, score)).items()}
    against = {} if row.against_best is None else _plain_numbers(row.against_best)
    against = against or {"sentence": "the best by validation"}
    return flat | {column: against.get(name) for name, column in _COLUMNS.items()}


def _plain_configuration(row: ConfigurationRow) -> dict[str, Any]:
    return {
        "parameters": dict(row.parameters),
        "runs": list(row.runs),
        "seeds": row.seeds,
        **{name: _plain_numbers(getattr(row, name)) for name in _SCORES},
        **{f"skill_{name}": _number(skill) for name, skill in row.skills.items()},
        "fit_seconds": _number(row.fit_seconds),
        **{name: _number(value) for name, value in row.intervals.items()},
        "against_best": None if row.against_best is None else _plain_numbers(row.against_best),
    }


def _plain_effect(effect: AxisEffect) -> dict[str, Any]:
    place = {"from": effect.before, "to": effect.after, "matched": effect.matched}
    return place | _plain_numbers(effect.comparison)


def _plain_baseline(row: BaselineRow) -> dict[str, Any]:
    return {"name": row.name, "of": row.of, "test_rmse": row.test_rmse} | _plain_numbers(row.comparison)


def _plain_numbers(row: Summary | ComparisonRow) -> dict[str, Any]:
    return {name: _number(value) if isinstance(value, float) else value for name, value in vars(row).items()}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
