"""`python -m pipeline.search` that is killed, and in two processes at once: no trial is lost, none is doubled."""

import os
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import mlflow
import pytest

from pipeline.searching.space import read_space
from pipeline.searching.storage import lock_by_file
from pipeline.searching.trials import State, Trial, Trials, make_trials
from tests.commands import start_command
from tests.conftest import MakeStore

pytestmark = pytest.mark.thorough

SPACE = (  # two programs a rung
    "look_back: choice(1,2)\ntraining.learning_rate: tag(log,interval(0.001,0.1))\n"
    "training.epochs: 2\nbatch_size: 16\nmodel.units: [2]\n"
)
WORDS = ("dataset=airline", "search=mine.yaml", "budget=30", "seeds=1", "resume=true")
ENOUGH = 600  # seconds: for what takes twenty


@pytest.fixture
def folder(tmp_path: Path, make_store: MakeStore) -> Path:
    make_store(tmp_path)
    (tmp_path / "mine.yaml").write_text(SPACE)
    return tmp_path


def start(folder: Path, name: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    with (folder / f"{name}.txt").open("w") as told:
        return start_command("pipeline.search", *WORDS, cwd=folder, env=environment, stdout=told, stderr=told)


def finish(folder: Path, name: str, process: subprocess.Popen[str]) -> str:
    code, told = process.wait(ENOUGH), (folder / f"{name}.txt").read_text()
    assert code == 0, told
    return told


def read_trials(folder: Path) -> list[Trial]:
    """Read search.db as it is, whoever writes to it."""
    import optuna

    storage = optuna.storages.RDBStorage(f"sqlite:///{folder / 'search.db'}")
    (name,) = optuna.get_all_study_names(storage)  # of several processes one search
    space = read_space(str(folder / "mine.yaml"), 100, 12, (), ())
    trials: Trials = make_trials(storage, name, space, "nobody", 1, lock_by_file(folder / "lock"))
    found = trials.all()
    storage.engine.dispose()
    return found


def check_records(folder: Path, trials: list[Trial]) -> None:
    """Every trial has ended, under a number of its own, and is one run of the one search in MLflow."""
    assert [trial.number for trial in trials] == list(range(len(trials)))
    assert all(trial.state is not State.running for trial in trials)
    new = [tuple(sorted(trial.values.items())) for trial in trials if not trial.reason.startswith("the same as")]
    assert len(set(new)) == len(new)
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    runs = client.search_runs(["0", "1"], max_results=1000)
    (parent,) = [run for run in runs if "search" in run.data.tags]
    ended = [run for run in runs if "trial" in run.data.tags and run.info.status == "FINISHED"]
    assert {run.data.tags["mlflow.parentRunId"] for run in ended} == {parent.info.run_id}
    recorded = {int(run.data.tags["trial"]): run.data.tags["state"] for run in ended}
    assert recorded == {trial.number: trial.state.value for trial in trials} and len(recorded) == len(ended)


def test_a_search_that_is_killed_goes_on(folder: Path) -> None:
    """SIGKILL takes a trial that had ended, has one trained under two numbers, or leaves one running for ever."""
    process = start(folder, "killed")
    end = time.monotonic() + ENOUGH
    while (folder / "killed.txt").read_text().count(", rung 1/3") < 2:
        assert process.poll() is None and time.monotonic() < end, (folder / "killed.txt").read_text()
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(ENOUGH) == -signal.SIGKILL
    before = read_trials(folder)
    assert [trial for trial in before if trial.state is State.running]
    told = finish(folder, "resumed", start(folder, "resumed"))
    after = read_trials(folder)
    check_records(folder, after)
    for earlier, later in zip(before, after, strict=False):
        assert later.values == earlier.values and later.scores[: len(earlier.scores)] == earlier.scores
        assert earlier.state in (State.running, later.state)
    assert "resumed: " in told and f"{sum(trial.state is State.running for trial in before)} go on" in told


def test_two_processes_share_a_search(folder: Path) -> None:
    """Two processes at once train the same trials, overwrite each other's records, or make a search each."""
    processes = {name: start(folder, name) for name in ("one", "two")}
    for name, process in processes.items():
        finish(folder, name, process)
    trials = read_trials(folder)
    check_records(folder, trials)
    assert min(Counter(trial.owner for trial in trials).values()) > 1
    assert len({trial.owner for trial in trials}) == 2
