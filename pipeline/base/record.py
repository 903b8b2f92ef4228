"""The record of a run, as tracking writes it and reports read it back: plain values, no live objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

# Tags of a run by which others find it, and check what it was trained and scored on.
HASH_TAG = "config_hash"
AUTO_TAG = "transforms_auto"  # what dataset.transforms=auto chose, and why
DIGEST_TAG = "dataset_sha256"
LENGTH_TAG = "dataset_rows"
SCORED_TAG = "scored_values_sha256"
REASON_TAG = "failure_reason"  # why a run did not finish
ALL_ROWS_TAG = "all_rows"  # of a run: how it was trained again on all rows, which forecasts
SURE_TAGS = ("coverage", "calibration")  # what its intervals and its quantiles are worth, a sentence each


class Status(Enum):
    """How a run ended. A run that raised, or whose loss is not a number, is FAILED; a crash is KILLED."""

    running = "RUNNING"
    finished = "FINISHED"
    failed = "FAILED"
    killed = "KILLED"


@dataclass(frozen=True)
class Measure:
    """What runs are chosen and judged by; the head of a network says which one it is.

    Attributes:
        name: In names of metrics.
        label: In headings and sentences.
        has_unit: Whether it has the data's own unit.
        cost: What the forecast for one timestamp costs, of which this is the mean or its root; in the plural.
        meaning: What it is, for a line under a table; empty where everybody knows.
        lower_is_better: Whether the best run has the lowest.
        place: What each forecast is made for, in the singular.
        has_mae: Whether a mean absolute error says something else about the same forecasts.
    """

    name: str
    label: str
    has_unit: bool
    cost: str
    meaning: str = ""
    lower_is_better: bool = True
    place: str = "timestamp"
    has_mae: bool = True

    def of(self, part: str) -> str:
        """Name its metric: `of("test")` is for example test_NAME, `of("baseline_linear")` that of a baseline."""
        return f"{part}_{self.name}"

    def rank(self, score: float) -> float:
        """Return a number that is lower for a better score."""
        return score if self.lower_is_better else -score


@dataclass(frozen=True)
class RunRecord:
    """One configuration with all its seeds.

    Attributes:
        run_id: MLflow run id.
        status: How it ended.
        params: The configuration, dotted keys and text values.
        metrics: Final metrics by MLflow name; empty unless finished.
        measure: What the run is chosen and judged by.
        reason: Why it failed; empty if it did not.
        resumed: True when it was trained by an earlier command and only read back.
    """

    run_id: str
    status: Status
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    measure: Measure
    reason: str = ""
    resumed: bool = False

    def score(self, part: str) -> float:
        """Return the mean over seeds of what the run is judged by, on `validation` or `test`."""
        return self.metrics[self.measure.of(part)]

    @property
    def validates(self) -> bool:
        """Whether what it is chosen by is of a validation part; where there is none it is of the training part."""
        tutorial = self.params.get("protocol") == "tutorial"
        return not tutorial and float(self.params.get("dataset.validation_fraction", 1)) > 0

    @property
    def judged(self) -> str:
        """What it is chosen by, in words, for example `validation RMSE`."""
        return f"{'validation' if self.validates else 'training'} {self.measure.label}"

    def baseline(self, name: str) -> float:
        """Return the same score of a baseline on the test part."""
        return self.metrics[self.measure.of(f"baseline_{name}")]


@dataclass(frozen=True)
class LoggedRun:
    """A run read back from MLflow, with what a comparison needs beside its record.

    Attributes:
        record: The run.
        dataset_digest: sha256 of the values it was trained on and scored with; empty if it was not logged.
        artifact_uri: Where its files are.
        started: Start in milliseconds since 1970.
        scored_rows: What identifies the values it was scored on, see TestErrors.rows; empty if it was not logged.
        sure: What its intervals and quantiles are worth, a sentence each.
    """

    record: RunRecord
    dataset_digest: str
    artifact_uri: str
    started: int
    scored_rows: str = ""
    sure: tuple[str, ...] = ()


@dataclass(frozen=True)
class TestErrors:
    """Forecast minus actual on the test part of one run: all that statistics over timestamps need.

    Attributes:
        errors: Shape (seeds, time, horizon_steps, targets), with a head that says more than one number (..., targets,
            numbers); in the data's own units, NaN where nothing is scored. The rows of several lanes lie one after
            another.
        seeds: Number of each seed.
        validation_rmse: Of each seed, in the data's own units. Shape (seeds,).
        baselines: Errors of forecasts that need no network, by name. Each (time, horizon_steps, targets...). Empty for
            runs that did not log them.
        times: Number of the timestamp of each row, ascending with time; rows of several lanes share them. Shape
            (time,).
        scale: What the errors of each target are divided by before targets are averaged; 1 for a single target, which
            keeps its own units. Shape (targets,).
        rows: sha256 of what is scored: timestamps, lanes, targets, steps ahead and actual values. Equal for comparable
            runs, whatever they read to forecast it.
        span: The same for people, for example `48 timestamps from 1957-01-01 to 1960-12-01, passengers, 1 ahead`.
        horizon: The largest step ahead.
    """

    __test__ = False  # pytest: this is no test

    errors: np.ndarray
    seeds: tuple[int, ...]
    validation_rmse: np.ndarray
    baselines: Mapping[str, np.ndarray]
    times: np.ndarray
    scale: np.ndarray
    rows: str
    span: str
    horizon: int
