"""Measure what the pipeline costs around the training: start-up, logging, memory.

make bench-overhead                 the README sweep as it is, a minute
make bench-overhead ARGS=--quick    the same with 10 epochs and one seed
"""

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "pipeline.run"]
SWEEP = ["-m", "look_back=1,3,6", "stateful=true,false"]
QUICK = ["training.epochs=10", "training.patience=null", "seeds=1"]
START_UPS = {"--help": ["--help"], "--cfg job": ["--cfg", "job"], "a config error": ["look_back=0"]}
ALLOWED_SECONDS_BESIDE_FIT = 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="10 epochs and one seed instead of the README's sweep")
    extra = QUICK if parser.parse_args().quick else []
    with tempfile.TemporaryDirectory() as folder:
        rows = [
            (f"start-up: {name}", median_seconds(arguments), "at most 1.5 s") for name, arguments in START_UPS.items()
        ]
        seconds, megabytes = measure_sweep(Path(folder), extra)
        runs = finished_runs(folder)
        overhead = [ended - begun - run.data.metrics["fit_seconds"] for run, begun, ended in runs]
        training = sum(run.data.metrics["fit_seconds"] for run, _, _ in runs)
    rows.append(("one run beside its training, first", max(overhead), "includes the start of MLflow's model logging"))
    rows.append(("one run beside its training, median", statistics.median(overhead), "logging: at most 0.5 s"))
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
    """Run the sweep as a user does; return its wall time and its peak resident memory in MB."""
    start = time.perf_counter()
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    subprocess.run([*COMMAND, *SWEEP, *extra], cwd=folder, env=environment, check=True)
    kilobytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest child: the sweep
    return time.perf_counter() - start, kilobytes / 1024


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
