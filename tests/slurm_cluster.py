"""A real Slurm cluster on this machine: munged, slurmctld and two slurmd in a folder of their own, without accounting.

with Cluster(folder) as cluster:
    subprocess.run(["sinfo"], env=cluster.environment)
"""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

NEEDED = ("munged", "slurmctld", "slurmd", "sbatch", "squeue", "scancel", "scontrol")
NODES = ("n1", "n2")
SECONDS = 60  # for what should take one
CONFIGURATION = """
ClusterName=tests
SlurmctldHost=localhost(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SchedulerType=sched/backfill
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
DefMemPerCPU=2000
ReturnToService=2
SlurmdParameters=config_overrides
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool-%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd-%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd-%n.log
SlurmdTimeout=10
SlurmctldTimeout=10
KillWait=20
MpiDefault=none
"""


def why_not() -> str | None:
    """Return why no cluster can be started here; None if one can."""
    missing = [name for name in NEEDED if find(name) is None]
    if missing:
        return f"{missing[0]} is not installed: apt-get install slurmctld slurmd munge slurm-client"
    return None


def find(name: str) -> str | None:
    """Return the path of a program; daemons lie where only root looks."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")


class Cluster:
    """A cluster of two nodes with one core each; leaving the block ends it, and every job of it.

    Args:
        folder: Empty; short enough for the path of a socket.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}
        self._stack = ExitStack()

    def __enter__(self) -> "Cluster":
        try:
            with self._stack:
                self._configure()
                self._start_munge()
                self._start("slurmctld", "-D")
                for node in NODES:
                    self.start_node(node)
                wait_until(lambda: set(self.ask("sinfo", "-h", "-N", "-o", "%T").split()) == {"idle"}, "two idle nodes")
                self._stack = self._stack.pop_all()
        except BaseException:
            print("\n".join(file.read_text()[-2000:] for file in self.folder.glob("*.log")))
            raise
        return self

    def __exit__(self, *error: object) -> None:
        self.ask("scancel", "--user", pwd.getpwuid(os.getuid()).pw_name)
        with suppress(TimeoutError):
            wait_until(lambda: not self.ask("squeue", "-h"), "an empty queue", 30)
        self._stack.close()

    def ask(self, *words: str) -> str:
        """Return what one of Slurm's commands says; of one that fails, nothing."""
        return subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False).stdout.strip()

    def start_node(self, node: str) -> None:
        """Start a node, for the first time or after it was killed."""
        self._start("slurmd", "-D", "-N", node)
        wait_until((self.folder / f"slurmd-{node}.pid").exists, f"node {node}")

    def kill_node(self, node: str) -> None:
        """Kill the daemon of a node with SIGKILL: what the node trains goes on, and nobody hears of it."""
        file = self.folder / f"slurmd-{node}.pid"
        os.kill(int(file.read_text()), signal.SIGKILL)
        file.unlink()

    def _configure(self) -> None:
        port, *ports = free_ports(1 + len(NODES))
        host, user = socket.gethostname().split(".")[0], pwd.getpwuid(os.getuid()).pw_name
        lines = [
            f"NodeName={node} NodeAddr=127.0.0.1 NodeHostname={host} Port={each} CPUs=1 RealMemory=8000"
            for node, each in zip(NODES, ports, strict=True)
        ]
        lines.append(f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP")
        head = CONFIGURATION.format(folder=self.folder, port=port, user=user)
        (self.folder / "slurm.conf").write_text(head + "\n".join(lines) + "\n")
        (self.folder / "state").mkdir()

    def _start_munge(self) -> None:
        key = self.folder / "munge.key"
        key.write_bytes(os.urandom(128))
        key.chmod(0o600)
        files = [f"--{name}={self.folder}/munge.{end}" for name, end in MUNGE_FILES]
        self._start("munged", "--foreground", "--force", f"--key-file={key}", *files)
        wait_until((self.folder / "munge.socket").exists, "munged")

    def _start(self, program: str, *words: str) -> None:
        path = find(program)
        assert path is not None
        with (self.folder / f"{program}.out").open("ab") as out:
            process = subprocess.Popen(
                [path, *words], env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out
            )
        self._stack.callback(_end, process)


MUNGE_FILES = (("socket", "socket"), ("pid-file", "pid"), ("log-file", "log"), ("seed-file", "seed"))


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def free_ports(number: int) -> Sequence[int]:
    """Return ports that nobody uses at this moment."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def wait_until(is_so: Callable[[], object], what: str, seconds: float = SECONDS) -> None:
    """Wait for something.

    Raises:
        TimeoutError: If it does not come.
    """
    deadline = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come in {seconds} s")
        time.sleep(0.1)
