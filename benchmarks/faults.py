"""Kill small sweeps at random moments, repeat each with resume=true, and say what was lost.

make bench-faults                                   10 faults of every kind in turn, some minutes
make bench-faults ARGS="--faults 50 --seed 7"       more of them, other moments
make bench-faults ARGS="--kills 20 --kinds processes-worker,slurm-node"   of these 20 each

One round: a sweep in an empty folder, one fault, the same command with resume=true, `compare`. Nothing may be lost:
one FINISHED run per configuration with files that can be read, no run and no sweep left RUNNING, exit code 0, and
`compare` answers for every configuration. What is printed never contains a traceback, the fault included.

kill     SIGKILL: nothing can be written any more
term     SIGTERM, as a cluster, a container or `kill` sends it: exit code 143, run and sweep are KILLED
int      SIGINT, Ctrl-C: exit code 130
hup      SIGHUP, a lost terminal: exit code 129
disk     the disk of the folder is filled to its last byte, and emptied before the sweep is repeated. With `unshare`
         (util-linux, an ordinary user) on a disk of its own in memory, else by a limit to the size of a file

Only when they are named in --kinds, since they need more: deaths with launcher=processes and launcher=slurm, see
launcher_faults.py, with launcher=ray, see ray_faults.py, and what happens to a server, see server_faults.py.
"""

import argparse
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import is_zipfile

import psutil

from benchmarks.fault_places import CODES, OF_A_SERVER, Place, open_places
from benchmarks.logged import Logged

SIGNALS = {"kill": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT, "hup": signal.SIGHUP}
KINDS = (*SIGNALS, "disk")
DISKS = ("disk", "processes-disk")
JOBS = ("look_back=1,3", "stateful=true,false")
SMALL = (
    "dataset=sine",
    "dataset.length=60",
    "seeds=1",
    "training.epochs=3",
    "tracking.log_model=false",
)
LINES_PER_JOB = 3  # on stderr: its beginning, its engine, its end, and now and then a note
PATIENCE_SECONDS = 1200
DISK_MEGABYTES = 200
OWN_DISK = "FAULTS_OWN_DISK"


@dataclass
class Round:
    """One sweep and what became of it: hit `seconds` after its stderr had so many lines, or in a job after `ended`."""

    kind: str
    lines: int
    ended: int | None
    seconds: float
    moment: str = "it had ended before"
    code: int | None = None
    finished_before: int = 0
    lost: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--faults", type=int, default=10, help="how many sweeps are hit (default 10)")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"which, in turn: {', '.join((*KINDS, *CODES))}")
    parser.add_argument("--kills", type=int, help="how many sweeps are hit by each kind; instead of --faults")
    parser.add_argument("--minutes", type=float, default=1e9, help="after so many no other sweep is begun")
    parser.add_argument("--jobs", type=int, choices=(2, 4), default=4, help="configurations of a sweep (default 4)")
    parser.add_argument("--seed", type=int, default=1, help="of the random moments (default 1)")
    parser.add_argument("--ended", type=int, help="hit while a job runs after so many have ended, not at any moment")
    parser.add_argument("--frozen", type=float, default=20, help="seconds that server-frozen lasts (default 20)")
    parser.add_argument("--away", type=float, default=60, help="seconds that server-killed lasts (default 60)")
    parser.add_argument("--folder", type=Path, help="keep the stores in this empty folder; default: a temporary one")
    arguments = parser.parse_args()
    kinds = arguments.kinds.split(",")
    if unknown := set(kinds) - {*KINDS, *CODES}:
        parser.error(f"unknown kind {', '.join(sorted(unknown))}; choose from {', '.join((*KINDS, *CODES))}")
    faults = arguments.faults if arguments.kills is None else arguments.kills * len(kinds)
    if set(DISKS) & set(kinds):
        enter_own_disk()
    chance = random.Random(arguments.seed)
    opened = open_places(kinds, arguments.frozen, arguments.away)
    with tempfile.TemporaryDirectory() as scratch, opened as places:
        root = arguments.folder or Path(scratch)
        root.mkdir(parents=True, exist_ok=True)
        rounds, begun = [], time.monotonic()
        for number in range(faults):
            if time.monotonic() - begun > 60 * arguments.minutes:
                break
            folder = root / f"fault_{number + 1}"
            planned = plan(kinds[number % len(kinds)], chance, arguments)
            rounds.append(hit(planned, folder, arguments.jobs, places[planned.kind]))
            told = "; ".join(rounds[-1].lost) or "nothing lost"
            print(f"{number + 1}/{faults} {planned.kind} {planned.moment}: {told}", file=sys.stderr)
    print_table(rounds)
    sys.exit(1 if any(each.lost for each in rounds) else 0)


def plan(kind: str, chance: random.Random, arguments: argparse.Namespace) -> Round:
    if arguments.ended is not None:
        return Round(kind, 0, arguments.ended, chance.uniform(0, 0.3))
    lines = chance.randrange(LINES_PER_JOB * arguments.jobs + 1)
    return Round(kind, lines, None, chance.uniform(0, 4 if lines < LINES_PER_JOB else 1))


def is_time(planned: Round, lines: list[str], folder: Path, place: Place) -> bool:
    if planned.ended is None:
        return len(lines) >= planned.lines
    statuses = [run.status for run in place.runs(folder) if "config_hash" in run.tags]
    return statuses.count("FINISHED") >= planned.ended and "RUNNING" in statuses


def enter_own_disk() -> None:
    """Start this script again where it may mount a disk in memory, if this machine lets an ordinary user do so."""
    if OWN_DISK in os.environ or shutil.which("unshare") is None:
        return
    begin = ["unshare", "--user", "--map-root-user", "--mount"]
    if subprocess.run([*begin, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True).returncode == 0:
        os.environ[OWN_DISK] = "1"
        os.execvp("unshare", [*begin, sys.executable, *sys.argv])


def hit(planned: Round, folder: Path, jobs: int, place: Place) -> Round:
    """Do one round, and note in it what was lost."""
    folder.mkdir()
    mounted = OWN_DISK in os.environ and planned.kind in DISKS
    if mounted:
        size = f"size={DISK_MEGABYTES}m"
        subprocess.run(["mount", "-t", "tmpfs", "-o", size, "none", str(folder)], check=True)
    sweep = ["-m", *JOBS[: jobs // 2], *(["stateful=false"] if jobs == 2 else []), *SMALL]
    sweep += place.words(folder)
    named = [word for word in sweep if word.startswith("tracking.experiment_name=")]
    strike(planned, sweep, folder, mounted, place)
    place.mend()
    (folder / "filler").unlink(missing_ok=True)
    before = {run.run_id for run in place.runs(folder) if run.status == "FINISHED" and "config_hash" in run.tags}
    planned.finished_before = len(before)
    code, stdout, stderr = command("run", [*sweep, "resume=true"], folder, place)
    (folder / "resumed.txt").write_text(stdout)
    planned.lost += [f"resume=true ended with {code}: {last_line(stderr)}"] if code else []
    planned.lost += ["a traceback in the repeated sweep"] if "Traceback" in stderr else []
    planned.lost += check_runs(place.runs(folder), jobs, before)
    code, stdout, stderr = command("compare", ["format=csv", *named], folder, place)
    answered = sum(not line.startswith("#") for line in stdout.splitlines()[1:])
    planned.lost += [f"compare ended with {code}: {last_line(stderr)}"] if code else []
    planned.lost += [f"compare knows {answered} configurations of {jobs}"] if not code and answered != jobs else []
    if mounted and not planned.lost:
        subprocess.run(["umount", str(folder)], check=True)
    return planned


def strike(planned: Round, sweep: list[str], folder: Path, mounted: bool, place: Place) -> None:
    """Start the sweep, let the fault happen, and wait for the end."""
    table = folder.with_name(f"{folder.name}_table.txt")  # beside the folder, which may be on a disk that is filled
    with table.open("w") as stdout:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.run", *sweep],
            cwd=folder,
            env=environment(folder, place),
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    lines: list[str] = []
    begun = time.monotonic()
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")), daemon=True)
    reader.start()
    while not is_time(planned, lines, folder, place) and process.poll() is None:
        time.sleep(0.01)
    deadline = time.monotonic() + planned.seconds
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
    is_hit = False
    while planned.kind in CODES and process.poll() is None and not is_hit:
        is_hit = place.strike(planned.kind, process.pid, folder)
        time.sleep(0.1)
    if is_hit or (process.poll() is None and planned.kind in KINDS):
        planned.moment = f"{time.monotonic() - begun:.1f} s, {len(lines)} lines"
        if planned.kind in SIGNALS:
            os.killpg(process.pid, SIGNALS[planned.kind])
        elif mounted:
            fill(folder)
        elif planned.kind in DISKS:
            for each in [process, *psutil.Process(process.pid).children(recursive=True)]:
                resource.prlimit(each.pid, resource.RLIMIT_FSIZE, (4096, 4096))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        place.hurry()
        time.sleep(0.2)
    planned.code = process.poll()
    if planned.code is None:
        os.killpg(process.pid, signal.SIGKILL)
        planned.lost.append(f"it still ran {PATIENCE_SECONDS} s after the fault")
        planned.code = process.wait()
    reader.join()
    process.stderr.close()
    if planned.moment == Round.moment:
        return
    early = "".join(lines) == "" and planned.code == -SIGNALS.get(planned.kind, 0)  # before Python read this program
    codes = {"kill": (-9,), "term": (143,), "int": (130,), "hup": (129,), **dict.fromkeys(DISKS, (0, 1))}
    allowed = codes.get(planned.kind) or (CODES[planned.kind],)
    if planned.kind in OF_A_SERVER and not place.runs(folder):
        allowed = (2, *allowed)  # it found no server when it began
    if planned.kind in ("term", "int", "hup") and not early and "resume=true" not in lines[-1]:
        planned.lost.append("the interrupted sweep does not say how to go on")
    if planned.code not in allowed and not early:
        planned.lost.append(f"exit code {planned.code} instead of {allowed[-1]}: {last_line(''.join(lines))}")
    if "Traceback" in "".join(lines):
        folder.with_name(f"{folder.name}_stderr.txt").write_text("".join(lines))
        planned.lost.append("a traceback")
    if planned.kind in ("term", "int", "hup"):
        left = sum(run.status == "RUNNING" for run in place.runs(folder))
        planned.lost += [f"{left} runs RUNNING after the signal"] if left else []


def fill(folder: Path) -> None:
    """Leave not one byte on the disk of a folder."""
    with (folder / "filler").open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while file.write(bytes(size)):
                    pass
            except OSError:
                continue


def check_runs(runs: list[Logged], jobs: int, before: set[str]) -> list[str]:
    """Say what is wrong with the runs after everything was repeated."""
    lost = []
    running = [run for run in runs if run.status not in ("FINISHED", "FAILED", "KILLED")]
    lost += [f"{len(running)} runs left RUNNING"] if running else []
    finished = [run for run in runs if run.status == "FINISHED" and "config_hash" in run.tags]
    lost += ["a run that was FINISHED is gone"] if before - {run.run_id for run in finished} else []
    hashes = [run.tags["config_hash"] for run in finished]
    if len(set(hashes)) != jobs or len(hashes) != jobs:
        lost.append(f"{len(hashes)} FINISHED runs of {len(set(hashes))} configurations, not {jobs}")
    for run in finished:
        if not all(is_zipfile(run.files / name) for name in ("test_errors.npz", "weights.npz")):
            lost.append("a FINISHED run without whole errors and weights")
        if not run.has_scores or not (run.files / "predictions.csv").is_file():
            lost.append("a FINISHED run without its scores or predictions")
    return lost


def command(name: str, words: list[str], folder: Path, place: Place) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-m", f"pipeline.{name}", *words],
        cwd=folder,
        env=environment(folder, place),
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return done.returncode, done.stdout, done.stderr


def environment(folder: Path, place: Place) -> dict[str, str]:
    """Everything that a command writes lies in the folder; compiled programs only where there is a disk to fill."""
    (folder / "tmp").mkdir(exist_ok=True)
    cache = {"XDG_CACHE_HOME": str(folder / "cache")} if folder.is_mount() else {}
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    return {**os.environ, "MLFLOW_TRACKING_URI": uri, "TMPDIR": str(folder / "tmp"), **cache, **place.variables}


def last_line(text: str) -> str:
    return (text.strip().splitlines() or ["(said nothing)"])[-1][:120]


def print_table(rounds: list[Round]) -> None:
    print(f"{'fault':<18}{'moment':<24}{'exit':>5}  {'finished before':>15}  lost")
    for each in rounds:
        told = "; ".join(each.lost) or "nothing"
        print(f"{each.kind:<18}{each.moment:<24}{each.code!s:>5}  {each.finished_before:>15}  {told}")
    print(f"\n{'fault':<18}{'sweeps':>6}{'hit':>5}{'lost':>6}")
    for kind in dict.fromkeys(each.kind for each in rounds):
        own = [each for each in rounds if each.kind == kind]
        hits = sum(each.moment != Round.moment for each in own)
        print(f"{kind:<18}{len(own):>6}{hits:>5}{sum(bool(each.lost) for each in own):>6}")
    hits = sum(each.moment != Round.moment for each in rounds)
    print(f"{hits} faults in {len(rounds)} sweeps, {sum(bool(each.lost) for each in rounds)} of them lost something")


if __name__ == "__main__":
    main()
