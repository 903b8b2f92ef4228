"""Where the sweeps of faults.py are trained and logged, each with faults of its own; started once, for all rounds."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from benchmarks import launcher_faults, ray_faults, server_faults
from benchmarks.launcher_faults import ProcessFaults, SlurmFaults
from benchmarks.logged import Logged, read_database
from benchmarks.ray_faults import RayFaults
from benchmarks.server_faults import ServerFaults
from tests import ray_cluster, slurm_cluster, team_server

CODES = {**launcher_faults.CODES, **ray_faults.CODES, **server_faults.CODES}  # of the sweep that is hit, by kind
OF_A_SERVER = tuple(server_faults.CODES)


class Place(Protocol):
    """What trains the sweeps, or logs them.

    Attributes:
        variables: That a command finds in its environment.
    """

    variables: Mapping[str, str]

    def words(self, folder: Path) -> list[str]:
        """Return the settings of the sweep in a folder."""

    def strike(self, kind: str, command: int, folder: Path) -> bool:
        """Let a fault happen, of a sweep by its process id and folder; False: there is nothing to hit yet."""

    def hurry(self) -> None:
        """Shorten what everybody waits for; called all the time after the fault."""

    def mend(self) -> None:
        """Bring back what is broken, before the sweep is repeated."""

    def runs(self, folder: Path) -> list[Logged]:
        """Return every run of a folder, sweeps included."""


class Here:
    """A sweep in one process; what hits it, faults.py does itself."""

    def __init__(self) -> None:
        self.variables: dict[str, str] = {}

    def words(self, folder: Path) -> list[str]:
        return []

    def strike(self, kind: str, command: int, folder: Path) -> bool:
        return False

    def hurry(self) -> None:
        """Nobody waits."""

    def mend(self) -> None:
        """Nothing is broken."""

    def runs(self, folder: Path) -> list[Logged]:
        return read_database(folder)


@contextmanager
def open_places(kinds: Sequence[str], frozen: float, away: float) -> Iterator[dict[str, Place]]:
    """Give the place of each kind.

    Args:
        kinds: Of faults.
        frozen: Seconds that a server hangs.
        away: Seconds that a server is gone.

    Raises:
        SystemExit: If what a kind needs is not installed.
    """
    needed = {kind: _name_place(kind) for kind in kinds}
    reasons = {"slurm": slurm_cluster.why_not, "ray": ray_cluster.why_not, "team": team_server.why_not}
    for kind, name in needed.items():
        if name in reasons and (reason := reasons[name]()) is not None:
            raise SystemExit(f"{kind}: {reason}; or leave it out of --kinds")
    with ExitStack() as stack:

        def open_place(name: str) -> Place:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=f"{name}-")))
            if name == "slurm":
                return SlurmFaults(stack.enter_context(slurm_cluster.Cluster(folder)))
            if name == "ray":
                return RayFaults(stack.enter_context(ray_cluster.Cluster(folder)))
            if name == "team":
                return ServerFaults(stack.enter_context(team_server.open_team()), frozen, away)
            return ProcessFaults() if name == "processes" else Here()

        opened = {name: open_place(name) for name in dict.fromkeys(needed.values())}
        yield {kind: opened[name] for kind, name in needed.items()}


def _name_place(kind: str) -> str:
    if kind in server_faults.CODES:
        return "team"
    return kind.partition("-")[0] if kind in CODES else "here"
