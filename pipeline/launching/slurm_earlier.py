"""What an earlier command has done, or does still: with resume=true no job is trained a second time.

A command that was killed leaves its Slurm jobs in the queue.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.interrupt import check_interrupt
from pipeline.config.schema import Config
from pipeline.experiment.resumed import read_back
from pipeline.launching import slurm_queue as queue
from pipeline.launching.answers import label_job, load_once, write_job
from pipeline.launching.slurm_folder import collect_work, name_work

if TYPE_CHECKING:
    from pipeline.data.series import Series
    from pipeline.tracking.store import Store

NAME = "lstm-pipeline-"  # of an array, before the parent run of its sweep
_SECONDS_BETWEEN_QUESTIONS = 10.0


def find_left(jobs: Sequence[Config], folder: Path, store: "Store", tell: Callable[[str], None]) -> list[int]:
    """Return the places of the jobs without a finished run, when no array of another sweep trains one any more.

    Args:
        jobs: Of the sweep.
        folder: With a folder for each sweep.
        store: Where they are recorded.
        tell: Told what is waited for, and what is read back.
    """
    _await_earlier(jobs, folder, store, tell)
    loaded: dict[str, Series] = {}
    left = []
    for place, job in enumerate(jobs):
        check_interrupt()
        if not read_back(job, load_once(job.dataset, loaded), label_job(job), store, tell):
            left.append(place)
    return left


def _await_earlier(jobs: Sequence[Config], folder: Path, store: "Store", tell: Callable[[str], None]) -> None:
    """Wait for the arrays of other sweeps that train one of these jobs, and close what they have left open."""
    from pipeline.tracking.past import close_left_open

    own = {name_work(write_job(place, job)) for place, job in enumerate(jobs)}
    shared: dict[str, int] = {}  # jobs by the array's name
    told: set[str] = set()
    while True:
        tasks = queue.list_tasks()
        names = {task.array_name for task in tasks or [] if task.array_name.startswith(NAME)}
        for name in names - set(shared):
            shared[name] = len(own & collect_work((folder / name.removeprefix(NAME)).glob("*")))
        busy = {name for name in names if shared[name]}
        for name in sorted(busy - told):
            tell(
                f"Slurm jobs of an earlier command train {shared[name]} of these jobs: waiting for them; "
                f"`scancel --name={name}` ends them"
            )
        told |= busy
        if tasks is not None and not busy:
            break
        check_interrupt()
        time.sleep(_SECONDS_BETWEEN_QUESTIONS)
    for name in told:
        with suppress(Exception):  # its store may be another one, or its parent deleted
            close_left_open(store, name.removeprefix(NAME), "its Slurm job ended without closing it")
