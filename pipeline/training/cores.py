"""Run tasks on worker threads, one per core, while the main thread shows progress and answers Ctrl-C.

Threads are enough: XLA releases Python's lock while it compiles and computes.
"""

import os
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pipeline.base.interrupt import check_interrupt

_SECONDS_BETWEEN_CHECKS = 0.1

Task = TypeVar("Task")
Event = TypeVar("Event")


def count_cores() -> int:
    """Return the cores this process may use: a Slurm job those that it asked for, although it may see all of a node."""
    seen = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("SLURM_CPUS_PER_TASK", "")
    return min(seen, int(asked)) if asked.isdigit() and int(asked) > 0 else seen


def run_on_cores(
    tasks: Iterable[Task], work: Callable[[Task], Iterator[Event]], workers: int | None = None
) -> Iterator[Event]:
    """Yield what the tasks yield, as it comes.

    Args:
        tasks: Made in the main thread, while the first of them already run.
        work: Yields events now and then; an interrupt ends it there.
        workers: At most so many tasks at the same time; None: one per core.

    Raises:
        KeyboardInterrupt: If a signal came. What a worker computes at that moment goes on in a daemon thread until its
            next event, and is lost.
        Exception: The first that a task raised.
    """
    waiting: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
    events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
    stop = threading.Event()

    def serve() -> None:
        try:
            while (task := waiting.get()) is not None:
                for event in work(task):
                    events.put(event)
                    if stop.is_set():
                        return
        except BaseException as error:  # is raised in the main thread
            events.put(error)
        events.put(None)

    busy = started = count_cores() if workers is None else workers
    for _ in range(started):
        threading.Thread(target=serve, daemon=True).start()
    try:
        for task in tasks:
            check_interrupt()
            waiting.put(task)
        for _ in range(busy):
            waiting.put(None)
        while busy:
            check_interrupt()
            try:
                event = events.get(timeout=_SECONDS_BETWEEN_CHECKS)
            except queue.Empty:
                continue
            if event is None:
                busy -= 1
            elif isinstance(event, BaseException):
                raise event
            else:
                yield event
    finally:
        stop.set()
        for _ in range(started):
            waiting.put(None)
