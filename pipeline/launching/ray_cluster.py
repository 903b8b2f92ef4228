"""The Ray cluster of launcher=ray: found or started, given the program, and asked what it has."""

import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from pipeline.base.errors import UserError
from pipeline.base.paths import conf_dir, data_dir
from pipeline.base.text import hide_password
from pipeline.config.schema import Config
from pipeline.launching.ray_sizes import Size
from pipeline.training.cores import count_cores

_VARIABLE = "MLFLOW_TRACKING_URI"
_SECONDS_TO_ANSWER = 10.0
_SERVER = "start `mlflow server --host 0.0.0.0` on this machine and give tracking.uri=http://HOST:5000"


def check(config: Config) -> None:
    """Connect to the cluster, or start one on this machine; look whether its nodes can reach the store.

    Raises:
        UserError: If Ray is not installed, nothing answers at ray.address, or runs could not be recorded.
    """
    if find_spec("ray") is None:
        raise UserError("launcher=ray needs Ray, which is not installed: pip install 'lstm-pipeline[ray]'")
    from pipeline.tracking.store import tracking_uri

    if config.ray.address is not None:
        _check_address(config.ray.address)
    ray = connect(config)
    elsewhere = find_elsewhere([node["NodeManagerAddress"] for node in ray.nodes() if node["Alive"]])
    check_store(tracking_uri(config.tracking), elsewhere)


def connect(config: Config) -> Any:
    """Return the package ray, connected; the program travels to the nodes as Ray's working directory."""
    ray = import_module("ray")
    if ray.is_initialized():
        return ray
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local = {"include_dashboard": False, "num_cpus": count_cores()} if config.ray.address is None else {}
    try:
        with _kept_signals(), _packed() as folder:
            ray.init(
                address=config.ray.address or "local", runtime_env={"working_dir": str(folder)}, log_to_driver=False,
                configure_logging=False, **local,
            )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError, ImportError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise UserError(
            f"launcher=ray: no cluster can be used at ray.address={config.ray.address or 'null'}: {reason}"
        ) from error
    return ray


def read_nodes(ray: Any) -> list[Size]:
    """Return what each living node has."""
    found = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return [Size(int(has.get("CPU", 0)), int(has.get("memory", 0)), int(has.get("GPU", 0))) for has in found]


def settings_of_mlflow(uri: str) -> dict[str, str]:
    """Return the variables by which a worker reaches the store: its address, and what MLflow is told by variables."""
    return {name: value for name, value in os.environ.items() if name.startswith("MLFLOW_")} | {_VARIABLE: uri}


def find_elsewhere(addresses: Sequence[str]) -> str | None:
    """Return the first address that is none of this machine's; None if there is none."""
    own = {each.address for found in psutil.net_if_addrs().values() for each in found}
    return next((address for address in addresses if address not in own), None)


def check_store(uri: str, elsewhere: str | None) -> None:
    """Check that a node on another machine can record its runs.

    Args:
        uri: Of the store.
        elsewhere: Address of a node on another machine; None if there is none.

    Raises:
        UserError: If the store is a file, or a server of which the nodes only know that it is on their own machine.
    """
    if elsewhere is None:
        return
    if uri.startswith(("sqlite:", "file:")) or "://" not in uri:
        raise UserError(f"tracking.uri={uri} is a file of this machine, and node {elsewhere} is another one; {_SERVER}")
    if _is_loopback(urlsplit(uri).hostname or ""):
        raise UserError(
            f"tracking.uri={hide_password(uri)} names each machine itself, and node {elsewhere} is another "
            "one; give the name or address by which it sees the server"
        )


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_address(address: str) -> None:
    """Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not colon or not port.isdigit():
        raise UserError(f"ray.address must be HOST:6379, ray://HOST:10001 or auto, but got ray.address={address}")
    try:
        socket.create_connection((host, int(port)), _SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"ray.address={address} does not answer: {error}; start the cluster (ray start --head --port={port}), or "
            "leave ray.address out for one on this machine"
        ) from error


@contextmanager
def _packed() -> Iterator[Path]:
    """Give a folder with the program: its package, conf/ and data/, and nothing of what the user keeps beside them."""
    package = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory(prefix="lstm-pipeline-") as made:
        folder = Path(made)
        shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("__pycache__"))
        for source, name in ((conf_dir(), "conf"), (data_dir(), "data")):
            if package not in source.parents:  # in a wheel they are inside
                shutil.copytree(source, folder / name)
        yield folder


@contextmanager
def _kept_signals() -> Iterator[None]:
    """Ray sets a handler of its own for SIGTERM, by which no run would be closed."""
    numbers = [signal.SIGINT, signal.SIGTERM]
    before = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
