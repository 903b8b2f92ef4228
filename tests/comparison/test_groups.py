"""Only runs that were scored on the same values stand in one table."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.errors_file import NAME, measure_test_errors, read_scored_rows, write_test_errors
from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun
from pipeline.comparison.groups import group_by_truth
from pipeline.config.schema import Config, HeadName, ModelConfig
from pipeline.models.heads.registry import head_of
from pipeline.tracking.store import Store

STORE = Store("sqlite:////nowhere/mlflow.db", "0")
MakeRun = Callable[..., LoggedRun]


def write(folder: Path, actual: np.ndarray) -> str:
    """Write the errors of a run on a test part of four rows; return what identifies what it was scored on."""
    folder.mkdir()
    forecasts = np.random.default_rng(len(folder.name)).normal(size=(1, 6, 1, 1))
    times = pd.date_range("1949-01-01", periods=6, freq="MS")
    write_test_errors(
        folder / NAME,
        measure_test_errors(
            times, ["a"], [1], np.arange(6) >= 2, actual, forecasts, {"linear": forecasts[0]}, [1], [1.0], np.ones(1)
        ),
    )
    return read_scored_rows(folder)[0]


def test_runs_are_grouped_by_what_they_were_scored_on(make_run: MakeRun) -> None:
    """Scores that cannot be compared stand in one table, or a table changes with the order of what MLflow gives."""
    runs = [replace(make_run(look_back=str(number)), scored_rows=rows) for number, rows in enumerate("babca")]
    groups = group_by_truth(STORE, runs)
    assert [[run.record.params["look_back"] for run in group] for group in groups] == [["0", "2"], ["1", "4"], ["3"]]
    assert group_by_truth(STORE, []) == []


def test_older_runs_are_known_by_their_files(make_run: MakeRun, tmp_path: Path) -> None:
    """A run from before the tag stands apart from the same experiment of today, or beside another one."""
    actual = np.arange(6.0)[:, None]
    rows = write(tmp_path / "old", actual)
    write(tmp_path / "other", actual + 1)
    new = replace(make_run(), scored_rows=rows)
    old, other = (replace(make_run(), artifact_uri=str(tmp_path / name)) for name in ("old", "other"))
    assert group_by_truth(STORE, [new, other, old]) == [[new, old], [other]]


def test_a_run_without_its_file_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    """A deleted folder ends in a traceback that names no run."""
    run = replace(make_run(), artifact_uri=str(tmp_path))
    with pytest.raises(UserError, match=rf"run {run.record.run_id} has no artifact {NAME}"):
        group_by_truth(STORE, [run])


def test_quantiles_are_compared_where_their_levels_are_the_same(tmp_path: Path) -> None:
    """CRPS over 0.1 to 0.9 would stand beside CRPS over 0.4 to 0.6; or a gaussian head could not be compared at all."""
    heads = [head_of(Config(model=ModelConfig(head=HeadName.quantile, quantiles=[0.4, 0.5, 0.6])))]
    heads += [head_of(Config(model=ModelConfig(head=name))) for name in (HeadName.gaussian, HeadName.student_t)]
    times, test, actual = pd.RangeIndex(6), np.arange(6) >= 2, np.arange(6.0)[:, None]
    found = []
    for head in heads:
        answers = head.spread(np.zeros((1, 6, 1, 1)))
        facts = ["a"], [1], test, actual, answers, {"linear": answers[0]}, [1], [1.0], np.ones(1), head
        found.append(write_test_errors(tmp_path / NAME, measure_test_errors(times, *facts)))
    assert found[0] != found[1] == found[2]
