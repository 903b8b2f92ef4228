"""Training ahead of the log: what comes back is what was trained, in turn, and a process that dies costs one job."""

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import psutil
import pytest
from hydra._internal.utils import get_args_parser
from mlflow import MlflowClient

from pipeline.base.errors import TrainingError, UserError
from pipeline.config.schema import Config, DatasetConfig, Engine, EvaluationConfig, Source
from pipeline.data.sources import load_series
from pipeline.experiment.jobs import Plan
from pipeline.experiment.trainer import Trainer
from pipeline.launching import ahead, line_process
from pipeline.launching.ahead import AheadTrainer, begin_ahead, make_trainer
from pipeline.launching.ahead_process import AheadProcess
from pipeline.launching.trained import read_training, write_training
from pipeline.training.record import SeedTraining, Training
from tests.commands import run_command, start_command

SINE = DatasetConfig(name="sine", source=Source.sine, targets=["value"])
DATA = cast(Any, None)  # what the other process has of its own
# Plays the other process: a job with seed 99 kills it, one with seed 7 fails.
PLAYED = """
import json, os, signal, sys
sys.path[:0] = json.loads(sys.argv[1])
from pathlib import Path
import numpy as np
from pipeline.config.schema import Engine
from pipeline.launching.trained import write_training
from pipeline.training.record import Certificate, SeedTraining, Training
def answer(**told): print(json.dumps(told), flush=True)
coming = []
for line in sys.stdin:
    asked = json.loads(line)
    coming += asked["jobs"]
    while coming and coming[0]["place"] < asked["until"]:
        task = coming.pop(0)
        place, seed = task["place"], task["config"]["seed"]
        answer(place=place, **{"is": "told"}, text=f"train {place}")
        if seed == 99:
            os.kill(os.getpid(), signal.SIGKILL)
        if seed == 7:
            answer(place=place, **{"is": "failed"}, kind="UserError", error="seed 7 is odd")
            continue
        trained = Training(Engine.fused, "played", "cpu", [SeedTraining(seed, [np.ones(2)], [1.0], [1.0], 1, 0.1)],
                           np.full((1, 3, 1), place, np.float32), 0.1)
        written = write_training(trained, seed, Certificate({"engine": 1e-7}, 1.0, 12), Path(sys.argv[2]) / str(place))
        answer(place=place, **{"is": "trained"}, kind="", **written)
"""


def make_plan(seeds: list[int], **changes: Any) -> Plan:
    jobs = [Config(seed=seed, seeds=1, dataset=SINE) for seed in seeds]
    jobs = [replace(job, **changes) for job in jobs]
    series = load_series(SINE)
    return Plan(True, jobs, {repr(job.dataset): series for job in jobs})


@pytest.fixture(autouse=True)
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(ahead, "count_cores", lambda: 2)


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> None:
    popen = line_process.subprocess.Popen

    def start(command: list[str], **settings: Any) -> Any:
        return popen([sys.executable, "-c", PLAYED, json.dumps(sys.path), command[-1]], **settings)

    monkeypatch.setattr(line_process.subprocess, "Popen", start)


def train(trainer: AheadTrainer, job: Config, told: list[str]) -> Training:
    return trainer.train(job, job, DATA, "job", told.append)


def test_each_job_gets_its_own_training(played: None) -> None:
    """A run is scored with what another one has learnt; or a wrong setting ends as another error, or ends the sweep."""
    plan, told = make_plan([1, 2, 3, 7, 5]), list[str]()
    with AheadTrainer(plan) as trainer:
        for place in (0, 2, 3, 4):  # the job in place 1 failed before its training
            job = replace(plan.jobs[place], tracking=replace(plan.jobs[place].tracking, parent_run_id="parent"))
            if job.seed == 7:
                with pytest.raises(UserError, match="seed 7 is odd"):
                    train(trainer, job, told)
                continue
            training = train(trainer, job, told)
            assert training.forecasts.tolist() == [[[place]] * 3] and training.seeds[0].seed == place + 1
            best = cast(Any, SimpleNamespace(seed=place + 1))
            assert trainer.certify(job, best, training.forecasts[0]).largest == 1e-7
    assert told == ["train 0", "train 2", "train 3", "train 4"]


def test_a_process_that_is_killed_costs_one_job(played: None) -> None:
    """A sweep would wait for ever for a process that memory, or somebody, has ended; or lose all jobs after it."""
    plan = make_plan([99, 2])
    with AheadTrainer(plan) as trainer:
        with pytest.raises(TrainingError, match="was ended by signal 9"):
            train(trainer, plan.jobs[0], [])
        assert train(trainer, plan.jobs[1], []).seeds[0].seed == 2


def test_what_was_trained_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A weight, a loss that is not a number, or the reason of a failure would change on the way to the log."""
    weights = [np.float32([[0.1, 0.2]]), np.float32([3e-39])]
    seeds = [
        SeedTraining(4, weights, [0.1, 0.2], [float("nan")], 2, 0.25, "diverged"),
        SeedTraining(5, [], [], [], 0, 0),
    ]
    training = Training(Engine.fit, "asked", "cpu:0", seeds, np.float32([[[1 / 3]]]), 1 / 3)
    read, best, certificate = read_training(write_training(training, 5, "no two agree", tmp_path / "0"))
    assert (best, certificate, list(tmp_path.iterdir())) == (5, "no two agree", [])
    assert repr(read) == repr(training)


@pytest.mark.parametrize(
    "changes",
    [{"resume": True}, {"evaluation": EvaluationConfig(origins=2)}, {"dataset": replace(SINE, lane_block=2)}],
    ids=["resume", "origins", "blocks"],
)
def test_what_needs_more_than_its_data_is_trained_here(changes: dict[str, Any]) -> None:
    """The other process would train what is FINISHED already, or the wrong data."""
    assert isinstance(make_trainer(make_plan([1, 2], **changes)), Trainer)


def test_a_sweep_is_trained_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sweep would wait for its log; or a notebook that has TensorFlow would import it a second time."""
    plan = make_plan([1, 2])
    assert isinstance(make_trainer(plan), AheadTrainer)
    assert isinstance(make_trainer(make_plan([1])), Trainer)
    monkeypatch.setitem(sys.modules, "tensorflow", sys)
    assert isinstance(make_trainer(plan), Trainer)
    monkeypatch.delitem(sys.modules, "tensorflow")
    monkeypatch.setattr(ahead, "count_cores", lambda: 1)
    assert isinstance(make_trainer(plan), Trainer)


def test_a_command_that_is_trained_elsewhere_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command would import TensorFlow twice, or a sweep on a cluster would here, for nobody."""
    started = []
    monkeypatch.setattr(ahead, "AheadProcess", lambda: started.append("") or ExitStack())
    parser = get_args_parser()
    for words in ("-m seed=1,2 launcher=processes", "-m resume=true seed=1,2", "-m hydra/launcher=joblib", "seed=1"):
        with begin_ahead(parser.parse_args(words.split())) as process:
            assert process is None and not started
    with begin_ahead(parser.parse_args(["-m", "seed=1,2"])):
        assert len(started) == 1


def test_a_wrong_command_ends_the_process_it_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each mistyped sweep leaves a process with TensorFlow behind."""
    begun: list[AheadProcess] = []
    with pytest.raises(UserError), begin_ahead(get_args_parser().parse_args(["-m", "seed=1,2"])) as process:
        assert process is not None
        begun.append(process)
        raise UserError("unknown key")
    assert begun[0].end() == "was ended by signal 9" and not begun[0].folder.exists()
    with begin_ahead(get_args_parser().parse_args(["-m", "seed=1"])) as process:
        assert process is not None and isinstance(make_trainer(make_plan([1]), process), Trainer)
        assert process.end() == "was ended by signal 9"


WORDS = (
    "-m", "dataset=sine", "dataset.length=60", "model.units=[2],[3],[4]", "training.epochs=2", "seeds=1",
    "tracking.log_model=false",
)  # fmt: skip


@pytest.mark.thorough
@pytest.mark.parametrize("hit", ["the trainer", "the command", "Ctrl-C"])
def test_whoever_is_killed_no_run_is_lost_or_stays_open(
    hit: str, tmp_path: Path, make_store: Callable[[Path], str]
) -> None:
    """A run counts as FINISHED without its numbers, stays RUNNING, or a process goes on training for nobody."""
    uri = make_store(tmp_path)
    words = ("pipeline.run", *WORDS, f"tracking.uri={uri}")
    with start_command(*words, fresh=True, cwd=tmp_path, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL) as command:
        assert command.stderr is not None
        said = next(line for line in command.stderr if "at most" in line)  # the first job waits for its training
        (trainer,) = psutil.Process(command.pid).children()
        assert "pipeline.launching.ahead_worker" in trainer.cmdline()
        if hit == "the trainer":
            trainer.kill()
        else:
            command.send_signal(signal.SIGKILL if hit == "the command" else signal.SIGINT)
        said += command.communicate()[1]
    psutil.wait_procs([trainer], timeout=20)
    assert not trainer.is_running()
    ended = {"the trainer": 1, "the command": -signal.SIGKILL, "Ctrl-C": 130}
    assert command.returncode == ended[hit] and "Traceback" not in said, said
    done = run_command("pipeline.run", *WORDS, f"tracking.uri={uri}", "resume=true", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    client = MlflowClient(uri)
    runs = client.search_runs([client.get_experiment_by_name("lstm-pipeline").experiment_id], "tags.config_hash != ''")
    finished = [run.data.tags["config_hash"] for run in runs if run.info.status == "FINISHED"]
    assert len(finished) == len(set(finished)) == 3
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    assert all("test_rmse" in run.data.metrics for run in runs if run.info.status == "FINISHED")
