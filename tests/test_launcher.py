"""`launcher=processes` as a command: the same runs as in one process; and what it cannot take is said before."""

import resource
import subprocess
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Launcher, Source
from pipeline.experiment.jobs import Plan
from pipeline.launching.launch import ENGINES, find_launcher
from tests.commands import run_command, start_command

WORDS = (
    "-m", "dataset=sine", "dataset.length=60", "model.units=[2],[3]", "training.learning_rate=0.01,0.03",
    "training.epochs=2", "seeds=1", "tracking.log_model=false",
)  # fmt: skip


@pytest.mark.thorough  # the parts have tests of their own, in tests/launching
def test_processes_train_the_same_runs(tmp_path: Path, make_store: Callable[[Path], str]) -> None:
    """A sweep in worker processes loses jobs, has other numbers, or says another thing than the same in one process."""
    uri = make_store(tmp_path)
    found = {}
    for launcher in ("local", "processes"):
        words = (*WORDS, f"launcher={launcher}", f"tracking.uri={uri}", f"tracking.experiment_name={launcher}")
        ended = run_command("pipeline.run", *words, cwd=tmp_path)
        assert ended.returncode == 0, ended.stderr
        client = MlflowClient(uri)
        experiment = client.get_experiment_by_name(launcher)
        assert experiment is not None
        runs = client.search_runs([experiment.experiment_id])
        (parent,) = [run for run in runs if "sweep" in run.data.tags]
        children = [run for run in runs if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
        assert {run.info.status for run in runs} == {"FINISHED"} and len(children) == len(runs) - 1
        found[launcher] = {run.info.run_name: run.data.metrics["test_rmse"] for run in children}
        assert "report: " in ended.stderr
    assert len(found["local"]) == 4
    assert found["processes"] == found["local"]


@pytest.mark.thorough  # `benchmarks/faults.py --kinds processes-disk` fills a real one
def test_a_disk_that_is_full_under_the_workers_loses_nothing(tmp_path: Path, make_store: Callable[[Path], str]) -> None:
    """Workers can write nothing any more: a traceback, a job that counts as done, or a run that stays RUNNING."""
    uri = make_store(tmp_path)
    words = (*WORDS, "launcher=processes", "workers=2", f"tracking.uri={uri}")
    command = start_command("pipeline.run", *words, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert command.stderr is not None
    said = next(line for line in command.stderr if "at most" in line)
    for each in (psutil.Process(command.pid), *psutil.Process(command.pid).children(recursive=True)):
        resource.prlimit(each.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    said += command.communicate()[1]
    assert command.returncode == 1 and "Traceback" not in said, said
    done = run_command("pipeline.run", *words, "resume=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    client = MlflowClient(uri)
    runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
    jobs = [run for run in runs if "config_hash" in run.data.tags]
    finished = [run.data.tags["config_hash"] for run in jobs if run.info.status == "FINISHED"]
    assert len(finished) == len(set(finished)) == 4
    assert not [run for run in runs if run.info.status == "RUNNING"]


@pytest.mark.parametrize(
    ("launchers", "source", "in_turn", "complaint"),
    [
        (
            [Launcher.local, Launcher.processes],
            Source.sine,
            True,
            "launcher, workers, slurm and ray are those of",
        ),
        ([Launcher.processes], Source.sine, False, "leave hydra/launcher and hydra/sweeper out"),
        ([Launcher.processes], Source.frame, True, "cannot take a table of this Python; write it to a file first"),
    ],
)
def test_what_a_launcher_cannot_take_is_said_before(
    launchers: list[Launcher], source: Source, in_turn: bool, complaint: str
) -> None:
    """A sweep runs half in one process and half in others, or fails in its workers after the first job was trained."""
    jobs = [Config(launcher=each, dataset=DatasetConfig(name="data", source=source)) for each in launchers]
    with pytest.raises(UserError, match=complaint):
        find_launcher(Plan(True, jobs, {}, in_turn))


def test_every_launcher_has_an_engine() -> None:
    """A value of `launcher` that the configuration allows ends with a KeyError, or a module that is not there."""
    assert set(ENGINES) == set(Launcher) - {Launcher.local}
    assert all(find_spec(module) is not None for module in ENGINES.values())
