"""The record of a run, as tracking writes it and reports read it back: plain values, no live objects."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

import numpy as np

# Tags of a run by which others find it, and check what it was trained and scored on.
HASH_TAG = "config_hash"
DIGEST_TAG = "dataset_sha256"
LENGTH_TAG = "dataset_rows"
SCORED_TAG = "scored_rows_sha256"


class Status(Enum):
    """How a run ended. A run that raised, or whose loss is not a number, is FAILED; a crash is KILLED."""

    running = "RUNNING"
    finished = "FINISHED"
    failed = "FAILED"
    killed = "KILLED"


@dataclass(frozen=True)
class RunRecord:
    """One configuration with all its seeds.

    Attributes:
        run_id: MLflow run id.
        status: How it ended.
        params: The configuration, dotted keys and text values.
        metrics: Final metrics by MLflow name; empty unless finished.
        reason: Why it failed; empty if it did not.
        resumed: True when it was trained by an earlier command and only read back.
    """

    run_id: str
    status: Status
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    reason: str = ""
    resumed: bool = False


@dataclass(frozen=True)
class LoggedRun:
    """A run read back from MLflow, with what a comparison needs beside its record.

    Attributes:
        record: The run.
        dataset_digest: sha256 of the values it was trained on and scored with; empty if it was not logged.
        artifact_uri: Where its files are.
        started: Start in milliseconds since 1970.
        scored_rows: What identifies the rows it was scored on, see TestErrors.rows; empty if it was not logged.
    """

    record: RunRecord
    dataset_digest: str
    artifact_uri: str
    started: int
    scored_rows: str = ""


@dataclass(frozen=True)
class TestErrors:
    """Forecast minus actual on the test part of one run: all that statistics over timestamps need.

    Attributes:
        errors: Shape (seeds, time, horizon_steps, targets), in the data's own units; NaN where nothing is scored.
        seeds: Number of each seed.
        validation_rmse: Of each seed, in the data's own units. Shape (seeds,).
        baselines: Errors of forecasts that need no network, by name. Each (time, horizon_steps, targets). Empty for
            runs that did not log them.
        rows: sha256 of the timestamps, targets and steps ahead that are scored: equal for comparable runs.
        span: The same for people, for example `48 timestamps from 1957-01-01 to 1960-12-01, passengers, 1 ahead`.
        horizon: The largest step ahead.
    """

    __test__ = False  # pytest: this is no test

    errors: np.ndarray
    seeds: tuple[int, ...]
    validation_rmse: np.ndarray
    baselines: Mapping[str, np.ndarray]
    rows: str
    span: str
    horizon: int
