"""A real server of a team on this machine: PostgreSQL, and MLflow with accounts, as `make server` starts them."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.slurm_cluster import free_ports

if TYPE_CHECKING:
    from mlflow.entities import Run

SCRIPT = Path(__file__).resolve().parent.parent / "deploy" / "server.py"
DATABASE_PASSWORD, ADMIN_PASSWORD = "not-for-the-eyes-of-anybody", "nor-this-one-for-anybodys"
PASSWORDS = {"POSTGRES_PASSWORD": DATABASE_PASSWORD, "MLFLOW_AUTH_ADMIN_PASSWORD": ADMIN_PASSWORD}
ACCOUNT = {"MLFLOW_TRACKING_USERNAME": "admin", "MLFLOW_TRACKING_PASSWORD": ADMIN_PASSWORD}
START_SECONDS = 600


def why_not() -> str | None:
    """Return why no server can be started here; None if one can."""
    if not list(Path("/usr/lib/postgresql").glob("*/bin/initdb")) and shutil.which("initdb") is None:
        return "there is no PostgreSQL server on this machine: apt-get install postgresql"
    if find_spec("psycopg") is None or find_spec("flask_wtf") is None:
        return "what a server needs is not installed: pip install -c constraints.txt -e '.[server]'"
    return None


@dataclass
class Team:
    """A server that can be stopped and started, and how one trains with it.

    Attributes:
        folder: For the server and its log; the user postgres must be able to enter it.
        words: More of the command.
        settings: More of its environment.
        port: Of MLflow.
        process: Of `deploy/server.py`.
    """

    folder: Path
    words: Sequence[str] = ()
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=lambda: free_ports(1)[0])
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        words = [sys.executable, SCRIPT, self.folder / "server", "--port", str(self.port), "--workers", "1"]
        environment = {**os.environ, **PASSWORDS, **self.settings}
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen([*words, *self.words], env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self.answers():
            assert self.process.poll() is None and time.monotonic() < deadline, self.log
            time.sleep(0.2)

    def stop(self) -> int:
        """End it, and return its exit code."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(120)

    def kill(self) -> None:
        """Kill everything of it at once, as by a loss of power."""
        assert self.process is not None
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(self.process.pid)
            for each in [process, *process.children(recursive=True)]:
                with suppress(psutil.NoSuchProcess):
                    each.kill()
        self.process.wait()

    def answers(self) -> bool:
        """Return whether MLflow is there."""
        with suppress(OSError):
            urllib.request.urlopen(f"{self.address}/health", timeout=60).close()
            return True
        return False

    def children(self, name: str) -> list[psutil.Process]:
        """Return what was started for MLflow, or for PostgreSQL."""
        assert self.process is not None
        return [
            each
            for service in psutil.Process(self.process.pid).children()
            if name in " ".join(service.cmdline())
            for each in (service, *service.children(recursive=True))
        ]

    @property
    def log(self) -> str:
        """What it said."""
        return (self.folder / "server.log").read_text()

    @property
    def address(self) -> str:
        """Of MLflow."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def variables(self) -> dict[str, str]:
        """What a command that trains with it finds in its environment."""
        return {"MLFLOW_TRACKING_URI": self.address, **ACCOUNT}

    @property
    def environment(self) -> dict[str, str]:
        """The environment of such a command."""
        return {**os.environ, **self.variables}

    def runs(self, experiment: str) -> "tuple[list[Run], list[Run]]":
        """Return the jobs and the sweeps of an experiment."""
        from mlflow import MlflowClient  # seconds

        client = MlflowClient(self.address)
        found = client.get_experiment_by_name(experiment)
        if found is None:
            return [], []
        runs = client.search_runs([found.experiment_id], max_results=1000)
        return [run for run in runs if "config_hash" in run.data.tags], [
            run for run in runs if "sweep" in run.data.tags
        ]


@contextmanager
def open_team(words: Sequence[str] = (), settings: Mapping[str, str] | None = None) -> Iterator[Team]:
    """Give a server in a folder of its own; it is ended and removed in the end."""
    folder = Path(tempfile.mkdtemp())  # the user postgres cannot enter the folders of pytest
    folder.chmod(0o755)
    team = Team(folder, words, settings or {})
    team.start()
    try:
        yield team
        assert team.stop() == 0, team.log
        assert not team.answers()
    finally:
        team.kill()
        shutil.rmtree(folder)
