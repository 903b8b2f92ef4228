"""Results of a comparison as plain values: statistics in, the document of the answer out."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.base.document import (
    AxisEffect,
    AxisRow,
    BaselineRow,
    ComparisonRow,
    ConfigurationRow,
    DatasetFacts,
    Document,
    FailedRow,
    Level,
)
from pipeline.base.record import LoggedRun, Measure, RunRecord, Status
from pipeline.baselines.registry import BASELINES
from pipeline.comparison.axes import sort_levels
from pipeline.comparison.configurations import Configuration
from pipeline.comparison.pairwise import Comparison, Kind, Rival
from pipeline.comparison.pooling import Cell
from pipeline.comparison.sentences import label, state_comparison
from pipeline.comparison.verdict import state_verdict
from pipeline.config.keys import varying_keys

_OF_INTERVALS = re.compile(r"(coverage|width|msis)_[\d.]+")


@dataclass(frozen=True)
class Findings:
    """What statistics say about runs that were scored on the same values.

    Attributes:
        configurations: The best validation score first.
        cells: Every single configuration.
        axes: The keys whose main effect is shown, each with those that change together with it.
        comparisons: All that were made.
        rivals: The baselines, in the order of their comparisons.
    """

    configurations: Sequence[Configuration]
    cells: Sequence[Cell]
    axes: Mapping[str, Sequence[str]]
    comparisons: Sequence[Comparison]
    rivals: Sequence[Rival]


def make_document(
    found: Findings, runs: Sequence[LoggedRun], by: Sequence[str], scored: str, selection: str
) -> Document:
    """Return the document of a comparison.

    Args:
        found: What the statistics say.
        runs: All that were looked at, those that did not finish as well.
        by: The keys that make a configuration.
        scored: What was scored, in words.
        selection: Which runs were chosen, in words.
    """
    of = {kind: [each for each in found.comparisons if each.kind is kind] for kind in Kind}
    newest = found.configurations[0].cells[0].runs[0]
    params, measure = newest.record.params, newest.record.measure
    name, unit = params.get("dataset.name", ""), params.get("dataset.unit", "")
    keys = list(dict.fromkeys([*by, *varying_keys([run.record.params for run in runs])]))
    return Document(
        selection=selection,
        dataset=DatasetFacts(name, unit, newest.dataset_digest, scored, measure),
        by=tuple(by),
        configurations=tuple(
            _describe_configuration(each, other, measure)
            for each, other in zip(found.configurations, [None, *of[Kind.best]], strict=True)
        ),
        axes=tuple(
            _describe_axis(axis, together, found.cells, [each for each in of[Kind.axis] if axis in each.first], measure)
            for axis, together in found.axes.items()
        ),
        baselines=tuple(
            _describe_baseline(each, rival, measure)
            for each, rival in zip(of[Kind.baseline], found.rivals, strict=True)
        ),
        failed=tuple(describe_failure(run.record, keys) for run in runs if run.record.status is not Status.finished),
        sentences=tuple(state_comparison(each, measure) for each in found.comparisons),
        verdict=state_verdict(found.configurations, of[Kind.baseline], of[Kind.best], found.rivals),
    )


def _describe_configuration(
    configuration: Configuration, against_best: Comparison | None, measure: Measure
) -> ConfigurationRow:
    runs = [run.record for cell in configuration.cells for run in cell.runs]
    return ConfigurationRow(
        parameters=typed_parameters(configuration.parameters),
        runs=tuple(run.run_id for run in runs),
        seeds=len(configuration.scores),
        validation_rmse=configuration.validation_rmse,
        test_rmse=configuration.test_rmse,
        test_mae=configuration.test_mae,
        skills={name: _mean_metric(runs, f"skill_{name}") for name in BASELINES},
        fit_seconds=_mean_metric(runs, "fit_seconds"),
        against_best=None if against_best is None else _describe_comparison(against_best, measure),
        intervals={name: _mean_metric(runs, name) for name in runs[0].metrics if _OF_INTERVALS.fullmatch(name)},
    )


def _mean_metric(runs: Sequence[RunRecord], name: str) -> float:
    """Return the mean over the runs that logged it; NaN if none did."""
    known = [run.metrics[name] for run in runs if name in run.metrics]
    return math.fsum(known) / len(known) if known else math.nan


def _describe_comparison(comparison: Comparison, measure: Measure) -> ComparisonRow:
    return ComparisonRow(
        difference=float(comparison.difference),
        low=float(comparison.low),
        high=float(comparison.high),
        p_seeds=float(comparison.p_seeds),
        diebold_mariano=float(comparison.statistic),
        p=float(comparison.p),
        p_holm=float(comparison.p_holm),
        evidence=bool(comparison.evidence),
        sentence=state_comparison(comparison, measure),
    )


def _describe_axis(
    axis: str, together: Sequence[str], cells: Sequence[Cell], steps: Sequence[Comparison], measure: Measure
) -> AxisRow:
    """Return the levels of an axis with their mean scores, and the effect of every step between adjacent levels."""
    levels = sort_levels([cell.parameters[axis] for cell in cells])
    scores: dict[str, list[float]] = {level: [] for level in levels}
    for cell in cells:
        scores[cell.parameters[axis]].append(cell.mean_rmse)
    return AxisRow(
        name=axis,
        changes_together_with=tuple(together),
        levels=tuple(Level(typed_value(level), float(np.mean(found))) for level, found in scores.items()),
        effects=tuple(
            AxisEffect(
                before=typed_value(step.second[axis]),
                after=typed_value(step.first[axis]),
                matched=step.matched,
                comparison=_describe_comparison(step, measure),
            )
            for step in steps
        ),
    )


def _describe_baseline(comparison: Comparison, rival: Rival, measure: Measure) -> BaselineRow:
    return BaselineRow(
        name=rival.name,
        of=label(rival.parameters) if rival.parameters else "",
        test_rmse=comparison.second_rmse,
        comparison=_describe_comparison(comparison, measure),
    )


def describe_failure(record: RunRecord, keys: Sequence[str]) -> FailedRow:
    """Return a run that did not finish."""
    parameters = typed_parameters({key: record.params.get(key, "-") for key in keys})
    return FailedRow(record.run_id, parameters, record.status.value, record.reason)


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
