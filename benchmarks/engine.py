"""Measure the fused engine: against the tutorial's loop, the engine fit, and torch where it is installed.

    make bench                                  everything, about ten minutes on two cores
    python benchmarks/engine.py --rows 1 2 3    only some rows of the table

Every ratio is of two measurements of this one run, on one machine. Each measurement is a process of its own with an
empty compilation cache. The tutorial's loop is `for epoch in range(100): model.fit(epochs=1); reset`, as published.
`pip install -e '.[bench]'` adds torch for the rows that need it.
"""

import argparse
import importlib.util
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
from against import product_steps, torch_steps  # noqa: F401  # measured in processes of their own, by name

# 96 training months: the 93 windows of the tutorial.
TUTORIAL = [
    "stateful=true",
    "training.patience=null",
    "training.learning_rate=0.001",
    "dataset.validation_start=1957-01-01",
    "dataset.test_start=1958-01-01",
]
COMMON = ["training.patience=null", "training.clip_norm=null", "dataset.validation_fraction=0.01", "seeds=8"]
SMALL = [*COMMON, "dataset=sine", "dataset.length=6000", "look_back=24", "batch_size=32", "model.units=[32]"]
LARGE = [*COMMON, "dataset=csv", "dataset.targets=[a]", "look_back=48", "batch_size=64", "model.units=[128]"]
LARGE_ROWS = 3200
OF_LARGE = "48 steps, batch 64, 8 features"
SWEEP = ["-m", "look_back=1,3,6", "stateful=true,false", "seeds=32"]
MILLION = ["dataset=sine", "dataset.length=1000000", "look_back=100", "batch_size=100", "training.epochs=1"]


# ----------------------------------------------------------------------------- what is measured, each in a process


def import_only() -> float:
    """Return the peak memory, in MB, of a process that only imports TensorFlow."""
    from pipeline.base.environment import prepare_environment

    prepare_environment()
    import tensorflow  # noqa: F401

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def tutorial_loop() -> float:
    """Return the seconds of the tutorial's stateful training."""
    config, data = prepare(TUTORIAL)
    import keras

    inputs = data.windows.gather_inputs(data.windows.train)
    targets = data.windows.gather_targets(data.windows.train)
    assert inputs.shape == (93, 3, 1), inputs.shape
    start = time.perf_counter()
    lstm = keras.layers.LSTM(4, stateful=True)
    model = keras.Sequential([keras.Input(batch_shape=(1, 3, 1)), lstm, keras.layers.Dense(1)])
    model.compile(loss="mean_squared_error", optimizer="adam")
    for _ in range(config.training.epochs):
        model.fit(inputs, targets, epochs=1, batch_size=1, verbose=0, shuffle=False)
        lstm.reset_state()
    return time.perf_counter() - start


def fused_tutorial(seeds: int) -> float:
    """Return the seconds of the same training with some seeds, compilation included."""
    config, data = prepare([*TUTORIAL, f"seeds={seeds}"])
    from pipeline.training.train import train_seeds

    return train_seeds(config, data, lambda report: None).fit_seconds


def fused_again() -> float:
    """Return the seconds of one training that was compiled before; the median of five."""
    _, tasks = compiled([*TUTORIAL, "seeds=1"])
    return float(np.median([seconds_of_groups(tasks) for _ in range(5)]))


def fused_steps(overrides: list[str], epochs: int) -> tuple[float, float]:
    """Return the milliseconds of one step of one seed, and those of a processor, without compilation; best of three."""
    job, tasks = compiled([*overrides, f"training.epochs={epochs}"])
    steps = num_batches(job.config, job.data) * epochs * job.config.seeds
    measured = []
    for _ in range(3):
        used = time.process_time()
        measured.append((seconds_of_groups(tasks), time.process_time() - used))
    seconds, of_processor = np.min(measured, axis=0) / steps * 1e3
    return seconds, of_processor


def fit_steps(overrides: list[str], epochs: int) -> float:
    """Return the milliseconds of one step of the engine fit: what more epochs take, so that the start cancels out."""
    config, data = prepare([*overrides, "training.engine=fit"])
    from dataclasses import replace

    from pipeline.training.fit import train_seed
    from pipeline.training.forecaster import Forecaster

    seconds = []
    for count in (1, 1 + epochs):
        longer = replace(config, training=replace(config.training, epochs=count))
        seconds.append(train_seed(longer, data, Forecaster(longer, data.windows), 1, lambda report: None).seconds)
    return (seconds[1] - seconds[0]) / (epochs * num_batches(config, data)) * 1e3


def prepare(overrides: list[str]):
    """Return configuration and data of a command line, TensorFlow imported."""
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore

    from pipeline.base.environment import prepare_environment
    from pipeline.base.paths import conf_dir
    from pipeline.config.schema import Config, typed_config
    from pipeline.data.prepare import prepare_data

    prepare_environment()
    import tensorflow  # noqa: F401

    ConfigStore.instance().store(name="base_config", node=Config)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        config = typed_config(compose("config", overrides))
    return config, prepare_data(config)


def compiled(overrides: list[str]):
    """Return a run, and its groups of seeds with their compiled programs."""
    config, data = prepare(overrides)
    from pipeline.training import fused
    from pipeline.training.devices import ON_CORES
    from pipeline.training.engine import choose_engine
    from pipeline.training.groups import Job
    from pipeline.training.programs import Programs

    job = Job(config, data)
    tasks = list(fused.make_tasks([job], choose_engine(config, data).network, Programs(), ON_CORES))
    next(fused.call_by_call(tasks[0]))  # compiles
    return job, tasks


def seconds_of_groups(tasks) -> float:
    """Train all groups on all cores; return the wall time."""
    from pipeline.training import fused
    from pipeline.training.cores import run_on_cores

    start = time.perf_counter()
    for _ in run_on_cores(tasks, fused.call_by_call):
        pass
    return time.perf_counter() - start


def num_batches(config, data) -> int:
    return -(-len(data.windows.train) // config.batch_size)


# ------------------------------------------------------------------------------------------- running and comparing


def measure(call: str, together: int = 1, environment: dict[str, str] | None = None):
    """Evaluate a call in processes of their own, side by side; return the mean of what they return."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import json, engine; "
    results = []

    def run() -> None:
        with tempfile.TemporaryDirectory() as cache:
            done = subprocess.run(
                [sys.executable, "-c", f"{code}print(json.dumps(engine.{call}))"],
                env={**os.environ, "XDG_CACHE_HOME": cache, **(environment or {})},
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode:
            sys.exit(f"{call} failed:\n{done.stderr}")
        results.append(json.loads(done.stdout.splitlines()[-1]))

    threads = [threading.Thread(target=run) for _ in range(together)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return np.mean(results, axis=0).tolist()


def run_command(arguments: list[str]) -> tuple[float, float, int]:
    """Run `python -m pipeline.run` as a user does; return wall seconds, peak memory in MB, and finished trainings."""
    with tempfile.TemporaryDirectory() as folder:
        uri = f"sqlite:///{folder}/mlflow.db"
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.run", *arguments],
            cwd=folder,
            env={**os.environ, "MLFLOW_TRACKING_URI": uri, "XDG_CACHE_HOME": folder},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        if status:
            sys.exit(f"python -m pipeline.run {' '.join(arguments)} failed with status {status}")
        import mlflow

        client = mlflow.MlflowClient(uri)
        experiment = client.get_experiment_by_name("lstm-pipeline")
        runs = client.search_runs([experiment.experiment_id], "tags.config_hash != '' and status = 'FINISHED'")
        return seconds, usage.ru_maxrss / 1024, sum(int(run.data.params["seeds"]) for run in runs)


def with_eight_features(folder: str) -> list[str]:
    random = np.random.default_rng(1)
    time_axis = np.arange(LARGE_ROWS)[:, None]
    values = np.sin(time_axis / (7 + np.arange(8))) + random.normal(0, 0.1, (LARGE_ROWS, 8))
    path = Path(folder) / "eight.csv"
    np.savetxt(path, values, fmt="%.5f", delimiter=",", header=",".join("abcdefgh"), comments="")
    return [*LARGE, f"dataset.path={path}"]


def show(row: int, job: str, ours: float, other: float, what: str, unit: str, goal: float) -> None:
    ratio = f"{other / ours:.1f}x" if other / ours < 10 else f"{other / ours:.0f}x"
    print(
        f"{row:<3}{job:<58}{ours:>8.4g} {unit:<2}{other:>8.4g} {unit:<2}  {what:<28}{ratio:>8}{goal:>6g}x", flush=True
    )


def show_limit(row: int, job: str, ours: float, limit: float) -> None:
    what, job = "its matrix products alone", f"{job}, CPU"
    print(
        f"{row:<3}{job:<58}{ours:>8.4g} ms{limit:>8.4g} ms  {what:<28}{limit / ours:>8.0%}",
        flush=True,
    )


def measure_tutorial(wanted: set[int], loop: float) -> None:
    """Rows 1 to 3: the tutorial's stateful job against its own loop."""
    if 1 in wanted:
        ours = measure("fused_tutorial(1)")
        show(1, "tutorial's stateful job, 1 seed, with compilation", ours, loop, "tutorial's loop", "s", 12)
    if 2 in wanted:
        show(2, "the same without compilation", measure("fused_again()"), loop, "tutorial's loop", "s", 200)
    if 3 in wanted:
        each = measure("fused_tutorial(64)") / 64
        show(3, "64 seeds of it, with compilation, per training", each, loop, "tutorial's loop", "s", 300)


def measure_steps(wanted: set[int]) -> None:
    """Rows 4 to 7 and 10 to 18: a step of a network against the engine fit, torch, and its matrix products alone."""
    with tempfile.TemporaryDirectory() as folder:
        large = with_eight_features(folder)
        wide, deep = [*large, "model.units=[256]"], [*large, "model.units=[128,128]"]
        # Rows for fit, torch and the limit; job, its words, what torch and the products are given, epochs; two goals.
        sizes = (
            ((4, 5, 10), "8 x LSTM(32), 24 steps, batch 32", SMALL, ([32], 24, 32, 1, 300), 5, (10, 1.3)),
            ((6, 7, 11), f"8 x LSTM(128), {OF_LARGE}", large, ([128], 48, 64, 8, 40), 1, (2, 1.2)),
            ((12, 13, 14), f"8 x LSTM(256), {OF_LARGE}", wide, ([256], 48, 64, 8, 20), 1, (2, 1)),
            ((15, 16, 17), f"8 x 2 x LSTM(128), {OF_LARGE}", deep, ([128, 128], 48, 64, 8, 20), 1, (2, 1)),
        )
        for rows, job, overrides, shape, epochs, goals in sizes:
            if not wanted & set(rows):
                continue
            ours, of_processor = measure(f"fused_steps({overrides!r}, {epochs})")
            if rows[0] in wanted:
                other = measure(f"fit_steps({overrides!r}, {epochs})")
                show(rows[0], f"{job}, per step", ours, other, "engine fit", "ms", goals[0])
            if rows[1] in wanted:
                other = measure(f"torch_steps{shape}", together=2) / 2
                show(rows[1], "the same", ours, other, "torch, 2 processes", "ms", goals[1])
            if rows[2] in wanted:
                limit = measure(f"product_steps{shape}", together=2, environment={"OPENBLAS_NUM_THREADS": "1"})
                show_limit(rows[2], job, of_processor, limit)
        if 18 in wanted:
            ours, _ = measure(f"fused_steps({[*large, 'seeds=1']!r}, 1)")
            other = measure("torch_steps([128], 48, 64, 8, 40, 2)")
            show(18, f"1 x LSTM(128), {OF_LARGE}, per step", ours, other, "torch, 2 threads", "ms", 1)


def measure_commands(wanted: set[int], loop: float) -> None:
    """Rows 8 and 9: whole commands."""
    if 8 in wanted:
        seconds, _, trainings = run_command(SWEEP)
        job = f"README sweep, seeds=32, {trainings} trainings logged"
        show(8, job, seconds, trainings * loop, f"{trainings} x tutorial's loop", "s", 60)
    if 9 in wanted:
        seconds, peak, _ = run_command(MILLION)
        beyond = peak - measure("import_only()")
        print(
            f"9  a million steps, look_back 100, 8 seeds, 1 epoch, {seconds:.0f} s: {beyond:.0f} MB beyond importing "
            "TensorFlow, limit 1500 MB"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=list(range(1, 19)), help="rows of the table, from 1")
    wanted = set(parser.parse_args().rows)
    without_torch = wanted & {5, 7, 13, 16, 18} if importlib.util.find_spec("torch") is None else set()
    wanted -= without_torch
    print(f"{'':3}{'job':<58}{'ours':>11}{'against':>11}  {'what':<28}{'ratio':>8}{'goal':>7}")
    loop = measure("tutorial_loop()") if wanted & {1, 2, 3, 8} else float("nan")
    measure_tutorial(wanted, loop)
    measure_steps(wanted)
    measure_commands(wanted, loop)
    if without_torch:
        rows = ", ".join(map(str, sorted(without_torch)))
        print(f"rows {rows} are left out: torch is not installed (pip install -e '.[bench]')")


if __name__ == "__main__":
    main()
