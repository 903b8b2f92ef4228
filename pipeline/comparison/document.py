"""Results of a comparison as plain values for JSON, tables and pages: text, numbers, lists; None for no number."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.base.record import RunRecord
from pipeline.baselines.registry import BASELINES
from pipeline.comparison.axes import sort_levels
from pipeline.comparison.configurations import Configuration, Summary
from pipeline.comparison.pairwise import Comparison
from pipeline.comparison.pooling import Cell
from pipeline.comparison.sentences import state_comparison

_ABOUT_RUN = (*(f"skill_{name}" for name in BASELINES), "fit_seconds")


def describe_configuration(
    configuration: Configuration, against_best: Comparison | None, measure: str
) -> dict[str, Any]:
    """Return one row; `against_best` is None for the best configuration itself, `measure` is RMSE or RMSSE."""
    runs = [run.record for cell in configuration.cells for run in cell.runs]
    known = {name: [run.metrics[name] for run in runs if name in run.metrics] for name in _ABOUT_RUN}
    return {
        "parameters": typed_parameters(configuration.parameters),
        "runs": [run.run_id for run in runs],
        "seeds": len(configuration.scores),
        "validation_rmse": _summary(configuration.validation_rmse),
        "test_rmse": _summary(configuration.test_rmse),
        "test_mae": _summary(configuration.test_mae),
        **{name: float(np.mean(values)) if values else None for name, values in known.items()},
        "against_best": None if against_best is None else describe_comparison(against_best, measure),
    }


def describe_comparison(comparison: Comparison, measure: str) -> dict[str, Any]:
    """Return difference (first minus second), interval, test and sentence of a comparison."""
    return {
        "difference": _number(comparison.difference),
        "low": _number(comparison.low),
        "high": _number(comparison.high),
        "p_seeds": _number(comparison.p_seeds),
        "diebold_mariano": _number(comparison.statistic),
        "p": _number(comparison.p),
        "p_holm": _number(comparison.p_holm),
        "evidence": bool(comparison.evidence),
        "sentence": state_comparison(comparison, measure),
    }


def describe_axis(
    axis: str, together: Sequence[str], cells: Sequence[Cell], steps: Sequence[Comparison], measure: str
) -> dict[str, Any]:
    """Return the levels of an axis with their mean scores, and the effect of every step between adjacent levels."""
    levels = sort_levels([cell.parameters[axis] for cell in cells])
    means = {level: [cell.test_rmse.mean() for cell in cells if cell.parameters[axis] == level] for level in levels}
    return {
        "name": axis,
        "changes_together_with": list(together),
        "levels": [{"value": typed_value(level), "test_rmse": float(np.mean(found))} for level, found in means.items()],
        "effects": [
            {
                "from": typed_value(step.second[axis]),
                "to": typed_value(step.first[axis]),
                "matched": step.matched,
                **describe_comparison(step, measure),
            }
            for step in steps
        ],
    }


def describe_failure(record: RunRecord, keys: Sequence[str]) -> dict[str, Any]:
    """Return a run that did not finish."""
    return {
        "run": record.run_id,
        "parameters": typed_parameters({key: record.params.get(key, "-") for key in keys}),
        "status": record.status.value,
        "reason": record.reason,
    }


def typed_parameters(parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return logged parameters as the values they stand for."""
    return {key: typed_value(value) for key, value in parameters.items()}


def typed_value(text: str) -> Any:
    """Return the value that a logged parameter stands for.

    Example:
        >>> typed_value("3"), typed_value("true"), typed_value("[8, 4]"), typed_value("lstm"), typed_value("None")
        (3, True, [8, 4], 'lstm', None)
    """
    if text == "None":
        return None
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, float) and not math.isfinite(value) else value


def _summary(summary: Summary) -> dict[str, float | None]:
    return {name: _number(value) for name, value in asdict(summary).items()}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
