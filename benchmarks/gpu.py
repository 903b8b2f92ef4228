"""Measure the training program on a GPU beside torch's cuDNN LSTM, one seed at a time, eager and as a CUDA graph.

    python benchmarks/gpu.py --export FOLDER    here: the product's own program as HLO, its arguments and its losses
    python gpu.py --run FOLDER                  there: needs jax and this file only; with torch, on CUDA, also compares

Two stages, because the machine with the card need not have TensorFlow's CUDA build, nor this project. The program is
that of pipeline/training/program.py, unchanged; the XLA of JAX compiles it for the device that JAX has. What is written
is HLO, NumPy arrays and JSON. `--units` and `--seeds` choose rows of the table, in either stage; `--epochs` how much is
timed.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

# Time steps, rows of a batch and features by the units of the LSTM: as in benchmarks/engine.py.
SHAPES = {4: (3, 1, 1), 32: (24, 32, 1), 128: (48, 64, 8), 512: (48, 64, 8), 1024: (48, 64, 8)}
SEEDS = (1, 8, 64, 1024)
EPOCHS = 4
LARGEST = 2**26  # numbers in the weights of all seeds: 256 MB
RATE = 1e-4  # of learning: with the default LSTM(512) swings so far in its first steps that rounding decides its losses
AGREED = 1e-4  # by which losses may differ between devices, relative
TORCH_STEPS = 100


def list_jobs(units: list[int], seeds: list[int]) -> list[tuple[int, int]]:
    """Return units and seeds of each program; without those whose weights would make a file too large to carry."""
    weights = {size: 4 * size * (size + SHAPES[size][2] + 1) + size + 1 for size in units}
    return [(size, count) for size in units for count in seeds if weights[size] * count <= LARGEST]


def name_job(units: int, seeds: int) -> str:
    return f"lstm{units}-seeds{seeds}"


# ------------------------------------------------------------------------------------------------- with the project


def export(folder: Path, units: list[int], seeds: list[int]) -> None:
    """Write the programs, what they are given, and what TensorFlow makes of it on the cores."""
    folder.mkdir(parents=True, exist_ok=True)
    references: dict[int, list[float]] = {}
    for size, count in list_jobs(units, seeds):
        if size not in references:
            references[size] = train_one_epoch(size)
        begun = time.perf_counter()
        write_program(folder, size, count, references[size])
        print(f"{name_job(size, count)}: exported in {time.perf_counter() - begun:.0f} s", flush=True)


def make_task(units: int, seeds: int):
    """Return the one group of all seeds that a GPU would train, with its program."""
    import engine

    sized = [f"model.units=[{units}]", f"training.epochs={EPOCHS}", f"training.learning_rate={RATE}"]
    with tempfile.TemporaryDirectory() as data:
        given = {4: engine.TUTORIAL, 32: engine.SMALL}.get(units) or engine.with_eight_features(data)
        config, prepared = engine.prepare([*given, *sized, f"seeds={seeds}"])  # before TensorFlow is imported
    from pipeline.training.devices import Placement
    from pipeline.training.engine import choose_engine
    from pipeline.training.fused import make_tasks
    from pipeline.training.groups import Job
    from pipeline.training.programs import Programs

    time_steps, rows, features = SHAPES[units]
    assert (config.time_steps, config.batch_size, prepared.windows.num_features) == (time_steps, rows, features)
    placement = Placement("/CPU:0", "as if it were a GPU", most_seeds=seeds)
    return next(make_tasks([Job(config, prepared)], choose_engine(config, prepared).network, Programs(), placement))


def make_arguments(task) -> tuple[Any, ...]:
    """Return what `Program.train` takes: material, carry, first batch, the one after the last, and history."""
    from pipeline.training.compiled import to_arrays

    material, history = task.read(0)
    carry = to_arrays(task.compiled.program.begin(task.group.weights))
    batches = len(material.plan.weights)
    return material, carry, np.int32(0), np.int32(batches), history


def train_one_epoch(units: int) -> list[float]:
    """Return loss and validation loss of the first seed's first epoch, by TensorFlow on the cores."""
    task = make_task(units, 1)
    _, history = task.compiled.train(*make_arguments(task))  # history: (epochs, 2, seeds)
    return history[0, :, 0].tolist()


def write_program(folder: Path, units: int, seeds: int, reference: list[float]) -> None:
    """Write NAME.hlo, NAME.npz with each array once, and NAME.json that says which argument is which array."""
    task = make_task(units, seeds)
    import tensorflow as tf

    arguments = make_arguments(task)
    flat = [np.asarray(each) for each in tf.nest.flatten(arguments)]

    def train(*flat: Any) -> list[Any]:
        return tf.nest.flatten(task.compiled.program.train(*tf.nest.pack_sequence_as(arguments, flat)))

    program = tf.function(train, jit_compile=True, autograph=False)
    name = name_job(units, seeds)
    (folder / f"{name}.hlo").write_bytes(program.experimental_get_compiler_ir(*flat)(stage="hlo_serialized"))
    about = {"units": units, "seeds": seeds, "batches": int(arguments[3]), "reference": reference}
    write_arguments(folder / name, flat, about)


def write_arguments(path: Path, flat: list[np.ndarray], about: dict[str, Any]) -> None:
    """Write the arguments of a program, equal ones once: the weights are also the best weights so far."""
    kept: dict[str, np.ndarray] = {}
    names = []
    for array in flat:
        equal = (name for name, other in kept.items() if other.dtype == array.dtype and np.array_equal(other, array))
        names.append(next(equal, f"array{len(kept)}"))
        kept.setdefault(names[-1], array)
    np.savez_compressed(f"{path}.npz", **kept)
    Path(f"{path}.json").write_text(json.dumps({**about, "arguments": names}, indent=1))


# ---------------------------------------------------------------------------------------------- without the project


def read_arguments(path: Path) -> tuple[list[np.ndarray], dict[str, Any]]:
    """Return the arguments of a program, and what is known about it."""
    about = json.loads(Path(f"{path}.json").read_text())
    with np.load(f"{path}.npz", allow_pickle=False) as kept:
        arrays = {name: kept[name] for name in kept.files}
    return [arrays[name] for name in about["arguments"]], about


def load_program(path: Path):
    """Compile a program for JAX's first device; return what takes arrays there and returns the history of losses."""
    import jax
    from jax.extend.backend import get_backend, get_compile_options
    from jax.extend.mlir import hlo_to_stablehlo
    from jaxlib.xla_client import DeviceList

    backend, device = get_backend(), jax.devices()[0]
    options = get_compile_options(num_replicas=1, num_partitions=1)
    module = hlo_to_stablehlo(Path(f"{path}.hlo").read_bytes())
    executable = backend.compile_and_load(module, DeviceList((device,)), options)

    def call(arguments: list[Any]) -> np.ndarray:
        outputs = executable.execute_sharded(arguments).disassemble_into_single_device_arrays()
        return np.asarray(outputs[-1][0])  # (epochs, 2, seeds)

    return call


def time_program(path: Path, epochs: int) -> dict[str, Any]:
    """Return microseconds per step and seed, the best of three; and how far the losses are from TensorFlow's."""
    import jax

    arguments, about = read_arguments(path)
    begun = time.perf_counter()
    call = load_program(path)
    compiled = time.perf_counter() - begun
    first_epoch = call(jax.device_put(arguments))[0, :, 0]  # loss and validation loss of the first seed
    off = float(np.max(np.abs(first_epoch / np.array(about["reference"]) - 1)))
    steps = about["batches"] * epochs
    arguments[-2] = np.int32(steps)  # before the history: the number after the last batch
    held = jax.device_put(arguments)
    call(held)
    seconds = []
    for _ in range(3):
        begun = time.perf_counter()
        call(held)
        seconds.append(time.perf_counter() - begun)
    each = 1e6 * min(seconds) / steps / about["seeds"]
    return {**about, "compiled": compiled, "off": off, "microseconds": each}


def time_torch(units: int) -> tuple[float, float] | None:
    """Return microseconds of a step of torch's nn.LSTM with Adam, eager and as a CUDA graph; None without CUDA."""
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(1)
    time_steps, rows, features = SHAPES[units]
    lstm, head = torch.nn.LSTM(features, units, batch_first=True).cuda(), torch.nn.Linear(units, 1).cuda()
    optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()], capturable=True, fused=True)
    inputs = torch.randn(rows, time_steps, features, device="cuda")
    targets = torch.randn(rows, 1, device="cuda")

    def step() -> None:
        optimizer.zero_grad(set_to_none=False)
        outputs, _ = lstm(inputs)
        torch.nn.functional.mse_loss(head(outputs[:, -1]), targets).backward()
        optimizer.step()

    def measure(call) -> float:
        for _ in range(5):
            call()
        torch.cuda.synchronize()
        begun = time.perf_counter()
        for _ in range(TORCH_STEPS):
            call()
        torch.cuda.synchronize()
        return (time.perf_counter() - begun) / TORCH_STEPS * 1e6

    side = torch.cuda.Stream()  # a graph is recorded after a start on a stream of its own
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(5):
            step()
    torch.cuda.current_stream().wait_stream(side)
    eager, graph = measure(step), torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    return eager, measure(graph.replay)


def run(folder: Path, units: list[int], seeds: list[int], epochs: int) -> bool:
    """Print the table; return whether all losses agree."""
    import jax

    jobs = [job for job in list_jobs(units, seeds) if (folder / f"{name_job(*job)}.json").exists()]
    if not jobs:
        sys.exit(f"{folder} holds none of these programs: python benchmarks/gpu.py --export {folder} writes them")
    device = jax.devices()[0]
    print(f"JAX {jax.__version__} on {device.device_kind} ({device.platform}); microseconds per step and seed")
    print(f"{'job':<43}{'seeds':>6}{'ours':>10}{'eager':>10}{'':>8}{'graph':>10}{'':>8}{'compiled':>10}  losses off by")
    torch_by_units, agreed = {}, True
    for size, count in jobs:
        if size not in torch_by_units:
            torch_by_units[size] = time_torch(size)
        found = time_program(folder / name_job(size, count), epochs)
        agreed = agreed and found["off"] <= AGREED
        print(describe(found, torch_by_units[size]), flush=True)
    if not any(torch_by_units.values()):
        print("torch with CUDA is not here: nothing is compared")
    return agreed


def describe(found: dict[str, Any], torch_times: tuple[float, float] | None) -> str:
    """Return a row of the table."""
    time_steps, rows, features = SHAPES[found["units"]]
    ours = found["microseconds"]
    job = f"LSTM({found['units']}), {time_steps} steps, batch {rows}, {features} feature(s)"
    compared = (
        "".join(f"{other:>10.1f}{other / ours:>7.1f}x" for other in torch_times or ()) or f"{'-':>10}{'-':>8}" * 2
    )
    verdict = "" if found["off"] <= AGREED else f"  MORE THAN {AGREED:g}"
    return (
        f"{job:<43}{found['seeds']:>6}{ours:>10.2f}{compared}{found['compiled']:>8.1f} s  {found['off']:.1e}{verdict}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    stage = parser.add_mutually_exclusive_group(required=True)
    stage.add_argument("--export", type=Path, metavar="FOLDER", help="write the programs there; needs the project")
    stage.add_argument("--run", type=Path, metavar="FOLDER", help="run what is written there; needs jax")
    parser.add_argument("--units", type=int, nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--epochs", type=int, default=EPOCHS, choices=range(1, EPOCHS + 1), help="that are timed")
    arguments = parser.parse_args()
    if arguments.export is not None:
        export(arguments.export, arguments.units, arguments.seeds)
    elif not run(arguments.run, arguments.units, arguments.seeds, arguments.epochs):
        sys.exit(1)


if __name__ == "__main__":
    main()
