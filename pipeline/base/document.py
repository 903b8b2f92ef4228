"""The answer of a comparison as plain values, from which tables, CSV, JSON and pages are made: no live objects.

Sentences are kept one by one, so that nobody takes prose apart again. A number that is not known, such as the spread of
one seed, is NaN. Scores, also those called RMSE here, are what `DatasetFacts.measure` says.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipeline.base.record import Measure


@dataclass(frozen=True)
class Summary:
    """A score over seeds: mean, sample standard deviation and 95 % bootstrap interval of the mean; NaN for one seed."""

    mean: float
    std: float
    low: float
    high: float


@dataclass(frozen=True)
class DatasetFacts:
    """What all compared runs were scored on.

    Attributes:
        name: Of the dataset.
        unit: Of its targets.
        sha256: Of the values; empty if it was not logged.
        scored: The timestamps, targets and steps ahead, in words.
        measure: What runs are judged by.
    """

    name: str
    unit: str
    sha256: str
    scored: str
    measure: Measure


@dataclass(frozen=True)
class ComparisonRow:
    """One paired comparison, the first minus the second.

    Attributes:
        difference: Test RMSE of the first minus that of the second.
        low: Lower end of the 95 % interval over seeds of the difference.
        high: Upper end.
        p_seeds: Of a t test over the seeds.
        diebold_mariano: The statistic over the test timestamps; below 0 when the first has the smaller loss.
        p: Of that test, two-sided.
        p_holm: Corrected for all comparisons that are shown together.
        evidence: Whether timestamps and seeds both tell the two apart.
        sentence: What follows, in words.
    """

    difference: float
    low: float
    high: float
    p_seeds: float
    diebold_mariano: float
    p: float
    p_holm: float
    evidence: bool
    sentence: str


@dataclass(frozen=True)
class ConfigurationRow:
    """One configuration with all its seeds.

    Attributes:
        parameters: What sets it apart, as the values that the logged texts stand for.
        runs: Ids of its runs, the newest first.
        seeds: How many.
        validation_rmse: By which one may choose.
        test_rmse: What the choice is worth.
        test_mae: The same as mean absolute error.
        skills: 1 minus its score over that of a baseline, by the baseline's name.
        fit_seconds: Training of all seeds of a run, mean over the runs.
        against_best: Its comparison with the best by validation; None for that one itself.
        intervals: What the intervals around its forecasts are worth, mean over the runs, by metric: coverage_95,
            width_95 (of one target), msis_95.
    """

    parameters: Mapping[str, Any]
    runs: tuple[str, ...]
    seeds: int
    validation_rmse: Summary
    test_rmse: Summary
    test_mae: Summary
    skills: Mapping[str, float]
    fit_seconds: float
    against_best: ComparisonRow | None
    intervals: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Level:
    """A value of an axis, and the mean test RMSE of all configurations that have it."""

    value: Any
    test_rmse: float


@dataclass(frozen=True)
class AxisEffect:
    """What changes from one level of an axis to the next, over so many matched pairs of configurations."""

    before: Any
    after: Any
    matched: int
    comparison: ComparisonRow


@dataclass(frozen=True)
class AxisRow:
    """A key in which the runs differ.

    Attributes:
        name: The key.
        changes_together_with: Keys whose levels change with it, one with one.
        levels: In their order.
        effects: Of the steps between neighbours that have matched pairs.
    """

    name: str
    changes_together_with: tuple[str, ...]
    levels: tuple[Level, ...]
    effects: tuple[AxisEffect, ...]


@dataclass(frozen=True)
class BaselineRow:
    """A forecast that needs no network, at its strongest.

    Attributes:
        name: Of the baseline.
        of: The configuration whose baseline it is; empty if it is that of the best.
        test_rmse: Its score.
        comparison: The best by validation minus it.
    """

    name: str
    of: str
    test_rmse: float
    comparison: ComparisonRow


@dataclass(frozen=True)
class FailedRow:
    """A run that did not finish."""

    run: str
    parameters: Mapping[str, Any]
    status: str
    reason: str


@dataclass(frozen=True)
class Document:
    """A whole comparison.

    Attributes:
        selection: Which runs were chosen, in words.
        dataset: What they were scored on.
        by: The keys that make a configuration.
        configurations: The best validation score first.
        axes: The keys whose main effect is shown.
        baselines: In the order in which they were logged.
        failed: Runs that did not finish.
        sentences: One for each comparison.
        verdict: The conclusion, one sentence each; the first says it all in short.
    """

    selection: str
    dataset: DatasetFacts
    by: tuple[str, ...]
    configurations: tuple[ConfigurationRow, ...]
    axes: tuple[AxisRow, ...]
    baselines: tuple[BaselineRow, ...]
    failed: tuple[FailedRow, ...]
    sentences: tuple[str, ...]
    verdict: tuple[str, ...]
