"""Predict what jobs cost, seconds and memory, by a model fitted to some measured jobs, and check it against others.

python benchmarks/capacity.py                            fit and check what capacity.json has: seconds
python benchmarks/capacity.py --rows 5000 --job model.units=[64] look_back=24 seeds=16    what that job will cost
python benchmarks/capacity.py --measured own.json        measure all of it on this machine, one after the other: minutes

Seconds are those of the processor, user and system, of all threads: they change little on a machine that is busy with
other things. Each job is trained in a process of its own, after a tiny one, and finds no program compiled: so the start
of a worker is apart, and compiling is counted. Sizes are drawn at random; the jobs that check are never fitted.
"""

import argparse
import json
import math
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.job_cost import JobSize, fit_factors, list_bytes, list_seconds, predict

TINY = ("look_back=1", "model.units=[2]", "training.epochs=1", "training.patience=null", "seeds=1")
ALWAYS = ("training.patience=null", "dataset.targets=[x0]")  # so that epochs and outputs are known
WITHIN = 0.3
MEASURED = Path(__file__).with_name("capacity.json")
COLUMNS = ("units", "look_back", "epochs", "seeds", "batch", "stateful", "rows", "features")
MOST_MULTIPLICATIONS, MOST_STEPS = 1e11, 2e6  # of a drawn job: some ten seconds


@dataclass(frozen=True)
class Job:
    """Settings, and the size of a series."""

    words: list[str]
    rows: int
    features: int

    def __str__(self) -> str:
        settings = " ".join(word.split(".")[-1] for word in self.words)
        return f"{settings} rows={self.rows} features={self.features}"


@dataclass(frozen=True)
class Measured:
    """What a job took: processor seconds of it, and of everything before it; bytes at most in memory."""

    size: JobSize
    start: float
    seconds: float
    peak: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fit", type=int, default=30, help="jobs that the model is fitted to (default 30)")
    parser.add_argument("--check", type=int, default=10, help="jobs that check it (default 10)")
    parser.add_argument("--seed", type=int, default=1, help="of the sizes (default 1)")
    parser.add_argument("--measured", type=Path, default=MEASURED, help="file of what was measured, and will be")
    parser.add_argument("--job", nargs="+", help="settings of a job on a series of --rows and --features")
    parser.add_argument("--rows", type=int, default=1000, help="of the series of --job (default 1000)")
    parser.add_argument("--features", type=int, default=1, help="of the series of --job (default 1)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(asdict(measure_here(Job(arguments.job, arguments.rows, arguments.features)))))
        return
    chance = random.Random(arguments.seed)
    jobs = [draw_job(chance) for _ in range(arguments.fit + arguments.check)]
    measured = measure_all(jobs, arguments.measured)
    fitted = measured[: arguments.fit]
    seconds = fit_factors([list_seconds(each.size) for each in fitted], [each.seconds for each in fitted])
    memory = fit_factors([list_bytes(each.size) for each in fitted], [each.peak for each in fitted])
    if arguments.job:
        print_job(Job(arguments.job, arguments.rows, arguments.features), seconds, memory)
        return
    print(f"start of a worker, with a tiny job: {statistics.median(each.start for each in measured):.1f} s")
    print_factors("s", seconds)
    print_factors("B", memory)
    rows = list(zip(jobs, measured, strict=True))
    print_check("fitted", rows[: arguments.fit], seconds, memory)
    far = print_check("checked", rows[arguments.fit :], seconds, memory)
    sys.exit(1 if far else 0)


def draw_job(chance: random.Random) -> Job:
    """Return a job of some seconds, its sizes spread evenly on logarithmic scales."""

    def draw(low: float, high: float) -> int:
        return round(math.exp(chance.uniform(math.log(low), math.log(high))))

    while True:
        units, layers, look_back = draw(2, 256), chance.choice((1, 1, 2)), draw(1, 64)
        features, rows, seeds, batch = draw(1, 16), draw(150, 20_000), draw(1, 16), draw(1, 128)
        stateful = chance.random() < 0.3
        if stateful:
            batch = min(batch, look_back)  # there are no more lanes
        read = seeds * rows * (1 if stateful else look_back)
        of_an_epoch = 3 * read * 4 * units * (features + units + 2 * units * (layers - 1))
        most = min(MOST_MULTIPLICATIONS / of_an_epoch, MOST_STEPS * batch / read, 200)
        if most >= 1:
            break
    words = [
        f"model.units=[{','.join([str(units)] * layers)}]",
        f"look_back={look_back}",
        f"training.epochs={draw(1, most)}",
        f"seeds={seeds}",
        f"batch_size={batch}",
        f"stateful={str(stateful).lower()}",
    ]
    return Job(words, rows, features)


def measure_all(jobs: list[Job], file: Path) -> list[Measured]:
    """Return what each job took, measured now or read from a file."""
    known = json.loads(file.read_text()) if file.exists() else {}
    for number, job in enumerate(jobs):
        if str(job) not in known:
            known[str(job)] = measure(job)
            print(f"{number + 1}/{len(jobs)} {job}: {known[str(job)]['seconds']:.1f} s", file=sys.stderr, flush=True)
            lines = [f"{json.dumps(name)}: {json.dumps(found)}" for name, found in known.items()]
            file.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    return [Measured(**{**known[str(job)], "size": JobSize(**known[str(job)]["size"])}) for job in jobs]


def measure(job: Job) -> dict:
    """Train a job in a process and a folder of its own."""
    own = [f"--rows={job.rows}", f"--features={job.features}", "--child", "--job", *job.words]
    with tempfile.TemporaryDirectory() as folder:
        where = {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "XDG_CACHE_HOME": f"{folder}/cache"}
        words = [sys.executable, str(Path(__file__).resolve()), *own]
        done = subprocess.run(words, cwd=folder, env={**os.environ, **where}, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{job} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def measure_here(job: Job) -> Measured:
    from pipeline import train

    train(*TINY, data=make_frame(120, 1))
    start = time.process_time()
    train(*job.words, *ALWAYS, data=make_frame(job.rows, job.features))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Measured(size_job(job), round(start, 2), round(seconds, 2), peak)


def size_job(job: Job) -> JobSize:
    from benchmarks.job_size import read_size
    from pipeline import compose
    from pipeline.data.prepare import prepare_data
    from pipeline.data.sources import load_series

    frame = make_frame(job.rows, job.features)
    config = compose(*job.words, *ALWAYS, data=frame)
    return read_size(config, prepare_data(config, load_series(config.dataset, data=frame)))


def make_frame(rows: int, features: int) -> pd.DataFrame:
    """Return noisy waves, a column for each feature."""
    noise = np.random.default_rng(1).normal(0, 0.1, (rows, features))
    waves = np.sin(np.arange(rows)[:, None] * (1 + np.arange(features)) / 9)
    return pd.DataFrame(waves + noise, columns=[f"x{number}" for number in range(features)])


def print_factors(unit: str, factors: dict[str, float]) -> None:
    print("\n" + "\n".join(f"{factor:>12.3g} {unit}  for each {name}" for name, factor in factors.items()))


def print_check(title: str, jobs: list[tuple[Job, Measured]], seconds: dict, memory: dict) -> int:
    """Print predicted against measured; return how many are further off than they may be."""
    columns = "".join(f"{name:>10}" for name in COLUMNS)
    print(f"\n{title:<8}{columns}{'seconds':>9}{'model':>7}{'ratio':>7}{'MB':>7}{'model':>7}{'ratio':>7}")
    far = [0, 0]
    for job, measured in jobs:
        values = [word.partition("=")[2] for word in job.words]
        line = f"{'':<8}" + "".join(f"{value!s:>10}" for value in (*values, job.rows, job.features))
        taken = (measured.seconds, measured.peak / 1e6)
        model = (predict(seconds, list_seconds(measured.size)), predict(memory, list_bytes(measured.size)) / 1e6)
        ratios = [predicted / real for predicted, real in zip(model, taken, strict=True)]
        line += f"{taken[0]:>9.1f}{model[0]:>7.1f}{ratios[0]:>7.2f}{taken[1]:>7.0f}{model[1]:>7.0f}{ratios[1]:>7.2f}"
        print(line)
        far = [count + (abs(ratio - 1) > WITHIN) for count, ratio in zip(far, ratios, strict=True)]
    within = [len(jobs) - count for count in far]
    print(f"within {WITHIN:.0%}: {within[0]} of {len(jobs)} by seconds, {within[1]} of {len(jobs)} by memory")
    return sum(far)


def print_job(job: Job, seconds: dict, memory: dict) -> None:
    size = size_job(job)
    print(f"{predict(seconds, list_seconds(size)):.1f} s of a core, {predict(memory, list_bytes(size)) / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
