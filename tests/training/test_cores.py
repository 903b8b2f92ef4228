"""Worker threads: everything arrives, an error is raised, and Ctrl-C does not wait for a computation."""

import threading
import time

import pytest

from pipeline.training import cores
from pipeline.training.cores import run_on_cores


def test_every_event_of_every_task_arrives_in_its_order() -> None:
    """Progress or results of a seed would be lost."""
    events = list(run_on_cores(range(20), lambda task: iter([(task, 0), (task, 1)])))
    assert sorted(events) == [(task, part) for task in range(20) for part in (0, 1)]
    assert all(events.index((task, 0)) < events.index((task, 1)) for task in range(20))


def test_the_error_of_a_task_is_raised() -> None:
    """A failed training would be waited for without end, or be passed over in silence."""

    def work(task: int):
        yield task
        if task == 3:
            raise ValueError("task 3 failed")

    with pytest.raises(ValueError, match="task 3 failed"):
        list(run_on_cores(range(5), work))


def test_an_interrupt_does_not_wait_for_a_computation(monkeypatch) -> None:
    """Ctrl-C would be answered only after a compilation of many seconds."""
    release = threading.Event()
    begun = threading.Event()

    def check() -> None:
        if begun.is_set():
            raise KeyboardInterrupt

    def work(task: int):
        begun.set()
        release.wait(30)
        yield task

    monkeypatch.setattr(cores, "check_interrupt", check)
    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(run_on_cores([1, 2, 3], work))
    assert time.monotonic() - start < 2
    release.set()


@pytest.mark.parametrize(("asked", "cores_of_job"), [("2", 2), ("9", 3), ("", 3), ("0", 3)])
def test_a_slurm_job_uses_the_cores_that_it_asked_for(
    asked: str, cores_of_job: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every job of a node trains on all of its cores, and each is slower than alone on one."""
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {1, 4, 6}, raising=False)
    monkeypatch.setenv("SLURM_CPUS_PER_TASK", asked)
    assert cores.count_cores() == cores_of_job
