"""Deaths of a sweep that is trained by others: of one worker, of a node, of the command. Used by faults.py.

processes-worker   kill -9 of a worker process: its job is trained again, exit code 0
processes-driver   kill -9 of the command: its workers end by themselves
processes-disk     the disk is filled to its last byte, and emptied before the sweep is repeated, as the kind disk does
slurm-worker       kill -9 of a Slurm job's process: its job is trained again, exit code 0
slurm-node         kill -9 of a node's slurmd, in every second round also of what it trains: the other one goes on, 0
slurm-driver       kill -9 of the command: its Slurm jobs go on, and the repeated command waits for them

Slurm is a cluster of two nodes on this machine; what it lets wait two minutes after a node is lost is started at once.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.logged import Logged, read_database
from tests.slurm_cluster import Cluster

CODES = {
    "processes-worker": 0,
    "processes-driver": -9,
    "processes-disk": 0,
    "slurm-worker": 0,
    "slurm-node": 0,
    "slurm-driver": -9,
}


class ProcessFaults:
    """Worker processes of the command, and the killing of them."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}

    def words(self, folder: Path) -> list[str]:
        return ["launcher=processes", "workers=2"]

    def strike(self, kind: str, command: int, folder: Path) -> bool:
        if kind == "processes-driver":
            os.kill(command, signal.SIGKILL)
            return True
        workers = [each for each in find("pipeline.launching.worker") if each.ppid() == command]
        for each in workers[:1] if kind == "processes-worker" else []:
            each.kill()
        return bool(workers)

    def hurry(self) -> None:
        """Nobody waits longer than for the end of a process."""

    def mend(self) -> None:
        """What was killed is started again by the command."""

    def runs(self, folder: Path) -> list[Logged]:
        return read_database(folder)


class SlurmFaults:
    """A Slurm cluster, and the killing of what trains on it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._lost, self._rounds = cluster, "", 0
        self.variables = {"SLURM_CONF": cluster.environment["SLURM_CONF"]}

    def words(self, folder: Path) -> list[str]:
        return ["launcher=slurm"]

    def strike(self, kind: str, command: int, folder: Path) -> bool:
        if kind == "slurm-driver":
            os.kill(command, signal.SIGKILL)
            return True
        own = [each for each in find("pipeline.launching.slurm_worker") if str(folder) in " ".join(each.cmdline())]
        workers = own[:1]
        if kind == "slurm-node" and workers:
            self._lost = workers[0].environ()["SLURMD_NODENAME"]
            self._cluster.kill_node(self._lost)
            self._rounds += 1
        for each in workers if kind == "slurm-worker" or self._rounds % 2 == 0 else []:
            each.kill()  # else the machine lives, but nobody can reach it
        return bool(workers)

    def hurry(self) -> None:
        """Start what waits for the end of Slurm's patience after a node was lost."""
        if self._lost:
            for job in self._cluster.ask("squeue", "-h", "-r", "--states=PENDING", "--format=%A").split():
                self._cluster.ask("scontrol", "update", f"JobId={job}", "StartTime=now")

    def mend(self) -> None:
        """Start the node that was lost."""
        if self._lost:
            self._cluster.start_node(self._lost)
            self._lost = ""

    def runs(self, folder: Path) -> list[Logged]:
        return read_database(folder)


def find(module: str) -> Iterator[psutil.Process]:
    """Give the processes that run a module, the oldest first."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if module in process.cmdline():
                yield process
