"""A sign of life that every open run gives while its process lives, so that other machines can tell when it is gone."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import psutil

from pipeline.base.beat import beating_every
from pipeline.tracking.store import Store

PROCESS_TAG = "process"
HEARTBEAT_TAG = "heartbeat"
SLURM_TAG = "slurm_job"
SECONDS_BETWEEN = 30.0
SILENCE = timedelta(minutes=15)  # clocks that differ and a server that is away for minutes must kill no living run
_PATIENCE = 5.0  # seconds for a beat that is under way when its run ends: a server may not answer


def process_name() -> str:
    """Name this process so that no other one, now or later, on this or another machine, has the same name."""
    return f"{socket.gethostname()}:{os.getpid()}:{psutil.Process().create_time():.2f}"


def life_tags() -> dict[str, str]:
    """Return the tags by which others see that a run is alive: its process, and its sign of life of this moment."""
    job = slurm_job()
    return {PROCESS_TAG: process_name(), HEARTBEAT_TAG: _now()} | ({} if job is None else {SLURM_TAG: job})


def slurm_job() -> str | None:
    """Name the Slurm job that this process runs in, as `squeue` does: 12, or 12_3 of an array; None outside Slurm."""
    array, task = os.environ.get("SLURM_ARRAY_JOB_ID"), os.environ.get("SLURM_ARRAY_TASK_ID")
    return f"{array}_{task}" if array and task else os.environ.get("SLURM_JOB_ID")


@contextmanager
def beating(store: Store, run_id: str) -> Iterator[None]:
    """Renew the sign of life of a run while the block lasts; a store that is away for a while only misses some."""

    def beat() -> None:
        store.client.set_tag(run_id, HEARTBEAT_TAG, _now())  # what matters is logged by the run itself, and fails there

    with beating_every(SECONDS_BETWEEN, beat, _PATIENCE):
        yield


def has_ended(tags: Mapping[str, str]) -> bool:
    """Return whether the process of an open run is gone: it left this machine, or has been silent for too long.

    Args:
        tags: Of the run. One that another tool, or an older version on another machine, opened says nothing.
    """
    return is_gone(tags.get(PROCESS_TAG)) or _is_silent(tags.get(HEARTBEAT_TAG))


def is_gone(process: str | None) -> bool:
    """Return whether a process of this machine, by its `process_name`, has ended; of others nobody knows."""
    if process is None:
        return False  # not one of ours
    host, number, started = process.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        found = psutil.Process(int(number))
        # One that nobody waited for keeps its number: in a container often until the container ends.
        return found.status() == psutil.STATUS_ZOMBIE or abs(found.create_time() - float(started)) > 1
    except psutil.Error:
        return True


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _is_silent(heartbeat: str | None) -> bool:
    try:
        return heartbeat is not None and datetime.now(UTC) - datetime.fromisoformat(heartbeat) > SILENCE
    except (ValueError, TypeError):  # written by somebody else
        return False
