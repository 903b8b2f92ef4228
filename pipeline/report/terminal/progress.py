"""Progress of a training: a bar on a terminal, plain lines now and then otherwise. Goes to stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from pipeline.base.text import show_number
from pipeline.report.terminal.console import PlainConsole

_SECONDS_BETWEEN_LINES = 10.0


class Epoch(Protocol):
    """What progress needs to know about a finished epoch; epochs count from 1, losses are in scaled units."""

    @property
    def seed(self) -> int:
        """The seed."""

    @property
    def epoch(self) -> int:
        """Its number, from 1."""

    @property
    def loss(self) -> float:
        """Training loss."""

    @property
    def val_loss(self) -> float:
        """Validation loss."""

    @property
    def last(self) -> bool:
        """Whether this seed trains no further."""


class Reporter(Protocol):
    """Is told about every finished epoch."""

    def __call__(self, epoch: Epoch) -> None:
        """Show one finished epoch."""


@contextmanager
def show_progress(label: str, first_seed: int, seeds: int, epochs: int) -> Iterator[Reporter]:
    """Show the progress of a run while the block lasts.

    Args:
        label: Names the run.
        first_seed: Seed of the first training.
        seeds: Trainings of the run, one after another or side by side.
        epochs: Epochs of each training, at most.
    """
    if sys.stderr.isatty():
        with _bar(label, first_seed, seeds, epochs) as reporter:
            yield reporter
    else:
        yield _lines(label, first_seed, seeds, epochs)


@contextmanager
def _bar(label: str, first_seed: int, seeds: int, epochs: int) -> Iterator[Reporter]:
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("seed {task.fields[seed]}  epoch {task.fields[epoch]}/" + str(epochs)),
        TextColumn("val_loss {task.fields[val_loss]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=PlainConsole(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=seeds * epochs, seed=f"1/{seeds}", epoch=0, val_loss="-")

        done: dict[int, int] = {}  # epochs by seed; a seed that stopped early has no more to do

        def report(epoch: Epoch) -> None:
            done[epoch.seed] = epochs if epoch.last else epoch.epoch
            progress.update(
                task,
                completed=sum(done.values()),
                seed=f"{epoch.seed - first_seed + 1}/{seeds}",
                epoch=epoch.epoch,
                val_loss=show_number(epoch.val_loss),
            )

        yield report


def _lines(label: str, first_seed: int, seeds: int, epochs: int) -> Reporter:
    last = time.monotonic()

    def report(epoch: Epoch) -> None:
        nonlocal last
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            print(
                f"{label}: seed {epoch.seed - first_seed + 1}/{seeds}, epoch {epoch.epoch}/{epochs}, "
                f"loss {show_number(epoch.loss)}, val_loss {show_number(epoch.val_loss)}",
                file=sys.stderr,
                flush=True,
            )

    return report
