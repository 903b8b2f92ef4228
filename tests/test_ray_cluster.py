"""launcher=ray on a real cluster of two nodes on this machine: what is killed is trained again, and once."""

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests import ray_cluster
from tests.commands import run_command
from tests.ray_cluster import Cluster, environment
from tests.slurm_cluster import wait_until

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(ray_cluster.why_not() is not None, reason=str(ray_cluster.why_not())),
]
LOOK_BACKS = range(1, 5)
WORDS = (
    "-m", "dataset=sine", "dataset.length=200", f"look_back={','.join(map(str, LOOK_BACKS))}", "training.epochs=20",
    "training.patience=null", "seeds=2", "tracking.log_model=false", "launcher=ray", "ray.memory=0.5", "resume=true",
)  # fmt: skip
SECONDS = 240


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path) as started:
        yield started


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
    command = start((*WORDS, f"tracking.uri={uri}", f"ray.address={cluster.address}"), tmp_path)
    wait_until(lambda: any("RUNNING" in each for each in statuses(uri)), "a run", SECONDS)
    (actor, *_) = cluster.find(0, "ray::Relay")
    actor.kill()
    wait_until(lambda: "its job is trained again" in (tmp_path / "stderr.txt").read_text(), "news", SECONDS)
    wait_until(lambda: cluster.find(1, "pipeline.launching.worker"), "a worker", SECONDS)
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
    words = (*WORDS, f"tracking.uri={uri}", f"ray.address={cluster.address}")
    command = start(words, tmp_path)
    wait_until(lambda: any("FINISHED" in each for each in statuses(uri)), "a run", SECONDS)
    command.send_signal(signal.SIGKILL)
    command.wait()
    done = run_command("pipeline.run", *words, cwd=tmp_path, env=environment(), timeout=SECONDS)
    assert done.returncode == 0, done.stderr
    check_whole(uri)
    assert "already trained, read back" in done.stderr
