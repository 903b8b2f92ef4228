"""Measure `python -m pipeline.compare` over many runs, as a user starts it: Python and MLflow included.

python benchmarks/compare.py                        1,000 runs of 8 seeds: about a minute to log them, then seconds
python benchmarks/compare.py --runs 20000           1,000 are logged, the others are copies with other axes
python benchmarks/compare.py --folder /tmp/store    keep the runs, so that a second call does not log them again
"""

import argparse
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

LIMIT_SECONDS = {1000: 5, 20_000: 30}  # by number of runs
LIMIT_MEGABYTES = 1500
MOST_LOGGED = 1000  # runs; MLflow needs 0.1 s for each
SEEDS = 8
TEST_ROWS = 48
FORMATS = ("json", "csv", "table", "html")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="runs of the sweep")
    parser.add_argument("--folder", type=Path, help="where the runs are kept")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        if not (folder / "mlflow.db").exists():
            start = time.perf_counter()
            log_sweep(folder, min(arguments.runs, MOST_LOGGED))
            copy_runs(folder, arguments.runs)
            print(f"{arguments.runs} runs of {SEEDS} seeds logged in {time.perf_counter() - start:.0f} s")
        limit = next((seconds for runs, seconds in LIMIT_SECONDS.items() if arguments.runs <= runs), "-")
        print(f"{'what':<60}{'seconds':>9}  limit")
        for name in FORMATS:
            seconds = [compare(folder, name) for _ in range(3)]
            print(f"{'sweep=latest format=' + name + ', median of 3':<60}{statistics.median(seconds):>9.2f}", end="")
            print(f"  {limit}")
    megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"peak memory: {megabytes:.0f} MB, limit {LIMIT_MEGABYTES} MB")


def compare(folder: Path, name: str) -> float:
    """Return the wall time of one comparison of the newest sweep."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "pipeline.compare", f"format={name}", f"output={folder / 'comparison'}"],
        env={**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"},
        check=True,
    )
    return time.perf_counter() - start


def log_sweep(folder: Path, num_runs: int) -> None:
    """Log a sweep as the pipeline does, with made-up forecasts: three axes of at most ten levels."""
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore

    from pipeline.artifacts.errors_file import read_scored_rows
    from pipeline.base.paths import conf_dir
    from pipeline.base.record import DIGEST_TAG, HASH_TAG, SCORED_TAG
    from pipeline.config.schema import Config, TrackingConfig, flat_config, typed_config
    from pipeline.tracking.live import close_parent, open_parent, track_run
    from pipeline.tracking.store import open_store

    ConfigStore.instance().store(name="base_config", node=Config)
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        params = flat_config(typed_config(compose("config")))
    store = open_store(TrackingConfig(uri=f"sqlite:///{folder / 'mlflow.db'}"))
    parent = open_parent(store, "sweep", ["-m"])
    random = np.random.default_rng(0)
    made_up = tempfile.mkdtemp(dir=folder)
    for number in range(num_runs):
        tags = {HASH_TAG: f"{number:016d}", DIGEST_TAG: "0" * 64}
        with track_run(store, f"run {number}", params | name_axes(number), tags, parent) as run:
            metrics = write_run(Path(made_up), random, 40 + number % 10)
            run.log_folder(Path(made_up))
            run.set_tags({SCORED_TAG: read_scored_rows(Path(made_up))[0]})
            run.log_metrics(metrics, {"loss": [1.0] * 100, "val_loss": [1.0] * 100})
    close_parent(store, parent, "FINISHED")


def name_axes(number: int) -> dict[str, str]:
    """Return what sets a run apart."""
    return {
        "look_back": str(1 + number % 10),
        "model.units": f"[{4 * (1 + number // 10 % 10)}]",
        "training.learning_rate": str(0.001 * (1 + number // 100)),
    }


def copy_runs(folder: Path, num_runs: int) -> None:
    """Copy the logged runs, in the database and as links to their files, until there are enough."""
    with closing(sqlite3.connect(folder / "mlflow.db")) as database, database:
        database.row_factory = sqlite3.Row
        found = database.execute("SELECT * FROM runs WHERE name LIKE 'run %' ORDER BY start_time").fetchall()
        for number in range(len(found), num_runs):
            old, new = found[number % len(found)]["run_uuid"], uuid.uuid4().hex
            own = {
                "run_uuid": new,
                "name": f"run {number}",
                "artifact_uri": (folder / "mlruns" / new / "artifacts").as_uri(),
            }
            copy_rows(database, "runs", old, own)
            for table in ("params", "tags", "latest_metrics"):
                copy_rows(database, table, old, {"run_uuid": new})
            axes = [(value, new, key) for key, value in name_axes(number).items()]
            database.executemany("UPDATE params SET value = ? WHERE run_uuid = ? AND key = ?", axes)
            files = folder / "mlruns" / new / "artifacts"
            files.mkdir(parents=True)
            for file in (folder / "mlruns" / old / "artifacts").iterdir():
                os.link(file, files / file.name)


def copy_rows(database: sqlite3.Connection, table: str, run_id: str, own: dict[str, str]) -> None:
    """Copy the rows of a run in a table of MLflow, with other values in some columns."""
    names = [row["name"] for row in database.execute(f"PRAGMA table_info({table})")]
    values = ", ".join(f":{name}" if name in own else name for name in names)
    select = f"SELECT {values} FROM {table} WHERE run_uuid = :old"
    database.execute(f"INSERT INTO {table} ({', '.join(names)}) {select}", {**own, "old": run_id})


def write_run(folder: Path, random: np.random.Generator, scale: float) -> dict[str, float]:
    """Write the files of one run and return its metrics."""
    from pipeline.artifacts.errors_file import NAME, measure_test_errors, write_test_errors
    from pipeline.artifacts.tables import write_predictions, write_seeds
    from pipeline.evaluation.scores import Truth, score_run, score_seed

    months = pd.date_range("1949-01-01", periods=144, freq="MS", name="month")
    actual = 300 + 100 * np.sin(np.arange(144.0))[:, None]  # (time, targets)
    forecasts = actual[None, :, None] + scale * random.standard_normal((SEEDS, 144, 1, 1))
    baselines = {
        name: actual[:, None] + 45 * random.standard_normal((144, 1, 1))
        for name in ("persistence", "seasonal", "linear")
    }
    names = np.repeat(["train", "validation", "test"], [72, 72 - TEST_ROWS, TEST_ROWS])
    parts = {part: names == part for part in ("train", "validation", "test")}
    test = parts["test"]
    truth = Truth(actual, np.ones((144, 1), bool), parts, ["passengers"])
    scores = [score_seed(truth, each) for each in forecasts]
    seeds = list(range(1, SEEDS + 1))
    write_predictions(folder / "predictions.csv", months, ["passengers"], [1], names, actual, forecasts, seeds)
    chosen_by = [score["validation_rmse"] for score in scores]
    facts = ["passengers"], [1], test, actual, forecasts, baselines, seeds, chosen_by, np.ones(1)
    write_test_errors(folder / NAME, measure_test_errors(months, *facts))
    write_seeds(
        folder / "seeds.csv", [{"seed": seed, "epochs": 100} | score for seed, score in zip(seeds, scores, strict=True)]
    )
    return score_run(truth, scores, baselines) | {"fit_seconds": 1.0}


if __name__ == "__main__":
    main()
