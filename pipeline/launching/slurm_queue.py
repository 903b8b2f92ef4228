"""What Slurm is asked and told: sbatch, squeue, scancel, scontrol. Never sacct: many clusters store no accounts."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.base.errors import UserError
from pipeline.config.schema import SlurmConfig

WAITING = "PENDING"
CANCELLED = "CANCELLED"
ENDINGS = {
    "TIMEOUT": "was ended at its time limit (slurm.time)",
    "OUT_OF_MEMORY": "had too little memory (slurm.memory)",
    "NODE_FAIL": "lost its node",
    "PREEMPTED": "was preempted",
    CANCELLED: "was cancelled",
}  # by what `find_ending` returns; of anything else nothing is known
_COMMANDS = ("sbatch", "squeue", "scancel", "scontrol")
_FORMAT = "%F_%K|%T|%r|%j"  # of squeue: array and index, state, reason, name
_SECONDS = 120  # that a controller may take to answer


@dataclass(frozen=True)
class Task:
    """A task of an array that is in the queue.

    Attributes:
        name: As in 12_3.
        state: For example PENDING, RUNNING, COMPLETING.
        reason: Why it waits, in Slurm's word.
        array_name: The name that its array was given.
    """

    name: str
    state: str
    reason: str
    array_name: str


def find_commands() -> None:
    """Look for Slurm's commands.

    Raises:
        UserError: If one is missing.
    """
    missing = [command for command in _COMMANDS if shutil.which(command) is None]
    if missing:
        raise UserError(
            f"launcher=slurm needs {missing[0]}, which is not on the PATH: start it on a login node of a Slurm cluster "
            "(`sinfo` answers there), or train here with launcher=processes"
        )


def write_words(slurm: SlurmConfig) -> list[str]:
    """Return the settings of a job as options of sbatch.

    Example:
        >>> write_words(SlurmConfig(partition="cpu", time=30, extra={"qos": "high", "exclusive": True}))[:3]
        ['--partition=cpu', '--time=30', '--cpus-per-task=1']
    """
    given = {
        "partition": slurm.partition,
        "time": slurm.time,
        "mem": None if slurm.memory is None else f"{max(1, round(slurm.memory * 1024))}M",
        "cpus-per-task": slurm.cpus,
        "requeue" if slurm.requeue else "no-requeue": True,
        **(slurm.extra or {}),
    }
    words = {name: value for name, value in given.items() if value is not None and value is not False}
    return [f"--{name}" if value is True else f"--{name}={value}" for name, value in words.items()]


def submit(words: Sequence[str], script: str, environment: Mapping[str, str] | None = None) -> str:
    """Hand a script to Slurm, and return the number of its job.

    Raises:
        UserError: If Slurm refuses it, with what Slurm says.
    """
    kept = {name: value for name, value in os.environ.items() if name == "SLURM_CONF" or not name.startswith("SLURM_")}
    ended = _run(["sbatch", "--parsable", *words], script, {**kept, **(environment or {})})
    if ended.returncode:
        said = [line.removeprefix("sbatch: ").removeprefix("error: ") for line in ended.stderr.splitlines()]
        raise UserError(f"Slurm refuses the jobs: {'; '.join(said) or f'sbatch ended with {ended.returncode}'}")
    return ended.stdout.strip().split(";")[0]


def list_tasks(array_name: str | None = None) -> list[Task] | None:
    """Return this user's tasks of arrays that wait or run; None if the controller does not answer.

    Args:
        array_name: Only those of arrays of this name.
    """
    of_name = [] if array_name is None else [f"--name={array_name}"]
    ended = _run(["squeue", "--me", "--array", "--noheader", f"--format={_FORMAT}", *of_name])
    if ended.returncode:
        return None
    return [Task(*line.strip().split("|", 3)) for line in ended.stdout.splitlines() if line.count("|") >= 3]


def cancel(array_name: str) -> bool:
    """End all tasks of the arrays of a name; return whether Slurm took it."""
    return _run(["scancel", f"--name={array_name}"]).returncode == 0


def cancel_task(task: str) -> bool:
    """End a task, such as 12_3; return whether Slurm took it."""
    return _run(["scancel", task]).returncode == 0


def find_ending(task: str) -> str:
    """Return the state in which a task ended, such as TIMEOUT; empty if Slurm has forgotten it, after some minutes."""
    ended = _run(["scontrol", "show", "job", "--oneliner", task])
    fields = dict(word.split("=", 1) for word in ended.stdout.split() if "=" in word)
    return "" if ended.returncode else fields.get("JobState", "")


def _run(
    words: Sequence[str], given: str | None = None, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            words,
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            env=environment,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            start_new_session=True,  # Ctrl-C of a terminal is for the command, which knows what to do
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(words, 127, "", str(error))
