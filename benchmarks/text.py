"""Measure how fast char-rnn's network learns a text: the fused engine, keras fit, and torch where it is installed.

    make bench-text
    python benchmarks/text.py --rounds 5

2 x LSTM(128), 50 lanes x 50 characters, 65 of them in the alphabet, RMSprop, state carried from batch to batch. A
contender is a process of its own, which compiles, then times slices of 20 batches. The contenders take turns, and of
each the fastest slice of all rounds counts: on a machine with company the others measure the company. So does that one
where the company never rests; then what a batch costs the processor still tells who would be faster alone.
`pip install -e '.[bench]'` adds torch.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

LANES, STEPS, UNITS, CHARACTERS, BATCHES = 50, 50, 128, 65, 20
SLICES = 8
TEXT = [
    "dataset=tinyshakespeare",
    "model.units=[128,128]",
    "stateful=true",
    "return_sequences=true",
    "look_back=50",
    "batch_size=50",
    "training.optimizer=rmsprop",
    "training.learning_rate=0.002",
    "training.rho=0.95",
    "training.clip_norm=5",
    "training.patience=null",
]


def fused(seeds: int) -> tuple[float, float]:
    """Measure the seeds of a run, which learn side by side."""
    import numpy as np
    from engine import compiled

    job, tasks = compiled([*TEXT, f"seeds={seeds}"])
    from pipeline.training.compiled import to_arrays
    from pipeline.training.cores import run_on_cores

    assert job.data.windows.num_outputs == CHARACTERS

    def train(task):
        material, history = task.read(0)
        carry = to_arrays(task.compiled.program.begin(task.group.weights))
        yield task.compiled.train(material, carry, np.int32(0), np.int32(BATCHES), history)

    return fastest(lambda: list(run_on_cores(tasks, train)), seeds)


def fit(**compiling) -> tuple[float, float]:
    """Measure keras.Model.fit, with arguments of `compile`."""
    from engine import prepare

    config, _ = prepare(TEXT)
    import keras
    import numpy as np

    from pipeline.models.keras_network import build_training_network
    from pipeline.training.fit import make_optimizer

    network = build_training_network(config, 1, CHARACTERS)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer=make_optimizer(config.training), loss=loss, **compiling)
    ids = np.random.default_rng(1).integers(0, CHARACTERS, (2, BATCHES * LANES, STEPS, 1)).astype(np.float32)
    return fastest(lambda: network.fit(ids[0], ids[1], batch_size=LANES, shuffle=False, verbose=0))


def torch(threads: int) -> tuple[float, float]:
    """Measure torch's nn.LSTM."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    lstm, head = torch.nn.LSTM(CHARACTERS, UNITS, 2), torch.nn.Linear(UNITS, CHARACTERS)
    weights = [*lstm.parameters(), *head.parameters()]
    optimizer = torch.optim.RMSprop(weights, lr=2e-3, alpha=0.95)
    inputs, targets = torch.randint(0, CHARACTERS, (2, BATCHES, STEPS, LANES))

    def train() -> None:
        state = None
        for ids, following in zip(inputs, targets, strict=True):
            optimizer.zero_grad()
            outputs, state = lstm(torch.nn.functional.one_hot(ids, CHARACTERS).float(), state)
            state = tuple(each.detach() for each in state)
            torch.nn.functional.cross_entropy(head(outputs).flatten(0, 1), following.flatten()).backward()
            torch.nn.utils.clip_grad_norm_(weights, 5)
            optimizer.step()

    return fastest(train)


def fastest(train: Callable[[], object], seeds: int = 1) -> tuple[float, float]:
    """Return the fewest seconds of a batch of one seed: on the clock, and of the processor, all cores together."""
    train()
    clock, processor = [], []
    for _ in range(SLICES):
        start, used = time.perf_counter(), time.process_time()
        train()
        clock.append(time.perf_counter() - start)
        processor.append(time.process_time() - used)
    return min(clock) / BATCHES / seeds, min(processor) / BATCHES / seeds


CONTENDERS = {
    "fused, 1 seed": "fused(1)",
    "fused, 4 seeds together": "fused(4)",
    "keras fit": "fit()",
    "keras fit, jit_compile=True": "fit(jit_compile=True)",
    "keras fit, steps_per_execution=20": "fit(steps_per_execution=20)",
    "keras fit, jit_compile=True, steps_per_execution=20": "fit(jit_compile=True, steps_per_execution=20)",
    "torch, 1 thread": "torch(1)",
    "torch, 2 threads": "torch(2)",
}


def measure(call: str) -> list[float]:
    """Evaluate a call in a process of its own."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); import json, text; "
    code += f"print(json.dumps(text.{call}))"
    done = subprocess.run([sys.executable, "-c", code], env=os.environ, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{call} failed:\n{done.stderr}")
    seconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each contender")
    rounds = parser.parse_args().rounds
    has_torch = importlib.util.find_spec("torch") is not None
    names = [name for name, call in CONTENDERS.items() if has_torch or not call.startswith("torch")]
    best = {name: [float("inf")] * 2 for name in names}
    for _ in range(rounds):
        for name in names:
            best[name] = [min(pair) for pair in zip(best[name], measure(CONTENDERS[name]), strict=True)]
    ours = best[names[0]]
    print(f"{'':54}{'characters a second':>20}{'fused is':>10}{'ms of processor a batch':>25}{'fused is':>10}")
    for name, (clock, processor) in best.items():
        speed, faster, cheaper = LANES * STEPS / clock, clock / ours[0], processor / ours[1]
        print(f"{name:54}{speed:20,.0f}{faster:9.2f}x{processor * 1e3:25.1f}{cheaper:9.2f}x", flush=True)
    if not has_torch:
        print("torch is not installed (pip install -e '.[bench]')")


if __name__ == "__main__":
    main()
