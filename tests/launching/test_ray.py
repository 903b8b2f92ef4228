"""launcher=ray without a cluster: what a worker asks for, and what is refused before anything is recorded."""

import socket
from importlib import util
from typing import Any

import pytest

from pipeline.base.errors import UserError
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, Device, RayConfig, Source, TrainingConfig
from pipeline.launching import ray_cluster, relay
from pipeline.launching.ray_cluster import check_store, find_elsewhere, settings_of_mlflow
from pipeline.launching.ray_sizes import Size, choose_size, count_workers

GB = 10**9
NODES = [Size(16, 64 * GB), Size(4, 8 * GB, gpus=2)]


def make(seeds: int = 8, device: Device = Device.auto, **ray: Any) -> Config:
    dataset = DatasetConfig(name="sine", source=Source.sine)
    return Config(seeds=seeds, ray=RayConfig(**ray), training=TrainingConfig(device=device), dataset=dataset)


def close(*claims: dict[int, Any]) -> None:
    """Let cores go, as the end of a process does."""
    for lock in (lock for claim in claims for lock in claim.values() if lock is not None):
        lock.close()


@pytest.mark.parametrize(
    ("config", "tasks", "data", "expected"),
    [
        (make(), 100, 0, Size(1, 1_500_000_000)),  # enough jobs for every core
        (make(), 3, 0, Size(6, 1_500_000_000)),
        (make(seeds=2), 3, 0, Size(2, 1_500_000_000)),  # a core without a seed would be idle
        (make(seeds=64), 1, 0, Size(16, 1_500_000_000)),  # no node has more
        (make(), 100, GB, Size(1, 5_500_000_000)),
        (make(cores=3, memory=2.5), 100, GB, Size(3, 2_500_000_000)),
        (make(device=Device.gpu), 100, 0, Size(1, 1_500_000_000, gpus=1)),
    ],
)
def test_a_worker_asks_for_what_its_job_needs(config: Config, tasks: int, data: int, expected: Size) -> None:
    """A job is started where its data do not fit, without the GPU it wants, or on cores that have nothing to do."""
    assert choose_size(config, tasks, data, NODES) == expected


def test_as_many_workers_start_as_the_cluster_holds() -> None:
    """Workers wait for a place for ever, nodes stay idle, or a sweep waits for a node that is not there."""
    assert count_workers(Size(1, GB), None, 100, NODES) == 20
    assert count_workers(Size(1, 4 * GB), None, 100, NODES) == 18  # the second node has memory for two
    assert count_workers(Size(1, GB, gpus=1), None, 100, NODES) == 2
    assert count_workers(Size(1, GB), 7, 100, NODES) == 7
    assert count_workers(Size(1, GB), None, 3, NODES) == 3
    with pytest.raises(UserError, match=r"needs 17 core\(s\), 1\.0 GB, and no node .* 16 core\(s\), 64\.0 GB; 4 core"):
        count_workers(Size(17, GB), None, 1, NODES)


@pytest.mark.parametrize(
    ("uri", "complaint"),
    [
        ("sqlite:///mlflow.db", "is a file of this machine, and node 10.0.0.9 is another one; start `mlflow server"),
        ("http://localhost:5000", "give the name or address by which it sees the server"),
        ("postgresql://me:secret@127.0.0.1/runs", "names each machine itself"),
    ],
)
def test_a_store_that_other_machines_cannot_reach_is_refused(uri: str, complaint: str) -> None:
    """Jobs on other machines record nothing, or into a database of their own, after hours of training."""
    with pytest.raises(UserError, match=complaint) as caught:
        check_store(uri, "10.0.0.9")
    assert "secret" not in str(caught.value)
    check_store(uri, None)
    check_store("http://server:5000", "10.0.0.9")


def test_a_node_on_this_machine_is_known() -> None:
    """Two nodes on one machine may share a file; of another machine nobody is warned."""
    assert find_elsewhere(["127.0.0.1"]) is None
    assert find_elsewhere(["127.0.0.1", "192.0.2.77"]) == "192.0.2.77"


@pytest.mark.parametrize("address", ["server", "ray://server"])
def test_an_address_without_port_is_refused(address: str) -> None:
    """Ray waits, and says something about its own files."""
    with pytest.raises(UserError, match=f"must be HOST:6379, .* got ray.address={address}"):
        ray_cluster._check_address(address)


def test_an_address_where_nothing_answers_is_refused_at_once() -> None:
    """A wrong port costs minutes."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(UserError, match=f"does not answer: .*; start the cluster .ray start --head --port={port}"):
        ray_cluster._check_address(f"127.0.0.1:{port}")


def test_without_ray_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has not installed the extra gets a traceback."""
    monkeypatch.setattr(ray_cluster, "find_spec", lambda name: None if name == "ray" else util.find_spec(name))
    with pytest.raises(UserError, match=r"pip install 'lstm-pipeline\[ray\]'"):
        ray_cluster.check(make())


def test_a_worker_gets_the_address_and_the_password_of_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node records into the store that it was started with, or is refused by the server."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///other.db")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    found = settings_of_mlflow("http://server:5000")
    assert (found["MLFLOW_TRACKING_URI"], found["MLFLOW_TRACKING_PASSWORD"]) == ("http://server:5000", "secret")


def test_workers_of_a_node_have_cores_of_their_own(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray does not say which cores are whose: all workers of a node crowd on the first ones."""
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr("os.sched_getaffinity", lambda process: {2, 3, 5, 7}, raising=False)
    first, second = relay.claim_cores(2), relay.claim_cores(1)
    assert (list(first), list(second)) == ([2, 3], [5])
    third = relay.claim_cores(2)  # one is left: the other one is shared
    assert list(third) == [7, 2]
    close(first, third)
    fourth = relay.claim_cores(3)
    assert list(fourth) == [2, 3, 7]
    close(second, fourth)


@pytest.mark.parametrize(("ray", "complaint"), [({"cores": 0}, "ray.cores=0"), ({"memory": -1.0}, "ray.memory=-1.0")])
def test_wrong_numbers_are_refused(ray: dict[str, Any], complaint: str) -> None:
    """Ray refuses them after the sweep was opened, in words of its own."""
    with pytest.raises(UserError, match=complaint):
        check_ranges(make(**ray))
