"""Measure what the pipeline costs around the training: start-up, logging, memory.

make bench-overhead                 the README sweep as it is, a minute
make bench-overhead ARGS=--quick    the same with 10 epochs and one seed
make bench-overhead ARGS=--jobs=500 only the memory and the seconds of a long sweep of small jobs, as it goes on
make bench-overhead ARGS=--plan=5000 only the seconds and the memory of checking so many jobs; nothing is trained
make bench-overhead ARGS=--rates=8  only a sweep over so many learning rates, 4 seeds each, against a command for each
"""

import argparse
import itertools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psutil

COMMAND = [sys.executable, "-m", "pipeline.run"]
SWEEP = ["-m", "look_back=1,3,6", "stateful=true,false"]
QUICK = ["training.epochs=10", "training.patience=null", "seeds=1"]
START_UPS = {"--help": ["--help"], "--cfg job": ["--cfg", "job"], "a config error": ["look_back=0"]}
ALLOWED_SECONDS_BESIDE_FIT = 15
SHAPES = 50  # look-backs of a long sweep: programs of different shapes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 epochs and one seed instead of the README's sweep")
    parser.add_argument("--jobs", type=int, help="sweep this many small jobs of 50 shapes in one process instead")
    parser.add_argument("--plan", type=int, help="only check this many jobs, as a sweep does before its first one")
    parser.add_argument("--rates", type=int, help="sweep this many learning rates, at once and one after another")
    arguments = parser.parse_args()
    if arguments.plan:
        print_plan(arguments.plan)
        return
    if arguments.rates:
        print_side_by_side(arguments.rates)
        return
    if arguments.jobs:
        print_long_sweep(arguments.jobs)
        return
    extra = QUICK if arguments.quick else []
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            (f"start-up: {name}", median_seconds(arguments), "at most 1.5 s") for name, arguments in START_UPS.items()
        ]
        seconds, megabytes = measure_sweep(Path(folder), extra)
        runs = finished_runs(folder)
        logged = [ended - begun for _, begun, ended in runs]
        training = sum(run.data.metrics["fit_seconds"] for run, _, _ in runs)
    rows.append(("one run, first", max(logged), "waits for TensorFlow, and for its training"))
    rows.append(("one run, median", statistics.median(logged), "its training goes on meanwhile, or is done"))
    rows.append(("all trainings of the sweep", training, ""))
    limit = 1.1 * training + ALLOWED_SECONDS_BESIDE_FIT
    rows.append(("sweep, whole command", seconds, f"at most {limit:.1f} s"))
    print(f"{'what':<40}{'seconds':>9}  limit")
    for name, value, limit in rows:
        print(f"{name:<40}{value:>9.2f}  {limit}")
    print(f"peak memory of the sweep: {megabytes:.0f} MB, limit 1500 MB")


def median_seconds(arguments: list[str], times: int = 5) -> float:
    """Return the median wall time of the command line, after one warm-up."""
    seconds = []
    for _ in range(times + 1):
        start = time.perf_counter()
        subprocess.run([*COMMAND, *arguments], capture_output=True, check=False)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds[1:])


def measure_sweep(folder: Path, extra: list[str]) -> tuple[float, float]:
    """Run the sweep as a user does; return its wall time and the peak of its memory in MB, of all its processes."""
    start, peak = time.perf_counter(), 0.0
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    process = subprocess.Popen([*COMMAND, *SWEEP, *extra], cwd=folder, env=environment)
    while process.poll() is None:
        peak = max(peak, count_megabytes(process.pid))
        time.sleep(0.1)
    if process.returncode:
        sys.exit("the sweep failed")
    return time.perf_counter() - start, peak


def count_megabytes(process: int) -> float:
    """Return the resident memory of a process and those that it started, now."""
    total = 0
    with suppress(psutil.Error):
        for each in (psutil.Process(process), *psutil.Process(process).children(recursive=True)):
            total += each.memory_info().rss
    return total / 2**20


def name_small_jobs(jobs: int) -> list[str]:
    """Return the words of a sweep of at least so many small jobs."""
    look_backs, rates = min(jobs, SHAPES), ",".join(str(0.001 * (1 + number)) for number in range(-(-jobs // SHAPES)))
    return [
        "-m",
        f"training.learning_rate={rates}",
        f"look_back=range(1,{look_backs + 1})",
        "seeds=1",
        "training.epochs=1",
    ]


def print_plan(jobs: int) -> None:
    """Check the jobs of a sweep, and print what that took."""
    from hydra._internal.utils import get_args_parser
    from hydra.core.config_store import ConfigStore

    from pipeline.config.schema import Config
    from pipeline.experiment.jobs import plan_jobs

    ConfigStore.instance().store(name="base_config", node=Config)
    begun, used = time.perf_counter(), time.process_time()
    plan = plan_jobs(get_args_parser().parse_intermixed_args(name_small_jobs(jobs)))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{len(plan.jobs)} jobs planned in {time.perf_counter() - begun:.1f} s, limit 60 s for 5000 jobs")
    print(f"processor time {time.process_time() - used:.1f} s, peak memory {megabytes:.0f} MB, limit 1000 MB")


def print_long_sweep(jobs: int) -> None:
    """Sweep small jobs, and print the resident memory of its processes when each of some of them had ended."""
    sweep = name_small_jobs(jobs)
    shown = {number for number in (1, 2, 5, 10, 25, 50, 100, 150, 200, 250, 300, 400, 500, 1000) if number <= jobs}
    with tempfile.TemporaryDirectory() as folder:
        command = [*COMMAND, *sweep]
        environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        print(f"{'job':>5}{'MB':>7}{'memory maps':>13}", flush=True)
        ended = 0
        for line in process.stderr:
            if ": validation RMSE" in line:
                ended += 1
                if ended in shown:
                    every = (psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True))
                    maps = max(len(each.memory_maps(grouped=False)) for each in every)  # Linux limits those of each
                    print(f"{ended:>5}{count_megabytes(process.pid):>7.0f}{maps:>13}", flush=True)
        if process.wait():
            sys.exit("the sweep failed")
        runs = finished_runs(folder)
    logged = [ended - begun for _, begun, ended in runs]
    between = [following - begun for (_, begun, _), (_, following, _) in itertools.pairwise(runs)]
    print(f"{len(runs)} jobs; limit of memory 1500 MB. The next job is trained while one is logged.")
    print(f"{'jobs':>9}{'opened to ended, s':>24}{'opened to the next opened, s':>36}")
    for first in range(0, len(runs), 50):
        part = slice(first, first + 50)
        label = f"{first + 1}-{min(first + 50, len(runs))}"
        print(f"{label:>9}{statistics.mean(logged[part]):>24.2f}{statistics.mean(between[part] or [0]):>36.2f}")


def print_side_by_side(count: int) -> None:
    """Sweep learning rates side by side, then train each by a command of its own; their scores must be equal."""
    rates = [f"{0.001 * 1.5**number:.5f}" for number in range(count)]
    at_once = [["-m", f"training.learning_rate={','.join(rates)}"]]
    ways = {"side by side": at_once, "one after another": [[f"training.learning_rate={rate}"] for rate in rates]}
    print(f"{'':<20}{'seconds':>9}{'processor seconds':>19}{'training, seconds':>19}")
    scores = []
    for name, commands in ways.items():
        with tempfile.TemporaryDirectory() as folder:
            environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db"}
            start, before = time.perf_counter(), _children_seconds()
            for words in commands:
                subprocess.run(
                    [*COMMAND, *words, "seeds=4"], cwd=folder, env=environment, capture_output=True, check=True
                )
            seconds, processor = time.perf_counter() - start, _children_seconds() - before
            runs = finished_runs(folder)
        training = sum(run.data.metrics["fit_seconds"] for run, *_ in runs)
        print(f"{name:<20}{seconds:>9.1f}{processor:>19.1f}{training:>19.1f}", flush=True)
        scores.append(sorted(run.data.metrics["test_rmse"] for run, *_ in runs))
    if scores[0] != scores[1]:
        sys.exit("the scores differ")


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def finished_runs(folder: str) -> list[tuple]:
    """Return every run of the sweep with its begin and end in seconds."""
    import mlflow

    client = mlflow.MlflowClient(f"sqlite:///{folder}/mlflow.db")
    experiment = client.get_experiment_by_name("lstm-pipeline")
    found = client.search_runs([experiment.experiment_id], "tags.config_hash != ''")
    return [
        (run, run.info.start_time / 1000, run.info.end_time / 1000)
        for run in sorted(found, key=lambda run: run.info.start_time)
    ]


if __name__ == "__main__":
    main()
