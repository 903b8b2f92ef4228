"""launcher=ray on a real cluster of two nodes on this machine: what is killed is trained again, and once."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

import psutil
import pytest
from mlflow import MlflowClient

from tests.commands import run_command

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'lstm-pipeline[ray]'"),
]
LOOK_BACKS = range(1, 5)
WORDS = (
    "-m", "dataset=sine", "dataset.length=200", f"look_back={','.join(map(str, LOOK_BACKS))}", "training.epochs=20",
    "training.patience=null", "seeds=2", "tracking.log_model=false", "launcher=ray", "ray.memory=0.5", "resume=true",
)  # fmt: skip
SECONDS = 240.0


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@dataclass
class Cluster:
    """Two nodes with a core each."""

    folder: Path
    port: int = field(default_factory=free_port)
    nodes: list["subprocess.Popen[bytes]"] = field(default_factory=list)

    def add_node(self) -> None:
        own = ["--head", f"--port={self.port}", "--include-dashboard=false"]
        own = [f"--address=127.0.0.1:{self.port}"] if self.nodes else own
        words = [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", "--num-cpus=1", *own]
        words += ["--node-ip-address=127.0.0.1", "--object-store-memory=80000000", "--memory=4000000000"]
        with (self.folder / f"node{len(self.nodes)}.log").open("wb") as log:
            self.nodes.append(subprocess.Popen(words, stdout=log, stderr=log, env=environment()))

    def is_up(self) -> bool:
        asked = "import ray, sys; ray.init(address=sys.argv[1]); print(sum(n['Alive'] for n in ray.nodes()))"
        words = [sys.executable, "-c", asked, f"127.0.0.1:{self.port}"]
        done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=60, check=False)
        return done.stdout.strip() == str(len(self.nodes))

    def find(self, node: int, name: str) -> list[psutil.Process]:
        """Return the processes of a node by a part of their command."""
        found = psutil.Process(self.nodes[node].pid).children(recursive=True)
        return [each for each in found if name in each.name() or name in " ".join(each.cmdline())]


def environment() -> dict[str, str]:
    own = {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0", "RAY_raylet_start_wait_time_s": "180"}
    return {**os.environ, **own}


def wait_until(is_so: Callable[[], object], seconds: float = SECONDS) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.3)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    started = Cluster(tmp_path)
    try:
        started.add_node()
        wait_until(started.is_up)  # a node that is started beside it may find nobody
        started.add_node()
        wait_until(started.is_up)
        yield started
    finally:
        for node in started.nodes:
            for process in psutil.Process(node.pid).children(recursive=True):
                process.kill()
            node.kill()
            node.wait()


def statuses(uri: str) -> list[str]:
    """Return the status of each run of a configuration, and that it names."""
    client = MlflowClient(uri)
    experiment = client.get_experiment_by_name("lstm-pipeline")
    runs = client.search_runs([experiment.experiment_id]) if experiment is not None else []
    return [f"{run.data.params['look_back']} {run.info.status}" for run in runs if "look_back" in run.data.params]


def check_whole(uri: str) -> None:
    found = Counter(statuses(uri))
    assert {name: count for name, count in found.items() if "FINISHED" in name} == {
        f"{look_back} FINISHED": 1 for look_back in LOOK_BACKS
    }
    assert not [name for name in found if "RUNNING" in name]


def start(words: Sequence[str], folder: Path) -> "subprocess.Popen[str]":
    with (folder / "stderr.txt").open("w") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline.run", *words], cwd=folder, env=environment(), stderr=said, text=True
        )


def test_a_worker_and_a_node_are_lost(cluster: Cluster, tmp_path: Path, make_store: Callable[[Path], str]) -> None:
    """Memory runs out on a node, then another node loses power: jobs are lost, trained twice, or wait for ever."""
    uri = make_store(tmp_path)
    command = start((*WORDS, f"tracking.uri={uri}", f"ray.address=127.0.0.1:{cluster.port}"), tmp_path)
    wait_until(lambda: any("RUNNING" in each for each in statuses(uri)))
    (actor, *_) = cluster.find(0, "ray::Relay")
    actor.kill()
    wait_until(lambda: "its job is trained again" in (tmp_path / "stderr.txt").read_text())
    wait_until(lambda: cluster.find(1, "pipeline.launching.worker"))
    (raylet,) = [each for each in cluster.find(1, "raylet") if each.name() == "raylet"]
    raylet.kill()
    assert command.wait(SECONDS) == 0, (tmp_path / "stderr.txt").read_text()
    assert "was lost (Actor" in (tmp_path / "stderr.txt").read_text()
    check_whole(uri)


def test_the_command_is_killed_and_repeated(
    cluster: Cluster, tmp_path: Path, make_store: Callable[[Path], str]
) -> None:
    """Workers train on with nobody there and beside those of the repeated command; runs stay open for ever."""
    uri = make_store(tmp_path)
    words = (*WORDS, f"tracking.uri={uri}", f"ray.address=127.0.0.1:{cluster.port}")
    command = start(words, tmp_path)
    wait_until(lambda: any("FINISHED" in each for each in statuses(uri)))
    command.send_signal(signal.SIGKILL)
    command.wait()
    done = run_command("pipeline.run", *words, cwd=tmp_path, env=environment(), timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    check_whole(uri)
    assert "already trained, read back" in done.stderr
