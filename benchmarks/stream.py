"""Measure pipeline.stream: rows per second for one lane and for 400, and one step in NumPy against TensorFlow.

    make bench-stream                 about two minutes

Every command runs on one core, and its processor time is counted, so that other programs do not change it. The
processor time of a header alone, measured before each run, is subtracted; a run that does not take longer than its
start-up is no measurement, and ends the script. The network is an LSTM(4)
after one epoch on the airline series: how well it forecasts changes no time.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

TRAIN = ["look_back=12", "stateful=true", "training.epochs=1", "seeds=1", "tracking.log_model=false"]
TRANSFORMS = "dataset.transforms=[log,seasonal_difference]"
REQUIRED = {1: 2_000, 400: 20_000}  # rows per second, by lanes
MONTHS = {1: 60_000, 400: 3_000}  # rows of each lane
STEP = "--step"  # what the process of its own measures that imports TensorFlow


def main() -> None:
    if STEP in sys.argv:
        print(json.dumps(measure_steps()))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        run_here(folder, "-m", "pipeline.run", *TRAIN, TRANSFORMS)
        print(f"{'':<12}{'rows':>9}{'seconds':>9}{'rows per second':>17}{'required':>10}")
        for lanes, months in MONTHS.items():
            seconds = min(rows_seconds(folder, lanes, months) for _ in range(2))
            rows = lanes * months
            print(f"{lanes:>4} lane(s){rows:>9}{seconds:>9.2f}{rows / seconds:>17,.0f}{REQUIRED[lanes]:>10,}")
    steps = json.loads(run_here(Path.cwd(), __file__, STEP))
    print(f"\n{'one step of':<12}{'NumPy':>10}{'tf.function':>13}{'ratio':>8}")
    for lanes, (plain, compiled) in steps.items():
        print(f"{lanes:>4} lane(s){plain * 1e6:>7.0f} us{compiled * 1e6:>10.0f} us{compiled / plain:>8.1f}")


def run_here(folder: Path, *arguments: str) -> str:
    """Run Python on one core in a folder with a store of its own; return its output."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        env=environment,
        preexec_fn=keep_to_one_core,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return done.stdout


def keep_to_one_core() -> None:
    """Keep this process to one core, where the system can do that."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


def rows_seconds(folder: Path, lanes: int, months: int) -> float:
    """Return the processor time of the rows alone."""
    start_up, whole = stream_seconds(folder, lanes, 0), stream_seconds(folder, lanes, months)
    if whole < 2 * start_up:
        sys.exit(f"{whole:.2f} s with a start-up of {start_up:.2f} s measure nothing; raise MONTHS")
    return whole - start_up


def stream_seconds(folder: Path, lanes: int, months: int) -> float:
    """Return the processor time of streaming a file whose rows of one month stand together."""
    times = (np.datetime64("1961-01") + np.arange(months)).astype("datetime64[D]")
    values = np.random.default_rng(0).integers(300, 700, size=(months, lanes))
    rows = [
        f"lane {lane},{month},{value}"
        for month, row in zip(times, values, strict=True)
        for lane, value in enumerate(row)
    ]
    path = folder / "rows.csv"
    path.write_text("\n".join(["lane,month,passengers", *rows, ""]))
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = run_here(folder, "-m", "pipeline.stream", "run=best", f"input={path}", "follow=false")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    answers = re.findall(r"^lane \d+,.+,\d.*$", output, re.MULTILINE)
    assert len(answers) == lanes * months, f"{len(answers)} forecasts of {lanes * months} rows"
    return seconds


def measure_steps() -> dict[int, tuple[float, float]]:
    """Return the seconds of one step of an LSTM(4), in NumPy and as a compiled TensorFlow function, by lanes."""
    from pipeline.base.environment import prepare_environment

    prepare_environment()
    import keras
    import tensorflow as tf

    from pipeline.config.schema import Config
    from pipeline.models.numpy_network import build_numpy_network
    from pipeline.models.plan import plan_layers

    cell, head = keras.layers.LSTMCell(4), keras.layers.Dense(1)

    @tf.function(autograph=False)
    def step(inputs: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        hidden, (h, c) = cell(inputs, [h, c])
        return head(hidden), h, c

    def measure(lanes: int) -> tuple[float, float]:
        inputs, zeros = np.ones((lanes, 1), np.float32), np.zeros((lanes, 4), np.float32)
        states = [tensor.numpy() for tensor in step(inputs, zeros, zeros)[1:]]
        network = build_numpy_network(plan_layers(Config(), 1, 1), [*cell.get_weights(), *head.get_weights()])
        plain, _ = network.step(inputs, states)
        np.testing.assert_allclose(plain, step(inputs, *states)[0].numpy(), atol=1e-6)
        return (
            seconds_of(lambda: network.step(inputs, states)),
            seconds_of(lambda: [tensor.numpy() for tensor in step(inputs, *states)]),
        )

    return {lanes: measure(lanes) for lanes in REQUIRED}


def seconds_of(act: Callable[[], object], times: int = 500) -> float:
    """Return the seconds of one call: the best of five rounds."""
    rounds = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(times):
            act()
        rounds.append((time.perf_counter() - start) / times)
    return min(rounds)


if __name__ == "__main__":
    main()
