"""One chain: a sweep that is struck again and again, and in the end left alone. Used by faults.py."""

import os
import random
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.fault_checks import Fault, check_at_once, check_command, check_runs, last_line
from benchmarks.fault_disk import DISKS, empty_disk, mount_disk, unmount_disk
from benchmarks.fault_places import Place
from benchmarks.fault_strike import PATIENCE_SECONDS, strike
from tests.commands import run_command, start_command

SMALL = (
    "dataset=sine",
    "dataset.length=60",
    "seeds=1",
    "training.epochs=3",
    "tracking.log_model=false",
)
AXES = {2: ("look_back=1,3", "stateful=false"), 4: ("look_back=1,3", "stateful=true,false")}
LINES_PER_JOB = 4  # on stderr: its beginning, its engine, its interval, its end, and now and then a note
_SHOWN = 40  # lines of a command that has lost something
LINES_PER_OLD_JOB = 2  # its beginning, and that it is trained already


class Chain:
    """The commands of one chain, in a folder of their own. The sweep grows with `training.learning_rate=0.01,0.02,...`.

    Args:
        kind: Of its faults.
        folder: Not there yet.
        place: What trains the sweep, or logs it.
        chance: Of the moments.
        jobs: Each command has at least so many configurations to train.
        ended: Strike while a job runs after the command has trained so many; None: at any moment.
        forks: Whether commands are forked, see `tests/commands.py`.
    """

    def __init__(
        self, kind: str, folder: Path, place: Place, chance: random.Random, jobs: int, ended: int | None, forks: bool
    ) -> None:
        self._kind, self._folder, self._place, self._chance = kind, folder, place, chance
        self._jobs, self._ended, self._forks = jobs, ended, forks
        self._rates, self._commands = 1, 0
        folder.mkdir()
        if kind in DISKS:
            mount_disk(folder)

    def strike(self) -> Fault:
        """Start the next command, strike it at a random moment, wait for its end, and look at what is there."""
        runs = self._place.runs(self._folder)
        before = self._find_finished()
        self._rates = max(self._rates, -(-len(before) // self._jobs) + 1)
        fault = Fault(self._kind, len(before))
        lines = self._run_struck(fault)
        self._place.mend()
        empty_disk(self._folder)
        after = self._place.runs(self._folder)
        fault.lost += check_command(fault, lines, has_begun=len(after) > len(runs))
        fault.lost += check_at_once(fault, after, before)
        fault.lost += check_runs(after, self._total) if fault.code == 0 else []
        if fault.lost:  # beside the folder, which may be a disk that is gone later
            self._file("stderr").write_text("".join(lines))
            print("".join(lines[-_SHOWN:]), file=sys.stderr)
        self._commands += 1
        return fault

    def leave_alone(self) -> list[str]:
        """Repeat the last command to its end, and say what is lost."""
        before = self._find_finished()
        words = self._words()
        code, stdout, stderr = self._run("run", *words)
        (self._folder / "resumed.txt").write_text(stdout)
        lost = [f"resume=true ended with {code}: {last_line(stderr)}"] if code else []
        lost += ["a traceback in the repeated sweep"] if "Traceback" in stderr else []
        lost += check_runs(self._place.runs(self._folder), self._total)
        lost += ["a run that was FINISHED is gone"] if before - self._find_finished() else []
        named = [word for word in words if word.startswith("tracking.experiment_name=")]
        code, stdout, stderr = self._run("compare", "format=csv", *named)
        answered = sum(not line.startswith("#") for line in stdout.splitlines()[1:])
        lost += [f"compare ended with {code}: {last_line(stderr)}"] if code else []
        lost += [f"compare knows {answered} of {self._total}"] if not code and answered != self._total else []
        if not lost:
            unmount_disk(self._folder)
        return lost

    @property
    def _total(self) -> int:
        return self._jobs * self._rates

    def _file(self, name: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}_{self._commands + 1}_{name}.txt")

    def _find_finished(self) -> set[str]:
        return {run.run_id for run in self._place.runs(self._folder) if run.is_job and run.status == "FINISHED"}

    def _words(self) -> list[str]:
        rates = ",".join(f"{number / 100}" for number in range(1, self._rates + 1))
        resume = ["resume=true"] if self._commands else []
        return [
            "-m",
            f"training.learning_rate={rates}",
            *AXES[self._jobs],
            *SMALL,
            *self._place.words(self._folder),
            *resume,
        ]

    def _run(self, name: str, *words: str) -> tuple[int, str, str]:
        settings = {"cwd": self._folder, "env": self._environment(), "timeout": PATIENCE_SECONDS}
        done = run_command(f"pipeline.{name}", *words, fresh=not self._forks, **settings)
        return done.returncode, done.stdout, done.stderr

    def _environment(self) -> dict[str, str]:
        """Everything that a command writes lies in the folder; compiled programs only where there is a disk to fill."""
        (self._folder / "tmp").mkdir(exist_ok=True)
        cache = {"XDG_CACHE_HOME": str(self._folder / "cache")} if self._folder.is_mount() else {}
        own = {"MLFLOW_TRACKING_URI": f"sqlite:///{self._folder / 'mlflow.db'}", "TMPDIR": str(self._folder / "tmp")}
        return {**os.environ, **own, **cache, **self._place.variables}

    def _run_struck(self, fault: Fault) -> list[str]:
        with self._file("table").open("w") as stdout:
            pipes = {"stdout": stdout, "stderr": subprocess.PIPE, "start_new_session": True}
            settings = {"cwd": self._folder, "env": self._environment()}
            process = start_command("pipeline.run", *self._words(), fresh=not self._forks, **pipes, **settings)
        is_time, seconds = self._choose_moment(fault.finished_before)
        return strike(process, fault, is_time, seconds, self._place, self._folder)

    def _choose_moment(self, old: int) -> tuple[Callable[[Sequence[str]], bool], float]:
        """Return what says that it is time, for the lines of the command until then, and the seconds after that."""
        if self._ended is not None:
            return lambda _: self._is_in_a_job_after(old + self._ended), self._chance.uniform(0, 0.3)
        number = self._chance.randrange(LINES_PER_JOB * (self._total - old) + 1)
        wanted = number + (LINES_PER_OLD_JOB * old if number else 0)
        return lambda lines: len(lines) >= wanted, self._chance.uniform(0, 4 if number < LINES_PER_JOB else 1)

    def _is_in_a_job_after(self, ended: int) -> bool:
        statuses = [run.status for run in self._place.runs(self._folder) if run.is_job]
        return statuses.count("FINISHED") >= ended and "RUNNING" in statuses
