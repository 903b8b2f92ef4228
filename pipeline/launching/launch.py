"""Where the jobs of a sweep are trained: `launcher=local`, in this process, or `launcher=processes`."""

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import psutil

from pipeline.base.errors import UserError
from pipeline.base.terminal import say
from pipeline.config.schema import Launcher, Source
from pipeline.experiment.jobs import Plan
from pipeline.launching.processes import Processes
from pipeline.training.cores import count_cores

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

_BYTES_OF_A_WORKER = 1.5e9  # TensorFlow, MLflow and a small network need 0.8 GB; data and large networks more


def find_launcher(plan: Plan) -> Launcher:
    """Return the launcher of a sweep.

    Raises:
        UserError: If its jobs name several, or it cannot take them.
    """
    if len({(job.launcher, job.workers) for job in plan.jobs}) > 1:
        raise UserError("launcher and workers are those of the whole sweep; give one value of each")
    launcher = plan.jobs[0].launcher
    if launcher is Launcher.local:
        return launcher
    if not plan.in_turn:
        raise UserError(f"launcher={launcher.value} plans its jobs itself; leave hydra/launcher and hydra/sweeper out")
    if any(job.dataset.source is Source.frame for job in plan.jobs):
        raise UserError(f"launcher={launcher.value} cannot take a table of this Python; write it to a file first")
    return launcher


def launch(plan: Plan, parent: str, store: "Store") -> None:
    """Train the jobs of a sweep in worker processes.

    Args:
        plan: With launcher=processes.
        parent: The run of the sweep.
        store: Where it is.

    Raises:
        PipelineError: The first of the jobs that failed; all others were trained.
    """
    from pipeline.tracking.past import kill_crashed

    keys = plan.differing_keys()
    tracked = [
        replace(job, tracking=replace(job.tracking, uri=store.uri, parent_run_id=parent, sweep_keys=keys))
        for job in plan.jobs
    ]
    cores = share_cores(plan.jobs[0].workers, len(plan.jobs))
    say(f"launcher=processes: {len(cores)} worker(s) with {len(cores[0])} core(s) each, for {len(tracked)} jobs")
    errors = Processes(tracked, cores, say, lambda: kill_crashed(store)).run()
    if errors:
        raise errors[0]


def share_cores(workers: int | None, jobs: int) -> list[list[int]]:
    """Return the cores of each worker; without a number as many workers as cores, jobs and free memory allow."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(count_cores()))
    allowed = max(1, int(psutil.virtual_memory().available / _BYTES_OF_A_WORKER))
    number = min(jobs, len(cores), allowed) if workers is None else min(jobs, workers)
    return [_share(cores, place, number) for place in range(number)]


def _share(cores: Sequence[int], place: int, number: int) -> list[int]:
    """Return a worker's own cores, the leftover ones given to the first; where there are too few, two share one."""
    return list(cores[place::number]) or [cores[place % len(cores)]]
