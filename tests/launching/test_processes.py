"""Workers of a sweep: each job is answered for once, whatever becomes of its worker."""

import errno
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.base.errors import TrainingError, UserError
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source
from pipeline.launching import processes
from pipeline.launching.processes import Processes

JOB = Config(dataset=DatasetConfig(name="sine", source=Source.sine))
# A worker without TensorFlow: what becomes of a job is said by its look_back, what it got stands in a file.
WORKER = """
import json, os, signal, sys, time
for line in sys.stdin:
    for job in json.loads(line)["jobs"]:
        config, answer = job["config"], {"place": job["place"], "kind": "", "error": ""}
        with open(FILE, "a") as file:
            file.write(f"{config['seed']} {config['resume']}\\n")
        fate = config["look_back"]
        if fate == 2:
            answer |= {"kind": "TrainingError", "error": "the loss is nan"}
        if fate == 3:
            answer |= {"kind": "UserError", "error": "a wrong key"}
        if fate == 4 or fate == 5 and not config["resume"]:
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == 6:
            time.sleep(600)
        print(f"job {config['seed']}", file=sys.stderr, flush=True)
        print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file in which workers write what they got; they are small programs here."""
    file, script = tmp_path / "seen.txt", tmp_path / "worker.py"
    script.write_text(WORKER.replace("FILE", repr(str(file))))
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda words, **rest: start([sys.executable, script], **rest))
    return file


def make(*fates: int) -> list[Config]:
    """Return jobs with seeds 1, 2, ..., no two of which one program trains."""
    return [
        replace(JOB, look_back=fate, seed=number, model=ModelConfig(units=[number]))
        for number, fate in enumerate(fates, start=1)
    ]


def test_every_job_is_answered_for_once(seen: Path) -> None:
    """A sweep ends although jobs are missing; a failed one hides the others, or is not told."""
    told: list[str] = []
    errors = Processes(make(1, 2, 1, 3, 1), [[0], [1]], told.append, lambda: None).run()
    assert [(type(error), str(error)) for error in errors] == [
        (TrainingError, "the loss is nan"),
        (UserError, "a wrong key"),
    ]
    assert sorted(seen.read_text().splitlines()) == [f"{number} False" for number in range(1, 6)]
    assert sorted(told) == [f"job {number}" for number in range(1, 6)]


def test_the_job_of_a_dead_worker_is_trained_again(seen: Path) -> None:
    """The system kills a worker for its memory: its jobs are lost, or finished ones are trained twice."""
    told: list[str] = []
    buried: list[str] = []
    assert Processes(make(1, 5, 1), [[0]], told.append, lambda: buried.append("dead")).run() == []
    assert sorted(seen.read_text().splitlines()) == ["1 False", "2 False", "2 True", "3 False"]
    assert buried == ["dead"]
    assert "a worker was ended by signal 9: its job is trained again" in told


def test_a_job_that_kills_its_workers_fails_alone(seen: Path) -> None:
    """One configuration that does not fit into memory ends the sweep, or is tried for ever."""
    same = [replace(job, model=JOB.model) for job in make(1, 1, 1, 1)]  # one program trains them: one batch
    same[1] = replace(same[1], look_back=4)
    (error,) = Processes(same, [[0]], lambda text: None, lambda: None).run()
    assert str(error) == "its worker was ended by signal 9, 2 times"
    assert sorted(seen.read_text().splitlines()) == ["1 False", "2 False", "2 True", "3 False", "4 False"]


def test_every_job_fails_where_no_worker_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has no process left, the last jobs of a sweep are neither trained nor told as failed."""

    def refuse(*words: object, **settings: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    errors = Processes(make(1, 1, 1), [[0], [1]], lambda text: None, lambda: None).run()
    assert len(errors) == 3
    assert {str(error).partition(":")[0] for error in errors} == {"no worker could be started"}


def test_an_interrupt_ends_the_workers(seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C workers train on with nobody there, or a job of theirs begins anew."""
    monkeypatch.setattr(processes, "interrupt_signal", lambda: signal.SIGTERM)

    def interrupt() -> None:
        if seen.exists() and len(seen.read_text().splitlines()) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(processes, "check_interrupt", interrupt)
    pool = Processes(make(6, 6, 1), [[0], [1]], lambda text: None, lambda: None)
    with pytest.raises(KeyboardInterrupt):
        pool.run()
    assert sorted(seen.read_text().splitlines()) == ["1 False", "2 False"]
    assert {worker._process.returncode for worker in pool._living.values()} == {-signal.SIGTERM}
    assert not [thread for thread in threading.enumerate() if "_serve" in thread.name]
