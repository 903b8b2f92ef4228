"""A real Ray cluster on this machine: nodes with one core each, on loopback.

with Cluster(folder) as cluster:
    ...ray.address=cluster.address, environment=environment()
"""

import os
import socket
import subprocess
import sys
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import psutil

from tests.slurm_cluster import wait_until

VARIABLES = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "180"}
SECONDS = 480.0  # until a node is there, on a busy machine


def why_not() -> str | None:
    """Return why no cluster can be started here; None if one can."""
    return None if find_spec("ray") is not None else "Ray is not installed: pip install 'lstm-pipeline[ray]'"


class Cluster:
    """A cluster of two nodes with a core each; leaving the block ends it, and every worker on it.

    Args:
        folder: For what nodes say.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self._port = folder, free_port()
        self._nodes: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> "Cluster":
        try:
            for _ in range(2):
                self.add_node()  # one that is started beside the first may find nobody
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for node in range(len(self._nodes)):
            self.end_node(node)

    @property
    def address(self) -> str:
        """Of the first node."""
        return f"127.0.0.1:{self._port}"

    def add_node(self) -> None:
        """Start a node and wait until it is there."""
        self._nodes.append(self._start_node(first=not self._nodes))
        self._wait_for_node(-1)

    def replace_node(self, node: int) -> None:
        """Start a new node for one that was lost."""
        self.end_node(node)
        wait_until(lambda: self._count_nodes() == len(self._nodes) - 1, "the end of a node", SECONDS)
        self._nodes[node] = self._start_node(first=False)
        self._wait_for_node(node)

    def _wait_for_node(self, node: int) -> None:
        """Wait until all nodes are there; Ray itself gives up where a busy machine lets a start take too long."""

        def look() -> bool:
            if self._nodes[node].poll() is not None:
                self._nodes[node] = self._start_node(first=len(self._nodes) == 1)
            return self._count_nodes() == len(self._nodes)

        wait_until(look, "a node", SECONDS)

    def _start_node(self, first: bool) -> "subprocess.Popen[bytes]":
        own = ["--head", f"--port={self._port}"] if first else [f"--address={self.address}"]
        words = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", *own]
        words += ["--node-ip-address=127.0.0.1", "--object-store-memory=80000000", "--memory=4000000000"]
        words += ["--include-dashboard=false"] if first else []
        with (self._folder / "nodes.log").open("ab") as log:
            return subprocess.Popen(words, stdout=log, stderr=log, env=environment())

    def end_node(self, node: int) -> None:
        """Kill all of a node, as by a loss of its power."""
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self._nodes[node].pid)
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        self._nodes[node].wait()

    def find(self, node: int, name: str) -> list[psutil.Process]:
        """Return the processes of a node by a part of their command."""
        found = []
        with suppress(psutil.NoSuchProcess):
            for each in psutil.Process(self._nodes[node].pid).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    found += [each] if name in each.name() or name in " ".join(each.cmdline()) else []
        return found

    def _count_nodes(self) -> int:
        asked = "import ray, sys; ray.init(address=sys.argv[1]); sys.exit(10 + sum(n['Alive'] for n in ray.nodes()))"
        words = [sys.executable, "-c", asked, self.address]
        try:
            # The exit code, since Ray prints what it likes; of an error it would be 1.
            return max(0, subprocess.run(words, env=environment(), capture_output=True, timeout=60).returncode - 10)
        except subprocess.TimeoutExpired:  # Ray waits for minutes for what may come
            return 0


def free_port() -> int:
    """Return a port that nobody uses at this moment."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment() -> dict[str, str]:
    """Return the environment of nodes and commands."""
    return {**os.environ, **VARIABLES}
