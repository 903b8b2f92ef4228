"""Workers of a sweep: each job is answered for once, whatever becomes of its worker."""

import errno
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.base.errors import PipelineError, TrainingError, UserError
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source
from pipeline.launching import workers
from pipeline.launching.answers import AGAIN, read_job, write_job
from pipeline.launching.batches import train_in_batches
from pipeline.launching.child import Child
from pipeline.launching.workers import Workers

JOB = Config(dataset=DatasetConfig(name="sine", source=Source.sine))
# A worker without TensorFlow: what becomes of a job is said by its look_back, what it got stands in a file.
WORKER = """
import json, os, signal, sys, time
for line in sys.stdin:
    for job in json.loads(line):
        config, answer = job["config"], {"place": job["place"], "kind": "", "error": ""}
        with open(FILE, "a") as file:
            file.write(f"{config['seed']} {job.get('again', False)}\\n")
        fate = config["look_back"]
        if fate == 2:
            answer |= {"kind": "TrainingError", "error": "the loss is nan"}
        if fate == 3:
            answer |= {"kind": "UserError", "error": "a wrong key"}
        if fate == 4 or fate == 5 and not job.get("again"):
            os.kill(os.getpid(), signal.SIGKILL)
        if fate == 6:
            for _ in range(6000):  # in one sleep, a signal just before it would wait for its end
                time.sleep(0.1)
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


def start(
    number: int, tell: Callable[[str], None] = lambda text: None, bury: Callable[[], object] = lambda: None
) -> Workers:
    """Return so many workers."""
    return Workers(number, lambda each: Child("pipeline.launching.answers", [0], tell), tell, bury)


def train(
    jobs: Sequence[Config], number: int, tell: Callable[[str], None] = print, bury: Callable[[], object] = print
) -> list[PipelineError]:
    """Return the errors of jobs that so many workers train."""
    return train_in_batches(jobs, lambda work: start(number, tell, bury))


def test_every_job_is_answered_for_once(seen: Path) -> None:
    """A sweep ends although jobs are missing; a failed one hides the others, or is not told."""
    told: list[str] = []
    errors = train(make(1, 2, 1, 3, 1), 2, told.append)
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
    assert train(make(1, 5, 1), 1, told.append, lambda: buried.append("dead")) == []
    assert sorted(seen.read_text().splitlines()) == ["1 False", "2 False", "2 True", "3 False"]
    assert buried == ["dead"] * 2  # before its job is trained again, and at the end
    assert "a worker was ended by signal 9: its job is trained again" in told


def test_what_a_killed_command_left_is_closed_at_the_end(seen: Path) -> None:
    """Its workers end after the repeated command began: their runs stay RUNNING until the training after that."""
    done: list[str] = []
    assert train(make(1), 1, lambda text: done.append(seen.read_text()), lambda: done.append("buried")) == []
    assert done == ["1 False\n", "buried"]


def test_a_job_that_kills_its_workers_fails_alone(seen: Path) -> None:
    """One configuration that does not fit into memory ends the sweep, or is tried for ever."""
    same = [replace(job, model=JOB.model) for job in make(1, 1, 1, 1)]  # one program trains them: one batch
    same[1] = replace(same[1], look_back=4)
    (error,) = train(same, 1)
    assert str(error) == "its worker was ended by signal 9, 2 times"
    assert sorted(seen.read_text().splitlines()) == ["1 False", "2 False", "2 True", "3 False", "4 False"]


def test_every_job_fails_where_no_worker_can_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the machine has no process left, the last jobs of a sweep are neither trained nor told as failed."""

    def refuse(*words: object, **settings: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    errors = train(make(1, 1, 1), 2)
    assert len(errors) == 3
    assert {str(error).partition(":")[0] for error in errors} == {"no worker could be started"}


def test_a_task_does_not_wait_for_a_worker_that_waits_for_a_place() -> None:
    """A node is lost, its worker waits for a place that others hold, and the last job waits with it for ever."""

    class Slow:
        def __init__(self, place: int) -> None:
            self.place = place

        def is_ready(self) -> bool:
            time.sleep(0.01)
            return self.place > 0

        def ask(self, tasks: Sequence[Any]) -> Any:
            yield from ({"place": task["place"], "kind": "", "error": ""} for task in tasks)

        def signal(self, number: int) -> None: ...

        def end(self) -> str:
            return ""

    with Workers(2, Slow, print, print) as pool:
        assert sorted(answer["place"] for answer in pool.ask([[{"place": place}] for place in range(9)])) == [*range(9)]


def test_an_interrupt_ends_the_workers(seen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After Ctrl-C workers train on with nobody there, or a job of theirs begins anew."""
    monkeypatch.setattr(workers, "interrupt_signal", lambda: signal.SIGTERM)

    def interrupt() -> None:
        if seen.exists() and len(seen.read_text().splitlines()) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(workers, "check_interrupt", interrupt)
    pool = start(2)
    with pytest.raises(KeyboardInterrupt):
        train_in_batches(make(6, 6, 1), lambda work: pool)
    assert sorted(seen.read_text().splitlines()) == ["1 False", "2 False"]
    assert {worker._process.returncode for worker in pool._living.values() if isinstance(worker, Child)} == {
        -signal.SIGTERM
    }
    assert not [thread for thread in threading.enumerate() if "_serve" in thread.name]


def test_what_nobody_waits_for_is_not_begun(seen: Path) -> None:
    """A search whose time is up trains on, waits ten minutes for a trial, or starts workers anew for every rung."""
    with start(1) as pool:
        answers = pool.ask([[write_job(place, job)] for place, job in enumerate(make(*[1] * 200))])
        assert next(answers)["place"] == 0
        answers.close()
        first = pool._living[0]
        assert [answer["place"] for answer in pool.ask([[write_job(7, make(1)[0])]])] == [7]
        assert pool._living == {0: first}
        before = len(seen.read_text().splitlines())
        assert before < 200
        busy = pool.ask([[write_job(0, make(1)[0])], [write_job(1, make(6)[0])]])
        assert next(busy)["place"] == 0
        while len(seen.read_text().splitlines()) < before + 2:  # the last job has begun
            time.sleep(0.05)
    assert not [thread for thread in threading.enumerate() if "_serve" in thread.name]


def test_a_job_that_is_tried_again_is_read_back_where_it_was_finished() -> None:
    """A worker dies after its run was finished, before it says so: the configuration is trained twice."""
    task = write_job(0, JOB)
    assert [read_job(each).resume for each in (task, {**task, AGAIN: True})] == [False, True]
