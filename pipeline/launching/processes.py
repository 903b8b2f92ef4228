"""`launcher=processes`: worker processes on this machine, each with its share of the cores."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import psutil

from pipeline.base.errors import PipelineError
from pipeline.config.schema import Config, Device
from pipeline.launching.batches import train_in_batches
from pipeline.launching.child import Child
from pipeline.launching.workers import Workers
from pipeline.training.cores import count_cores

if TYPE_CHECKING:
    from pipeline.data.series import Series
    from pipeline.tracking.store import Store

_BYTES_OF_A_WORKER = 1.5e9  # TensorFlow, MLflow and a small network need 0.8 GB; data and large networks more


def check(config: Config) -> None:
    """Every machine has processes."""


def train_jobs(jobs: Sequence[Config], store: "Store", tell: Callable[[str], None]) -> list[PipelineError]:
    """Train the jobs of a sweep; as `pipeline.launching.launch.Engine` says."""
    widest = next((job for job in jobs if job.training.device is Device.gpu), jobs[0])
    return train_in_batches(jobs, lambda work: open_workers(widest, len(jobs), work, store, tell, {}))


def open_workers(
    config: Config, tasks: int, work: str, store: "Store", tell: Callable[[str], None], series: "Mapping[str, Series]"
) -> Workers:
    """Return workers; as `pipeline.launching.launch.Engine` says."""
    from pipeline.tracking.past import kill_crashed

    on_gpu = config.training.device is Device.gpu  # a second worker would only halve its memory
    cores = share_cores(1 if on_gpu and config.workers is None else config.workers, tasks)
    tell(f"launcher=processes: {len(cores)} worker(s) with {len(cores[0])} core(s) each, for {tasks} job(s)")
    return Workers(len(cores), lambda number: Child(work, cores[number], tell), tell, lambda: kill_crashed(store))


def share_cores(workers: int | None, jobs: int) -> list[list[int]]:
    """Return the cores of each worker; without a number as many workers as cores, jobs and free memory allow."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(count_cores()))
    cores = cores[: count_cores()]
    allowed = max(1, int(psutil.virtual_memory().available / _BYTES_OF_A_WORKER))
    number = min(jobs, len(cores), allowed) if workers is None else min(jobs, workers)
    return [_share(cores, place, number) for place in range(number)]


def _share(cores: Sequence[int], place: int, number: int) -> list[int]:
    """Return a worker's own cores, the leftover ones given to the first; where there are too few, two share one."""
    return list(cores[place::number]) or [cores[place % len(cores)]]
