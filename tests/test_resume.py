"""A sweep that is interrupted or killed leaves a true record behind, and the same command with resume=true ends it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run

import pipeline.experiment
from pipeline.config import Config, DatasetConfig, Source, TrackingConfig, TrainingConfig
from pipeline.experiment import run_experiment
from pipeline.record import RunRecord
from pipeline.tracking.live import PROCESS_TAG, process_name
from pipeline.tracking.store import Store, open_store

SMALL = ("dataset=sine", "dataset.length=60", "look_back=4", "batch_size=16", "seeds=1", "tracking.log_model=false")
PATIENCE_SECONDS = 60


@dataclass(frozen=True)
class Place:
    """A folder with one MLflow store, and commands that run in it."""

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

    @contextmanager
    def start(self, *arguments: str, **environment: str) -> Iterator[subprocess.Popen[str]]:
        """Start `python -m pipeline.run` in a process group of its own, which is gone when the block ends."""
        assert self.tracking.uri is not None
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.run", *arguments, f"tracking.experiment_name={self.experiment}"],
            cwd=self.folder,
            env={**os.environ, "MLFLOW_TRACKING_URI": self.tracking.uri, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

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

    def wait_for_second_job(self, process: subprocess.Popen[str]) -> None:
        """Wait until one job is FINISHED and another one is RUNNING."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not {"FINISHED", "RUNNING"} <= {run.info.status for run in self.children()}:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline, [run.info.status for run in self.runs()]
            time.sleep(0.2)


@dataclass(frozen=True)
class Interrupted:
    """A sweep of a short and an endless job that got a signal while the endless one was training."""

    place: Place
    returncode: int
    stdout: str
    stderr: str


def interrupt(place: Place, number: signal.Signals) -> Interrupted:
    place.open_store()
    with place.start("-m", *SMALL, "training.epochs=2,1000000", "training.patience=null") as process:
        place.wait_for_second_job(process)
        os.killpg(process.pid, number)
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    return Interrupted(place, process.returncode, stdout, stderr)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store, with an experiment for each fixture: creating its tables takes seconds."""
    return tmp_path_factory.mktemp("interrupted")


@pytest.fixture(scope="module")
def ctrl_c(folder: Path) -> Interrupted:
    return interrupt(Place(folder, "ctrl_c"), signal.SIGINT)


@pytest.fixture(scope="module")
def terminated(folder: Path) -> Interrupted:
    return interrupt(Place(folder, "terminated"), signal.SIGTERM)


@pytest.mark.parametrize("how", ["ctrl_c", "terminated"])
def test_an_interrupted_sweep_closes_its_runs_as_killed(how: str, request: pytest.FixtureRequest) -> None:
    """Ctrl-C, or the SIGTERM of a cluster, leaves runs RUNNING for ever, or hides that the sweep is incomplete."""
    interrupted: Interrupted = request.getfixturevalue(how)
    place = interrupted.place
    assert interrupted.returncode == 130, interrupted.stderr
    assert [run.info.status for run in place.children()] == ["FINISHED", "KILLED"]
    assert [run.info.status for run in place.parents()] == ["KILLED"]
    assert "resume=true" in interrupted.stderr
    assert "Traceback" not in interrupted.stderr
    assert len(rows(interrupted.stdout)) == 2
    assert "KILLED" in interrupted.stdout


def test_the_same_command_gives_the_same_numbers(ctrl_c: Interrupted, terminated: Interrupted) -> None:
    """Training twice with the same seed gives different numbers, so no result can be checked."""
    first, second = (each.place.children("FINISHED")[0] for each in (ctrl_c, terminated))
    assert first.info.run_id != second.info.run_id
    for name in ("predictions.csv", "history.csv"):
        files = [
            each.place.client.download_artifacts(run.info.run_id, name)
            for each, run in ((ctrl_c, first), (terminated, second))
        ]
        assert Path(files[0]).read_bytes() == Path(files[1]).read_bytes()
    assert without_seconds(first) == without_seconds(second)


def without_seconds(run: Run) -> dict[str, float]:
    return {name: value for name, value in run.data.metrics.items() if name != "fit_seconds"}


def rows(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.startswith("│")]


@dataclass(frozen=True)
class Resumed:
    """A sweep of three jobs that was killed in the second one, and the same command with resume=true, twice."""

    place: Place
    finished_before: list[str]
    stranger: str
    left_open: list[str]
    first: subprocess.CompletedProcess[str]
    after_first: list[Run]
    second: subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def resumed(folder: Path) -> Resumed:
    place = Place(folder, "resumed")
    store = place.open_store()
    sweep = ("-m", "seed=1,2,3", *SMALL, "training.epochs=25")
    with place.start(*sweep) as process:
        place.wait_for_second_job(process)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    finished = [run.info.run_id for run in place.children("FINISHED")]
    left_open = [run.info.run_id for run in place.runs() if run.info.status == "RUNNING"]
    stranger = place.client.create_run(store.experiment_id, tags={PROCESS_TAG: process_name()}).info.run_id
    first = finish(place, sweep)
    after_first = place.children()
    second = finish(place, sweep, PYTHONPROFILEIMPORTTIME="1")
    return Resumed(place, finished, stranger, left_open, first, after_first, second)


def finish(place: Place, sweep: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
    with place.start(*sweep, "resume=true", **environment) as process:
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)


def test_resume_trains_only_what_is_missing(resumed: Resumed) -> None:
    """An interrupted sweep starts from the beginning, or leaves configurations out."""
    assert 1 <= len(resumed.finished_before) <= 2
    assert resumed.first.returncode == 0, resumed.first.stderr
    finished = [run for run in resumed.after_first if run.info.status == "FINISHED"]
    assert [run.info.run_id for run in finished][: len(resumed.finished_before)] == resumed.finished_before
    assert [run.data.params["seed"] for run in finished] == ["1", "2", "3"]
    assert len(resumed.after_first) == 4  # the one that was killed was trained again, in a run of its own


def test_resumed_rows_are_in_the_table_with_a_star(resumed: Resumed) -> None:
    """The table of a resumed sweep lacks the rows of earlier commands, or passes old seconds for new ones."""
    table = rows(resumed.first.stdout)
    assert len(table) == 3
    assert sum("*" in row for row in table) == len(resumed.finished_before)


def test_runs_that_a_crash_left_open_are_killed(resumed: Resumed) -> None:
    """MLflow shows runs of dead processes as RUNNING for ever."""
    assert len(resumed.left_open) == 2  # the job and its sweep
    for run_id in resumed.left_open:
        run = resumed.place.client.get_run(run_id)
        assert run.info.status == "KILLED"
        assert run.data.tags["failure_reason"]


def test_a_run_of_a_living_process_is_left_alone(resumed: Resumed) -> None:
    """Resuming one sweep kills the record of another one that is still training."""
    assert resumed.place.client.get_run(resumed.stranger).info.status == "RUNNING"


def test_resuming_a_complete_sweep_trains_nothing(resumed: Resumed) -> None:
    """Looking at a finished sweep again trains it again, or waits for TensorFlow."""
    assert resumed.second.returncode == 0, resumed.second.stderr[-2000:]
    assert len(resumed.place.children()) == len(resumed.after_first)
    assert [run.info.status for run in resumed.place.parents()] == ["KILLED", "FINISHED", "FINISHED"]
    assert len(rows(resumed.second.stdout)) == 3
    assert all("*" in row for row in rows(resumed.second.stdout))
    imported = {line.rsplit("|", 1)[1].strip() for line in resumed.second.stderr.splitlines() if "import time:" in line}
    assert "mlflow" in imported
    assert not imported & {"tensorflow", "keras"}


# What counts as the same configuration: checked without training, which decides nothing here.


@pytest.fixture
def train(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> "Train":
    """Return a function that runs one configuration on a CSV of its own, with training replaced by a fixed score."""
    scores = {"validation_rmse": 1.0, "test_rmse": 2.0, "fit_seconds": 3.0}
    monkeypatch.setattr(pipeline.experiment, "_train_and_score", lambda *_: (scores, {"loss": [1.0]}, None))
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
        patch.setattr(pipeline.experiment, "_train_and_score", fail)
        with pytest.raises(ValueError, match="out of memory"):
            train()
    assert not train().resumed
