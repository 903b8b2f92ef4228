"""The workers of a search in Slurm jobs: every task is answered, and nobody stays behind. Slurm itself is played here.

A job is a process on this machine, and the queue is what of them lives; the worker in it is the real one, with work
that needs no TensorFlow.
"""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Launcher, SlurmConfig, Source, TrackingConfig
from pipeline.data.sources import load_series
from pipeline.launching import slurm_queue, slurm_warm, slurm_warm_worker
from pipeline.launching.answers import name_dataset
from pipeline.launching.launch import check_to_search
from pipeline.launching.slurm_queue import Task
from pipeline.launching.slurm_warm import open_workers
from pipeline.launching.workers import Workers

ADDRESS = "postgresql://me:secret@host/runs"
SERIES = DatasetConfig(name="sine", source=Source.sine, length=30, features=["value"], targets=["value"])
CONFIG = Config(
    dataset=SERIES, launcher=Launcher.slurm, workers=2, tracking=TrackingConfig(uri=ADDRESS, parent_run_id="now")
)
# What becomes of a task is said by its fate; it answers with the process that did it, and what the process knows.
WORK = """
import os, signal, sys, time
from contextlib import contextmanager

@contextmanager
def open_work(loaded):
    def answer(tasks):
        for task in tasks:
            print(f"at {task['place']}", file=sys.stderr, flush=True)
            if task["fate"] == "dies" or task["fate"] == "dies once" and not task.get("again"):
                os.kill(os.getpid(), signal.SIGKILL)
            if task["fate"] == "stays":
                for _ in range(6000):  # in one sleep, a signal just before it would wait for its end
                    time.sleep(0.1)
            about = {"uri": task["base"]["tracking"]["uri"], "store": os.environ["MLFLOW_TRACKING_URI"][-9:]}
            length = [len(series.values) for series in loaded.values()]
            yield {"place": task["place"], "kind": "", "error": "", "process": os.getpid(), "length": length, **about}
    yield answer
"""
Open = Callable[..., AbstractContextManager[Workers]]


class PlayedSlurm:
    """Starts the jobs that are submitted as processes here."""

    def __init__(self) -> None:
        self.jobs: dict[str, subprocess.Popen[bytes]] = {}
        self.words: list[Sequence[str]] = []
        self.cancelled: list[str] = []
        self.is_full = False
        self.name = ""
        self.lock = threading.Lock()

    def submit(self, words: Sequence[str], script: str, environment: Mapping[str, str] | None = None) -> str:
        if self.is_full:
            raise UserError("Slurm refuses the jobs: QOSMaxSubmitJobPerUserLimit")
        (self.name,) = [word.removeprefix("--job-name=") for word in words if word.startswith("--job-name=")]
        (log,) = [word.removeprefix("--output=") for word in words if word.startswith("--output=")]
        with self.lock:
            number = str(10 + len(self.words))
            self.words.append(words)
        with Path(log.replace("%A_%a", f"{number}_0")).open("wb") as out:
            self.jobs[f"{number}_0"] = subprocess.Popen(
                ["sh", "-c", script], env={**os.environ, **(environment or {})}, stdout=out, stderr=out
            )
        return number

    def list_tasks(self, array_name: str | None = None) -> list[Task]:
        living = [name for name, process in list(self.jobs.items()) if process.poll() is None]
        return [Task(name, "RUNNING", "None", self.name) for name in living]

    def cancel_task(self, task: str) -> bool:
        self.cancelled.append(task)
        self.jobs[task].send_signal(signal.SIGTERM)
        return True

    def find_ending(self, task: str) -> str:
        return "OUT_OF_MEMORY"


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[PlayedSlurm]:
    played = PlayedSlurm()
    for name in ("submit", "list_tasks", "cancel_task", "find_ending"):
        monkeypatch.setattr(slurm_queue, name, getattr(played, name))
    monkeypatch.setattr(slurm_warm, "_SECONDS_BETWEEN_QUESTIONS", 0.2)
    monkeypatch.setattr(slurm_warm, "_SECONDS_BETWEEN_LOOKS", 0.05)
    (tmp_path / "played_work.py").write_text(WORK)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    yield played
    for process in played.jobs.values():
        process.kill()
        process.wait()


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str, str]]:
    """The sweeps, the reasons and the jobs of which open runs were closed."""
    found: list[tuple[str, str, str]] = []
    monkeypatch.setattr("pipeline.tracking.past.close_left_open", lambda store, *about: found.append(about))
    monkeypatch.setattr("pipeline.tracking.past.kill_crashed", lambda store: 0)
    return found


@pytest.fixture
def open_them(played: PlayedSlurm, closed: object, tmp_path: Path) -> Open:
    def open_them(tell: Callable[[str], None] = print, **settings: Any) -> AbstractContextManager[Workers]:
        config = replace(CONFIG, slurm=SlurmConfig(folder=str(tmp_path / "shared"), **settings))
        store = cast(Any, SimpleNamespace(uri=ADDRESS, folder=None))
        return open_workers(config, 5, "played_work", store, tell, {name_dataset(SERIES): load_series(SERIES)})

    return open_them


def make(*fates: str) -> list[list[dict[str, Any]]]:
    """Return batches of one task each."""
    base = {"tracking": {"uri": ADDRESS}}
    return [[{"place": place, "fate": fate, "base": base}] for place, fate in enumerate(fates)]


def test_workers_stay_from_round_to_round_and_leave_nobody_behind(
    open_them: Open, played: PlayedSlurm, tmp_path: Path
) -> None:
    """Every trial starts TensorFlow anew; a password lies on the shared disk; or a job outlives its search."""
    told: list[str] = []
    with open_them(told.append, time=60, partition="cpu") as workers:
        rounds = [list(workers.ask(make(*["done"] * 6))) for _ in range(2)]
    answers = [answer for answered in rounds for answer in answered]
    assert [sorted(answer["place"] for answer in answered) for answered in rounds] == [list(range(6))] * 2
    assert len(played.jobs) <= 2 and {answer["process"] for answer in answers} <= {
        process.pid for process in played.jobs.values()
    }
    assert {(answer["uri"], answer["store"], *answer["length"]) for answer in answers} == {(None, ADDRESS[-9:], 30)}
    assert [process.poll() for process in played.jobs.values()] == [0] * len(played.jobs) and not played.cancelled
    assert {"--partition=cpu", "--time=60", "--no-requeue"} <= set(played.words[0])
    texts = [file.read_bytes() for file in (tmp_path / "shared").rglob("*") if file.is_file()]
    assert texts and not any(b"secret" in text for text in texts)
    assert told[0].startswith("launcher=slurm: 2 Slurm job(s) stay for up to 5 task(s) at once; after slurm.time=60")
    assert told.count("at 0") == 2  # what a worker says is shown, once


def test_the_task_of_a_worker_that_died_is_done_by_another(
    open_them: Open, played: PlayedSlurm, closed: list[tuple[str, str, str]]
) -> None:
    """A node kills a worker for its memory: the search waits for ever, or a trial that always dies ends it."""
    told: list[str] = []
    with open_them(told.append) as workers:
        answers = {answer["place"]: answer for answer in workers.ask(make("dies once", "dies"))}
    assert [answers[place]["kind"] for place in range(2)] == ["", "TrainingError"]
    assert "had too little memory (slurm.memory), 2 times" in answers[1]["error"]
    died = [name for name, process in played.jobs.items() if process.wait() == -signal.SIGKILL]
    assert len(died) == 3 and sorted(job for _, _, job in closed) == sorted(died)
    assert any(f"a worker of Slurm job {name} had too little memory" in line for name in died for line in told)


def test_what_nobody_waits_for_any_more_is_cancelled(open_them: Open, played: PlayedSlurm) -> None:
    """The budget is over, or Ctrl-C came, and the cluster trains on for hours."""
    with open_them() as workers:
        answers = workers.ask(make("stays", "done"))
        assert next(answers)["place"] == 1
        answers.close()
    assert len(played.cancelled) >= 1
    idle, busy = sorted(process.poll() for process in played.jobs.values())
    assert busy == 128 + signal.SIGTERM
    assert idle in (0, -signal.SIGTERM)  # cancelled, too, if it had not yet seen that there is no more work


def test_an_interrupt_waits_until_the_queue_has_none_of_them(open_them: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C returns to the shell while jobs hold their nodes, and the same command again waits for them."""
    awaited: list[str] = []
    monkeypatch.setattr(slurm_warm, "_await_empty", awaited.append)
    with pytest.raises(KeyboardInterrupt), open_them():
        raise KeyboardInterrupt
    assert len(awaited) == 1 and awaited[0].startswith("lstm-search-")


def test_what_slurm_refuses_is_an_answer(open_them: Open, played: PlayedSlurm) -> None:
    """A limit of the cluster is hit after the search began, and it hangs."""
    played.is_full = True
    with open_them() as workers:
        (answer,) = workers.ask(make("done"))
    assert answer["kind"] == "TrainingError" and "QOSMaxSubmitJobPerUserLimit" in answer["error"]


@pytest.mark.parametrize("lives", [True, False])
def test_only_the_workers_of_a_killed_command_are_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, lives: bool
) -> None:
    """A second terminal that joins a search ends the workers of the first; or those of a dead one train beside it."""
    (tmp_path / "search-abc").mkdir()
    (tmp_path / "search-abc" / "beat").write_text("7")
    (tmp_path / "search-old").mkdir()
    cancelled: list[str] = []

    def list_tasks(array_name: str | None = None) -> list[Task]:
        tasks = [Task("7_0", "RUNNING", "None", name) for name in ("lstm-search-abc", "lstm-search-other")]
        return [] if cancelled else tasks

    def sleep(seconds: float) -> None:
        assert seconds > 2 * slurm_warm.SECONDS_BETWEEN_BEATS
        (tmp_path / "search-abc" / "beat").write_text("9" if lives else "7")

    monkeypatch.setattr(slurm_queue, "list_tasks", list_tasks)
    monkeypatch.setattr(slurm_queue, "cancel", cancelled.append)
    monkeypatch.setattr(time, "sleep", sleep)
    told: list[str] = []
    slurm_warm._end_earlier(tmp_path, told.append)
    assert cancelled == ([] if lives else ["lstm-search-abc"]) and len(told) == len(cancelled)


def test_a_worker_ends_when_its_command_is_silent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After kill -9 of the command its workers wait for tasks until the end of time; or a slow disk ends them."""
    beat, ended, slept = tmp_path / "beat", [], 0

    def sleep(seconds: float) -> None:
        nonlocal slept
        slept += 1
        if slept in (5, 15):
            beat.write_text(str(slept))
        if slept == 16:
            beat.unlink()  # not seen for a while

    monkeypatch.setattr(time, "sleep", sleep)
    monkeypatch.setattr(os, "kill", lambda number, sent: ended.append((number, sent)))
    slurm_warm_worker._watch(beat)
    assert ended == [(os.getpid(), signal.SIGTERM)] and slept == 15 + slurm_warm_worker._BEATS_MISSED


def test_a_search_by_slurm_is_told_how_many_jobs_stay() -> None:
    """A search asks a cluster for 27 jobs that wait for each other, or for one."""
    with pytest.raises(UserError, match=r"launcher=slurm needs workers in a search: .* workers=4"):
        check_to_search(replace(CONFIG, workers=None))
