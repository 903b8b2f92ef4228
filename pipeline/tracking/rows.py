"""Many runs of a SQLite store at once, as plain rows: MLflow makes an object of each parameter, metric and tag.

Of 20,000 runs these are three million objects, which take a minute and gigabytes.
"""

import math
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlflow.entities import LifecycleStage, RunInfo

_BUSY_SECONDS = 60.0
_CHOSEN = """
    WITH chosen AS (
        SELECT runs.run_uuid FROM runs JOIN tags ON tags.run_uuid = runs.run_uuid
        WHERE runs.experiment_id = :experiment AND runs.lifecycle_stage = :stage
        AND tags.key = :tag AND (tags.value = :value OR :value IS NULL AND tags.value != '')
    )
"""
_INFO = "run_uuid, experiment_id, user_id, status, start_time, end_time, lifecycle_stage, artifact_uri, name"


@dataclass(frozen=True)
class Values:
    """What a run has logged, by name, as MLflow's `RunData` holds it."""

    params: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRow:
    """A run with the attributes of MLflow's `Run` that are read here."""

    info: RunInfo
    data: Values


def read_tagged(database: Path, experiment_id: str, tag: str, value: str | None = None) -> list[RunRow]:
    """Return the runs of an experiment with a tag, the oldest first, no deleted ones.

    Args:
        database: The file of the store.
        experiment_id: The experiment.
        tag: Name of the tag.
        value: Its value; None: any but an empty one.
    """
    chosen = {"experiment": int(experiment_id), "stage": LifecycleStage.ACTIVE, "tag": tag, "value": value}
    uri = f"{database.resolve().as_uri()}?mode=rw"
    with closing(sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS)) as connection:
        connection.execute("BEGIN")  # all four tables as they are at one moment
        found = {row[0]: RunRow(_read_info(row), Values()) for row in _read(connection, "runs", _INFO, chosen)}
        known: dict[str, str] = {}  # one text for equal ones: runs are alike in nearly all they have
        for run_id, key, text in _read(connection, "params", "run_uuid, key, value", chosen):
            found[run_id].data.params[known.setdefault(key, key)] = known.setdefault(text, text)
        for run_id, key, text in _read(connection, "tags", "run_uuid, key, value", chosen):
            found[run_id].data.tags[known.setdefault(key, key)] = known.setdefault(text, text)
        for run_id, key, number, is_nan in _read(connection, "latest_metrics", "run_uuid, key, value, is_nan", chosen):
            found[run_id].data.metrics[known.setdefault(key, key)] = math.nan if is_nan else number
    return sorted(found.values(), key=lambda run: run.info.start_time)


def _read(
    connection: sqlite3.Connection, table: str, columns: str, chosen: Mapping[str, object]
) -> Iterator[tuple[Any, ...]]:
    return connection.execute(f"{_CHOSEN} SELECT {columns} FROM {table} WHERE run_uuid IN chosen", chosen)


def _read_info(row: tuple[Any, ...]) -> RunInfo:
    run_id, experiment, user, status, start, end, stage, artifacts, name = row
    return RunInfo(run_id, str(experiment), user, status, start, end, stage, artifact_uri=artifacts, run_name=name)
