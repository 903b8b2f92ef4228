"""Deaths of a sweep that is trained by others: of one worker, of a node, of the command. Used by faults.py.

processes-worker   kill -9 of a worker process: its job is trained again, exit code 0
processes-driver   kill -9 of the command: its workers end by themselves
slurm-worker       kill -9 of a Slurm job's process: its job is trained again, exit code 0
slurm-node         kill -9 of a node's slurmd, in every second round also of what it trains: the other one goes on, 0
slurm-driver       kill -9 of the command: its Slurm jobs go on, and the repeated command waits for them

Slurm is a cluster of two nodes on this machine; what it lets wait two minutes after a node is lost is started at once.
"""

import os
import signal
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.slurm_cluster import Cluster, why_not

CODES = {"processes-worker": 0, "processes-driver": -9, "slurm-worker": 0, "slurm-node": 0, "slurm-driver": -9}
WORKERS = {"processes": "pipeline.launching.worker", "slurm": "pipeline.launching.slurm_worker"}


class Launchers:
    """What trains the sweeps, and the killing of it."""

    def __init__(self, cluster: Cluster | None) -> None:
        self._cluster, self._lost, self._rounds = cluster, "", 0

    def words(self, kind: str) -> list[str]:
        return ["launcher=slurm"] if kind.startswith("slurm") else ["launcher=processes", "workers=2"]

    def kill(self, kind: str, command: int, folder: Path) -> bool:
        """Kill; return whether there was something to kill."""
        if kind.endswith("driver"):
            os.kill(command, signal.SIGKILL)
            return True
        workers = list(find_workers(kind, command, folder))
        if not workers:
            return False
        if kind == "slurm-node":
            assert self._cluster is not None
            self._lost = workers[0].environ()["SLURMD_NODENAME"]
            self._cluster.kill_node(self._lost)
            self._rounds += 1
            workers = workers[:1] if self._rounds % 2 == 0 else []  # else the machine lives, but nobody can reach it
        for worker in workers[:1]:
            worker.kill()
        return True

    def hurry(self) -> None:
        """Start what waits for the end of Slurm's patience after a node was lost."""
        if self._lost and self._cluster is not None:
            for job in self._cluster.ask("squeue", "-h", "-r", "--states=PENDING", "--format=%A").split():
                self._cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

    def mend(self) -> None:
        """Start the node that was lost."""
        if self._lost and self._cluster is not None:
            self._cluster.start_node(self._lost)
            self._lost = ""


def find_workers(kind: str, command: int, folder: Path) -> Iterator[psutil.Process]:
    """Give the workers of a command that train, the oldest first."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            own = str(folder) in " ".join(words) if kind.startswith("slurm") else process.ppid() == command
            if own and WORKERS[kind.partition("-")[0]] in words:
                yield process


@contextmanager
def open_launchers(kinds: Sequence[str]) -> Iterator[Launchers]:
    """Start a cluster if one is needed.

    Raises:
        SystemExit: If it is not installed.
    """
    if not any(kind.startswith("slurm") for kind in kinds):
        yield Launchers(None)
        return
    if (reason := why_not()) is not None:
        raise SystemExit(f"no Slurm: {reason}; or leave the kinds slurm-... out")
    with tempfile.TemporaryDirectory(prefix="slurm-") as folder, Cluster(Path(folder)) as cluster:
        os.environ["SLURM_CONF"] = cluster.environment["SLURM_CONF"]  # for every command
        yield Launchers(cluster)
