"""Workers that share tasks, whatever they are: each task is answered for once, whatever becomes of its worker."""

import queue
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Protocol

from pipeline.base.interrupt import check_interrupt, interrupt_signal
from pipeline.launching.answers import AGAIN, ATTEMPTS, write_failure

_SECONDS_BETWEEN_CHECKS = 0.2

Task = Mapping[str, Any]  # plain values; `place` numbers the tasks that are asked together
Answer = Mapping[str, Any]  # likewise; has the `place` of its task


class Worker(Protocol):
    """One that answers tasks, in a process of its own."""

    def is_ready(self) -> bool:
        """Return whether it can be asked; it may wait for a place in a cluster."""

    def ask(self, tasks: Sequence[Task]) -> Iterator[Answer]:
        """Yield the answer to each task as it comes; too few if the worker dies."""

    def signal(self, number: int) -> None:
        """Send it a signal; one that has ended gets none."""

    def end(self) -> str:
        """Let it end, and say how it did: `was ended by signal 9`."""


class Asked(Protocol):
    """What answers tasks: workers, or this process."""

    @property
    def number(self) -> int:
        """Tasks that are worked on at the same time."""

    def ask(self, batches: Sequence[Sequence[Task]]) -> Iterator[Answer]:
        """Yield the answer to each task as it comes; what is not asked for any more is not begun.

        Raises:
            KeyboardInterrupt: If a signal came.
        """


@dataclass(frozen=True)
class Here:
    """This process: does one task after another."""

    answer: Callable[[Sequence[Task]], Iterator[Answer]]
    number: int = 1

    def ask(self, batches: Sequence[Sequence[Task]]) -> Iterator[Answer]:
        """As `Asked` says."""
        for batch in batches:
            check_interrupt()
            yield from self.answer(batch)


@dataclass
class _Round:
    """What was asked together."""

    answers: "queue.SimpleQueue[Answer]" = field(default_factory=queue.SimpleQueue)
    deaths: dict[int, int] = field(default_factory=dict)  # of workers, by the place of the task that they were at
    is_over: bool = False


@dataclass
class Workers:
    """Workers, started when there is something to do for them; leaving the block ends them.

    Attributes:
        number: Of workers.
        start: Starts one of them, by its number.
        tell: Shows a sentence to the person who waits. Called from threads.
        bury: Called when a worker has died, before its task is given to another, and at the end: marks the runs of
            processes that have ended as KILLED.
    """

    number: int
    start: Callable[[int], Worker]
    tell: Callable[[str], None]
    bury: Callable[[], object]
    _waiting: "queue.SimpleQueue[tuple[Sequence[Task], _Round] | None]" = field(default_factory=queue.SimpleQueue)
    _living: dict[int, Worker] = field(default_factory=dict)
    _busy: set[int] = field(default_factory=set)
    _stopped: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> "Workers":
        self._threads = [
            threading.Thread(target=self._serve, args=[number], daemon=True) for number in range(self.number)
        ]
        for thread in self._threads:
            thread.start()
        return self

    def ask(self, batches: Sequence[Sequence[Task]]) -> Iterator[Answer]:
        """As `Asked` says; a worker takes a batch at a time."""
        asked, left = _Round(), sum(len(batch) for batch in batches)
        for batch in batches:
            self._waiting.put((batch, asked))
        try:
            while left:
                check_interrupt()
                with suppress(queue.Empty):
                    yield asked.answers.get(timeout=_SECONDS_BETWEEN_CHECKS)
                    left -= 1
        finally:
            asked.is_over = True

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        for _ in self._threads:
            self._waiting.put(None)
        while any(thread.is_alive() for thread in self._threads):
            for number in list(self._busy):  # nobody waits for what it does any more
                self._living[number].signal(interrupt_signal())
            with suppress(KeyboardInterrupt):  # the next signal is passed on as well
                for thread in self._threads:
                    thread.join()
        with suppress(Exception):  # workers that were lost, or of a killed command, may have ended only now
            self.bury()
        if kind is None:
            check_interrupt()

    def _serve(self, number: int) -> None:
        while (waiting := self._waiting.get()) is not None and not self._stopped.is_set():
            tasks, asked = waiting
            if asked.is_over:
                continue
            try:
                worker = self._find_worker(number)
            except OSError as error:  # no process, or no memory for one
                for task in tasks:
                    asked.answers.put(write_failure(task, f"no worker could be started: {error}"))
                continue
            if not worker.is_ready():
                self._waiting.put(waiting)  # for one that is; all others may have nothing to do
                self._stopped.wait(_SECONDS_BETWEEN_CHECKS)  # else this one would take it again
                continue
            left = {task["place"]: task for task in tasks}
            for answer in self._work(number, worker, tasks):
                del left[answer["place"]]
                asked.answers.put(answer)
            if left and not self._stopped.is_set():
                self._retry(list(left.values()), asked, self._living.pop(number).end())
        if number in self._living:
            self._living[number].end()

    def _find_worker(self, number: int) -> Worker:
        if number not in self._living:
            self._living[number] = self.start(number)
        return self._living[number]

    def _work(self, number: int, worker: Worker, tasks: Sequence[Task]) -> Iterator[Answer]:
        self._busy.add(number)
        if self._stopped.is_set():  # an interrupt came while it was started
            worker.signal(interrupt_signal())
        yield from worker.ask(tasks)
        self._busy.discard(number)

    def _retry(self, left: Sequence[Task], asked: _Round, how: str) -> None:
        """Give what a dead worker has left to others; the task that it was at, alone."""
        first, rest = left[0], left[1:]
        deaths = asked.deaths[first["place"]] = asked.deaths.get(first["place"], 0) + 1
        with suppress(Exception):  # the next command does it
            self.bury()
        if deaths < ATTEMPTS:
            self.tell(f"a worker {how}: its job is trained again")
            self._waiting.put(([{**first, AGAIN: True}], asked))
        else:
            asked.answers.put(write_failure(first, f"its worker {how}, {ATTEMPTS} times"))
        if rest:
            self._waiting.put((rest, asked))
