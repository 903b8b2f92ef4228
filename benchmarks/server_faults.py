"""Faults of the server that a sweep logs to: PostgreSQL and MLflow, as `make server` starts them. Used by faults.py.

server-frozen        MLflow's processes stop for 20 s (--frozen): requests are tried again, exit code 0
server-killed        kill -9 of all of it, PostgreSQL included; started again after 60 s (--away): the same
postgres-restarted   kill -9 of PostgreSQL, in every second round its fast shutdown; started again at once: the same
A command that finds no server when it begins is refused, and has recorded nothing: exit code 2.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.logged import Logged
from tests.team_server import ACCOUNT, Team

CODES = {"server-frozen": 0, "server-killed": 0, "postgres-restarted": 0}


class ServerFaults:
    """The server, and what becomes of it.

    Args:
        team: The server.
        frozen: Seconds.
        away: Seconds.
    """

    def __init__(self, team: Team, frozen: float, away: float) -> None:
        self._team, self._frozen, self._away, self._rounds = team, frozen, away, 0
        self.variables = team.variables
        os.environ.update(ACCOUNT)  # for the look at the runs

    def words(self, folder: Path) -> list[str]:
        return [f"tracking.experiment_name={folder.name}"]

    def strike(self, kind: str, command: int, folder: Path) -> bool:
        if kind == "server-frozen":
            processes = self._team.children("mlflow")
            for each in processes:
                each.suspend()
            time.sleep(self._frozen)
            for each in processes:
                with suppress(psutil.NoSuchProcess):
                    each.resume()
        elif kind == "server-killed":
            self._team.kill()
            time.sleep(self._away)
            self._team.start()
        else:
            self._rounds += 1
            (postmaster, *_) = self._team.children("/bin/postgres -D")
            postmaster.send_signal(signal.SIGINT if self._rounds % 2 == 0 else signal.SIGKILL)
        return True

    def hurry(self) -> None:
        """Nobody waits for anything else."""

    def mend(self) -> None:
        """Wait until the server answers."""
        while not self._team.answers():
            if self._team.process is None or self._team.process.poll() is not None:
                raise SystemExit(f"the server has ended: {self._team.log}")
            time.sleep(0.5)

    def runs(self, folder: Path) -> list[Logged]:
        jobs, sweeps = self._team.runs(folder.name)
        artifacts = self._team.folder / "server" / "artifacts"
        return [
            Logged(
                run.info.run_id,
                run.info.status,
                artifacts / run.info.artifact_uri.removeprefix("mlflow-artifacts:/"),
                run.data.tags,
                "test_rmse" in run.data.metrics,
            )
            for run in (*jobs, *sweeps)
        ]
