"""A sweep that is interrupted or killed leaves a true record behind, and the same command with resume=true ends it."""

import errno
import io
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

import pipeline.experiment.run
from pipeline.base.record import RunRecord
from pipeline.config.schema import Config, DatasetConfig, Source, TrackingConfig, TrainingConfig
from pipeline.experiment.resumed import ESSENTIAL_FILES
from pipeline.experiment.run import run_experiment
from pipeline.tracking.heartbeat import PROCESS_TAG, process_name
from pipeline.tracking.store import Store, open_store
from tests.commands import run_command
from tests.conftest import ROOT

JOBS = 2


@dataclass(frozen=True)
class Place:
    """A folder with one MLflow store."""

    folder: Path
    experiment: str

    @property
    def tracking(self) -> TrackingConfig:
        uri = f"sqlite:///{self.folder / 'mlflow.db'}"
        return TrackingConfig(uri=uri, experiment_name=self.experiment, log_model=False)

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.tracking.uri)

    def open_store(self) -> Store:
        """Create the store before a command does, so that it can be watched from the beginning."""
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("MLFLOW_TRACKING_URI", raising=False)  # MLflow sets it for the store that was opened last
            return open_store(self.tracking)

    def children(self, status: str | None = None) -> list[Run]:
        """Return the jobs of all sweeps, oldest first."""
        return [
            run for run in self.runs() if "mlflow.parentRunId" in run.data.tags and status in (None, run.info.status)
        ]

    def parents(self) -> list[Run]:
        return [run for run in self.runs() if run.data.tags.get("sweep") == "true"]

    def runs(self) -> list[Run]:
        found = self.client.get_experiment_by_name(self.experiment)
        assert found is not None
        return list(self.client.search_runs([found.experiment_id], order_by=["attributes.start_time ASC"]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Path:
    """One store, with an experiment for each test."""
    folder = tmp_path_factory.mktemp("interrupted")
    make_store(folder)
    return folder


def rows(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.startswith("│")]


# The benchmark of faults, twice: a sweep of two jobs that is killed in its second one, and one that gets a SIGTERM.


@dataclass(frozen=True)
class Faults:
    """Two chains of `benchmarks/faults.py`, each with its folder: hit, and repeated with resume=true."""

    folder: Path
    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Resumed:
    """The first of them, its store watched by a living process, and the same command once more."""

    place: Place
    stranger: str
    after_first: list[Run]
    second: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    folder = tmp_path_factory.mktemp("faults")
    options = ["--kinds", "kill,term", "--kills", "1", "--jobs", str(JOBS), "--ended", "1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "benchmarks"))  # as `python benchmarks/faults.py` has it
        script = runpy.run_path(str(ROOT / "benchmarks" / "faults.py"))
    told, table = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(told), redirect_stdout(table):
        patch.setattr(sys, "argv", ["faults.py", *options, "--forks", "--folder", str(folder)])
        with pytest.raises(SystemExit) as ended:
            script["main"]()
    return Faults(folder, int(ended.value.code or 0), table.getvalue(), told.getvalue())


@pytest.fixture(scope="module")
def resumed(faults: Faults) -> Resumed:
    place = Place(faults.folder / "chain_1", "lstm-pipeline")
    after_first = place.children()
    stranger = place.client.create_run(place.open_store().experiment_id, tags={PROCESS_TAG: process_name()})
    words = [*json.loads(place.parents()[0].data.tags["command"]), "resume=true"]
    settings = {"MLFLOW_TRACKING_URI": str(place.tracking.uri), "PYTHONPROFILEIMPORTTIME": "1"}
    second = run_command("pipeline.run", *words, fresh=True, cwd=place.folder, env={**os.environ, **settings})
    return Resumed(place, stranger.info.run_id, after_first, second)


@pytest.fixture(scope="module")
def terminated(faults: Faults) -> Place:
    return Place(faults.folder / "chain_2", "lstm-pipeline")


def test_nothing_is_lost_by_a_fault(faults: Faults) -> None:
    """A killed sweep loses finished runs, keeps half of one, or cannot be repeated; or the benchmark hides it."""
    assert faults.returncode == 0, faults.stdout + faults.stderr
    lines = [line for line in faults.stdout.splitlines() if line]
    assert [line.split()[0] for line in lines] == ["fault", "kill", "term", "fault", "kill", "term", "2"]
    assert lines[-1] == "2 faults in 2 sweeps, 0 of them lost something"


def test_resume_trains_only_what_is_missing(resumed: Resumed) -> None:
    """An interrupted sweep starts from the beginning, or leaves configurations out."""
    assert [run.info.status for run in resumed.after_first] == ["FINISHED", "KILLED", "FINISHED"]
    hashes = [run.data.tags["config_hash"] for run in resumed.after_first]
    assert hashes[1] == hashes[2] != hashes[0]


def test_resumed_rows_are_in_the_table_with_a_star(resumed: Resumed) -> None:
    """The table of a resumed sweep lacks the rows of earlier commands, or passes old seconds for new ones."""
    table = rows((resumed.place.folder / "resumed.txt").read_text())
    assert len(table) == JOBS
    assert sum("*" in row for row in table) == 1


def test_runs_that_a_crash_left_open_are_killed(resumed: Resumed, terminated: Place) -> None:
    """MLflow shows runs of dead processes as RUNNING for ever, or does not say what ended them."""
    crashed = [*resumed.place.children("KILLED"), resumed.place.parents()[0]]
    assert [run.info.status for run in crashed] == ["KILLED", "KILLED"]
    assert all("crash or kill" in run.data.tags["failure_reason"] for run in crashed)
    assert [run.data.tags["failure_reason"] for run in terminated.children("KILLED")] == ["interrupted (SIGTERM)"]
    assert [run.info.status for run in terminated.parents()] == ["KILLED", "FINISHED"]


def test_an_interrupted_sweep_says_what_is_missing(terminated: Place) -> None:
    """The table of a sweep that a cluster ended looks like that of a whole one."""
    table = (terminated.folder.parent / "chain_2_1_table.txt").read_text()
    assert len(rows(table)) == JOBS
    assert "KILLED" in table and "interrupted (SIGTERM)" in table


def test_a_run_of_a_living_process_is_left_alone(resumed: Resumed) -> None:
    """Resuming one sweep kills the record of another one that is still training."""
    assert resumed.place.client.get_run(resumed.stranger).info.status == "RUNNING"


def test_resuming_a_complete_sweep_trains_nothing(resumed: Resumed) -> None:
    """Looking at a finished sweep again trains it again, or waits for TensorFlow."""
    assert resumed.second.returncode == 0, resumed.second.stderr[-2000:]
    assert len(resumed.place.children()) == len(resumed.after_first)
    assert [run.info.status for run in resumed.place.parents()] == ["KILLED", "FINISHED", "FINISHED"]
    assert len(rows(resumed.second.stdout)) == JOBS
    assert all("*" in row for row in rows(resumed.second.stdout))
    imported = {line.rsplit("|", 1)[1].strip() for line in resumed.second.stderr.splitlines() if "import time:" in line}
    assert "mlflow" in imported
    assert not imported & {"tensorflow", "keras"}


def test_the_same_command_gives_the_same_numbers(resumed: Resumed, terminated: Place) -> None:
    """Training twice with the same seed gives different numbers, so no result can be checked."""
    first, second = (
        {run.data.tags["config_hash"]: run for run in place.children("FINISHED")}
        for place in (resumed.place, terminated)
    )
    assert set(first) == set(second) and len(first) == JOBS
    for config_hash, run in first.items():
        again = second[config_hash]
        for name in ("predictions.csv", "history.csv"):
            files = [Path(each.info.artifact_uri.removeprefix("file://")) / name for each in (run, again)]
            assert files[0].read_bytes() == files[1].read_bytes()
        assert without_seconds(run) == without_seconds(again)


def without_seconds(run: Run) -> dict[str, float]:
    return {name: value for name, value in run.data.metrics.items() if name != "fit_seconds"}


# What counts as the same configuration: checked without training, which decides nothing here.


@pytest.fixture
def train(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> "Train":
    """Return a function that runs one configuration on a CSV of its own, with training replaced by a fixed score."""
    scores = {"validation_rmse": 1.0, "test_rmse": 2.0, "fit_seconds": 3.0}
    outcome = SimpleNamespace(metrics=scores, per_epoch={"loss": [1.0]})

    def score(config: Config, data: object, label: str, folder: Path, *_: object) -> SimpleNamespace:
        for name in ESSENTIAL_FILES:
            with (folder / name).open("wb") as file:
                np.savez(file, nothing=np.zeros(1))
        return outcome

    monkeypatch.setattr(pipeline.experiment.run, "_train_and_score", score)
    monkeypatch.setattr(pipeline.experiment.run, "_log_extras", lambda *_: {})
    (tmp_path / "data.csv").write_text(csv_text(last=20))
    config = Config(
        resume=True,
        dataset=DatasetConfig(
            name="csv",
            source=Source.file,
            path=str(tmp_path / "data.csv"),
            time_column="step",
            features=["value"],
            targets=["value"],
        ),
        training=TrainingConfig(epochs=5),
        tracking=Place(folder, request.node.name).tracking,
    )
    return Train(config, tmp_path)


@dataclass(frozen=True)
class Train:
    config: Config
    folder: Path

    def __call__(self, config: Config | None = None) -> RunRecord:
        return run_experiment(config or self.config, "a run", tell=lambda note: None)

    def telling(self) -> tuple[RunRecord, list[str]]:
        told: list[str] = []
        return run_experiment(self.config, "a run", told.append), told

    @property
    def client(self) -> MlflowClient:
        return MlflowClient(self.config.tracking.uri)

    def finished(self) -> list[str]:
        """Return the ids of all FINISHED runs, the oldest first."""
        experiment = self.client.get_experiment_by_name(self.config.tracking.experiment_name)
        assert experiment is not None
        runs = self.client.search_runs(
            [experiment.experiment_id], "attributes.status = 'FINISHED'", order_by=["attributes.start_time ASC"]
        )
        return [run.info.run_id for run in runs]


def csv_text(last: int) -> str:
    values = [*(time_step * 7 % 20 for time_step in range(39)), last]
    return "step,value\n" + "".join(f"{time_step},{value}\n" for time_step, value in enumerate(values))


def test_an_equal_configuration_is_read_back_with_its_scores(train: Train) -> None:
    """Resume trains what is already there, or reports other numbers than the run has."""
    trained, again = train(), train()
    assert (trained.resumed, again.resumed) == (False, True)
    assert again.run_id == trained.run_id
    assert {name: again.metrics[name] for name in trained.metrics} == trained.metrics
    assert again.params == trained.params


def test_a_renamed_data_file_is_the_same_data(train: Train) -> None:
    """Moving a CSV to another folder trains everything again."""
    train()
    moved = (train.folder / "data.csv").rename(train.folder / "moved.csv")
    assert train(replace(train.config, dataset=replace(train.config.dataset, path=str(moved)))).resumed


def test_one_changed_value_in_the_data_trains_again(train: Train) -> None:
    """Resume reports the scores of old data as those of a file that has changed since."""
    train()
    (train.folder / "data.csv").write_text(csv_text(last=21))
    assert not train().resumed


def test_a_changed_setting_trains_again(train: Train) -> None:
    """Resume takes the scores of one configuration for those of another."""
    train()
    assert not train(replace(train.config, training=TrainingConfig(epochs=6))).resumed
    assert not train(replace(train.config, seeds=4)).resumed


def test_without_resume_everything_is_trained(train: Train) -> None:
    """A run without resume=true silently returns an old result."""
    trained = train()
    again = train(replace(train.config, resume=False))
    assert not again.resumed and again.run_id != trained.run_id


def test_a_failed_run_is_trained_again(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that failed counts as done, so resume never repairs a sweep."""

    def fail(*_: object) -> None:
        raise ValueError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.experiment.run, "_train_and_score", fail)
        with pytest.raises(ValueError, match="out of memory"):
            train()
    assert not train().resumed


def file_of(train: Train, run_id: str, name: str) -> Path:
    return Path(train.client.get_run(run_id).info.artifact_uri.removeprefix("file://")) / name


def damage(path: Path) -> bytes:
    """Cut a file off as a crash of the machine does, and return what is left."""
    left = path.read_bytes()[:-30] if path.suffix == ".npz" else b""
    path.write_bytes(left)
    return left


def test_a_finished_run_without_its_files_is_trained_again(train: Train) -> None:
    """Files that were deleted, or cut off by a crash of the machine, count as done, and compare fails on them."""
    for name in ESSENTIAL_FILES:
        trained = train()
        damage(file_of(train, trained.run_id, name))
        again, told = train.telling()
        assert not again.resumed
        assert told[0].startswith(f"run {trained.run_id} is FINISHED, but its {name} cannot be read")


def test_a_deleted_run_is_trained_again(train: Train) -> None:
    """A run that was thrown away while a sweep was at its earlier jobs stands for its job all the same."""
    trained = train()
    train.client.delete_run(trained.run_id)
    again = train()
    assert not again.resumed and train.finished() == [again.run_id]


def test_one_flipped_bit_is_damage(train: Train) -> None:
    """Weights that a disk has changed stand for the training, and forecasts are made with them."""
    trained = train()
    path = file_of(train, trained.run_id, "weights.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert not train().resumed


def test_a_damaged_run_is_failed_when_another_has_replaced_it(train: Train) -> None:
    """One configuration has two FINISHED runs, or what is left of the damaged one is lost or has another end."""
    name = ESSENTIAL_FILES[0]
    trained = train()
    left = damage(file_of(train, trained.run_id, name))
    before = train.client.get_run(trained.run_id)
    new, told = train.telling()
    after = train.client.get_run(trained.run_id)
    reason = f"{name} cannot be read; run {new.run_id} replaced this run"
    assert (after.info.status, after.data.tags["failure_reason"]) == ("FAILED", reason)
    assert told[-1] == f"run {trained.run_id} is now marked FAILED: {reason}"
    assert file_of(train, trained.run_id, name).read_bytes() == left
    assert after.info.end_time == before.info.end_time and after.data.metrics == before.data.metrics
    assert {**before.data.tags, "failure_reason": reason} == after.data.tags
    assert (train().run_id, train.finished()) == (new.run_id, [new.run_id])


def test_a_damaged_run_stays_finished_until_it_is_replaced(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """A training that fails, or whose own files are damaged, leaves a configuration without any FINISHED run."""
    trained = train()
    damage(file_of(train, trained.run_id, ESSENTIAL_FILES[0]))

    def fail(*_: object) -> None:
        raise ValueError("out of memory")

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.experiment.run, "_train_and_score", fail)
        with pytest.raises(ValueError, match="out of memory"):
            train()
    assert train.finished() == [trained.run_id]
    with monkeypatch.context() as patch:
        nothing = SimpleNamespace(metrics={"test_rmse": 1.0}, per_epoch={})
        patch.setattr(pipeline.experiment.run, "_train_and_score", lambda *_: nothing)
        empty = train()
    assert train.finished() == [trained.run_id, empty.run_id]
    whole = train()
    assert train.finished() == [whole.run_id]


def test_a_mark_that_a_kill_prevented_is_made_by_the_next_resume(train: Train, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed between the end of the new run and the mark, both stay FINISHED; or a store that is full fails the job."""
    trained = train()
    damage(file_of(train, trained.run_id, ESSENTIAL_FILES[0]))

    def refuse(*_: object) -> None:
        raise MlflowException("disk full")

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "update_run", refuse)
        new, told = train.telling()
    assert told[-1].startswith("a run: the mark of damaged runs could not be made and is left out")
    assert train.finished() == [trained.run_id, new.run_id]
    assert train().run_id == new.run_id
    assert train.finished() == [new.run_id]


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), MlflowException("(sqlite3.OperationalError) disk full")]
)
def test_what_ended_a_run_is_told_where_the_store_is_full_too(
    train: Train, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: closing the run fails as well and hides the first error, or the next run of a sweep cannot start."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "another error")

    def fail(*_: object) -> None:
        monkeypatch.setattr(MlflowClient, "set_terminated", refuse)
        monkeypatch.setattr(MlflowClient, "log_batch", refuse)
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(pipeline.experiment.run, "_train_and_score", fail)
        with pytest.raises(type(error)) as raised:
            train()
    assert raised.value is error
    monkeypatch.undo()
    assert mlflow.active_run() is None
