"""What a fault may do, and what it must not. Used by faults.py."""

import signal
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from zipfile import is_zipfile

from benchmarks.fault_disk import DISKS
from benchmarks.fault_places import CODES, OF_A_SERVER
from benchmarks.logged import Logged

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT, "hup": signal.SIGHUP}
HEARD = {"term": 143, "int": 130, "hup": 129}  # signals that a command ends itself by, and its exit codes
ENDED = ("FINISHED", "FAILED", "KILLED")


@dataclass
class Fault:
    """What hit a command, when, and what became of it."""

    kind: str
    finished_before: int
    is_hit: bool = False
    moment: str = "it had ended before"
    code: int | None = None
    lost: list[str] = field(default_factory=list)


def check_command(fault: Fault, lines: Sequence[str], has_begun: bool) -> list[str]:
    """Say what is wrong with the end of a command; `has_begun`: it has recorded a run."""
    lost = ["a traceback"] if any("Traceback" in line for line in lines) else []
    if fault.is_hit and not lines and fault.code == -SIGNALS.get(fault.kind, 0):
        return lost  # before Python read this program
    if fault.is_hit and fault.kind in HEARD and not any("resume=true" in line for line in lines[-1:]):
        lost.append("the interrupted sweep does not say how to go on")
    allowed = _allow(fault, has_begun)
    if fault.code not in allowed:
        lost.append(f"exit code {fault.code} instead of {allowed[0]}: {last_line(''.join(lines))}")
    return lost


def _allow(fault: Fault, has_begun: bool) -> tuple[int, ...]:
    if not fault.is_hit:
        return (0,)
    if fault.kind in DISKS:
        return (0, 1)
    if fault.kind in OF_A_SERVER and not has_begun:
        return (0, 2)  # it found no server when it began
    return ({"kill": -signal.SIGKILL, **HEARD, **CODES}[fault.kind],)


def check_at_once(fault: Fault, runs: Sequence[Logged], before: Collection[str]) -> list[str]:
    """Say what is wrong with the runs after a fault; `before`: those that were FINISHED."""
    finished = _find_finished(runs)
    hashes = [run.tags["config_hash"] for run in finished]
    twice = len(hashes) - len(set(hashes))
    lost = [f"{twice} FINISHED runs of configurations that have another"] if twice else []
    lost += ["a run that was FINISHED is gone"] if set(before) - {run.run_id for run in finished} else []
    if fault.kind in HEARD and fault.code == HEARD[fault.kind]:
        lost += _check_ended(runs)
    return lost


def check_runs(runs: Sequence[Logged], jobs: int) -> list[str]:
    """Say what is wrong with the runs after a sweep of so many jobs that ended with 0."""
    finished = _find_finished(runs)
    hashes = [run.tags["config_hash"] for run in finished]
    lost = _check_ended(runs)
    if len(set(hashes)) != jobs or len(hashes) != jobs:
        lost.append(f"{len(hashes)} FINISHED runs of {len(set(hashes))} configurations, not {jobs}")
    for run in finished:
        if not all(is_zipfile(run.files / name) for name in ("test_errors.npz", "weights.npz")):
            lost.append("a FINISHED run without whole errors and weights")
        if not run.has_scores or not (run.files / "predictions.csv").is_file():
            lost.append("a FINISHED run without its scores or predictions")
    return lost


def _check_ended(runs: Sequence[Logged]) -> list[str]:
    running = sum(run.status not in ENDED for run in runs)
    return [f"{running} runs left RUNNING"] if running else []


def _find_finished(runs: Sequence[Logged]) -> list[Logged]:
    return [run for run in runs if run.is_job and run.status == "FINISHED"]


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["(said nothing)"])[-1][:120]
