"""Deaths of a sweep with launcher=ray, on a cluster of two nodes on this machine. Used by faults.py.

ray-worker   kill -9 of a worker process, in every second round of Ray's process above it: its job is trained again, 0
ray-node     kill -9 of a node's raylet, in every second round of all its processes: the other node goes on, exit code 0
ray-driver   kill -9 of the command: its workers end by themselves

The node that is killed is never the first one, which keeps the cluster's records.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.logged import Logged, read_database
from tests.ray_cluster import VARIABLES, Cluster

CODES = {"ray-worker": 0, "ray-node": 0, "ray-driver": -9}
WORKER, ABOVE = "pipeline.launching.worker", "ray::Relay"


class RayFaults:
    """The cluster, and the killing of what trains on it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster, self._rounds = cluster, 0
        self.variables = VARIABLES
        self._lost: list[psutil.Process] = []

    def words(self, folder: Path) -> list[str]:
        return ["launcher=ray", f"ray.address={self._cluster.address}", "ray.memory=0.5"]

    def strike(self, kind: str, command: int, folder: Path) -> bool:
        if kind == "ray-driver":
            os.kill(command, signal.SIGKILL)
            return True
        nodes = (1,) if kind == "ray-node" else (0, 1)
        if not any(self._cluster.find(node, WORKER) for node in nodes):
            return False
        self._rounds += 1
        everything = self._rounds % 2 == 0
        if kind == "ray-node":
            self._lost = self._cluster.find(1, "")
            killed = [each for each in self._lost if everything or each.name() == "raylet"]
        else:
            name = ABOVE if everything else WORKER
            killed = [each for node in nodes for each in self._cluster.find(node, name)][:1]
        for each in killed:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        return bool(killed)

    def hurry(self) -> None:
        """Ray knows of a death at once."""

    def runs(self, folder: Path) -> list[Logged]:
        return read_database(folder)

    def mend(self) -> None:
        """Start the node that was lost."""
        if self._lost:
            for each in self._lost:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
            self._cluster.replace_node(1)
            self._lost = []
