"""Measure `pipeline.serve` under load: single rows over connections that stay open, and blocks of many lanes.

python benchmarks/serve.py                   60 s of each, on this machine
python benchmarks/serve.py --seconds 10      a short look
python benchmarks/serve.py --only block      one of single, block, json, many
python benchmarks/serve.py --soak 60         an hour of everything at a moderate rate: does memory stay what it is?

The load comes from a process of its own, benchmarks/serve_load.py. A small model is trained first; what is measured is
the service, with its state file on disk.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
from serve_load import BLOCK

LOADS = ("single", "block", "json", "many")
CONNECTIONS = 32
SOAKED = 400  # lanes of the blocks of a soak
TRAIN = (
    "dataset=csv", "dataset.time_column=day", "dataset.features=[value]", "dataset.targets=[value]",
    "look_back=1", "stateful=true", "seeds=1", "training.epochs=2", "tracking.log_model=false",
)  # fmt: skip


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="of each load; default 60")
    parser.add_argument("--lanes", type=int, default=10_000, help="whose memory is measured; default 10000")
    parser.add_argument("--only", choices=LOADS, help="one load alone")
    parser.add_argument("--durability", default="interval", choices=["interval", "each"])
    parser.add_argument("--soak", type=float, metavar="MINUTES", help="so long everything together, instead")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder)
        if arguments.soak is None:
            kinds = LOADS if arguments.only is None else (arguments.only,)
            measure(folder, kinds, arguments.seconds, arguments.lanes, arguments.durability)
        else:
            soak(folder, arguments.soak, arguments.durability)


def train(folder: Path) -> None:
    """Train a small model."""
    values = 100 + 10 * np.sin(np.arange(200) / 5)
    days = pd.date_range("2020-01-01", periods=200)
    pd.DataFrame({"day": days, "value": values}).to_csv(folder / "data.csv", index=False)
    run(folder, "pipeline.run", *TRAIN, f"dataset.path={folder / 'data.csv'}").check_returncode()


def run(folder: Path, name: str, *words: str) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of the pipeline to its end."""
    return subprocess.run(make_command(folder, name, *words), cwd=folder, env=environment(), capture_output=True)


def make_command(folder: Path, name: str, *words: str) -> list[str]:
    return [sys.executable, "-m", name, *words, f"tracking.uri=sqlite:///{folder / 'mlflow.db'}"]


def environment() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "MLFLOW_TRACKING_URI"}


@dataclass(frozen=True)
class Service:
    """A service that runs."""

    process: "subprocess.Popen[str]"
    port: int

    @property
    def memory(self) -> float:
        """MB that it holds now."""
        return float(psutil.Process(self.process.pid).memory_info().rss / 2**20)

    @property
    def peak(self) -> float:
        """MB that it held at most, where the system tells; it holds most while it saves its state."""
        status = Path(f"/proc/{self.process.pid}/status")
        lines = status.read_text().splitlines() if status.exists() else []
        told = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]  # kB
        return told[0] / 1024 if told else self.memory

    def load(self, kind: str, lanes: int, seconds: float, period: float | None = None) -> Iterator[dict[str, float]]:
        """Load it, and yield what was measured after each period."""
        words = [kind, str(lanes), str(seconds), *([] if period is None else [str(period)])]
        command = [sys.executable, str(Path(__file__).with_name("serve_load.py")), str(self.port), *words]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loading:
            assert loading.stdout is not None
            for line in loading.stdout:
                yield json.loads(line)
        if loading.returncode:
            raise SystemExit("the load ended early")


@contextmanager
def serve(folder: Path, name: str, durability: str) -> Iterator[Service]:
    """Start a service with a state file of its own."""
    words = ["run=latest", "port=0", f"state={folder / name}.npz", f"durability={durability}"]
    command = make_command(folder, "pipeline.serve", *words)
    with subprocess.Popen(command, cwd=folder, env=environment(), stderr=subprocess.PIPE, text=True) as process:
        try:
            yield Service(process, find_port(process))
        finally:
            process.terminate()
            process.wait()


def find_port(process: "subprocess.Popen[str]") -> int:
    assert process.stderr is not None
    for line in process.stderr:
        if "serving run" in line:
            return int(line.partition("http://")[2].split()[0].rpartition(":")[2])
    raise SystemExit("the service did not start")


def measure(folder: Path, kinds: Sequence[str], seconds: float, lanes: int, durability: str) -> None:
    """Print what each load gives."""
    print(f"{'load':34} {'rows/s':>9} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'most MB':>10}")
    loads = {
        "single": (CONNECTIONS, f"single rows, {CONNECTIONS} connections"),
        "block": (BLOCK, f"blocks of {BLOCK} lanes, CSV"),
        "json": (BLOCK, f"blocks of {BLOCK} lanes, JSON"),
        "many": (lanes, f"blocks of {BLOCK} rows, {lanes} lanes"),
    }
    for kind in kinds:
        number, shown = loads[kind]
        with serve(folder, kind, durability) as service:
            (found,) = service.load(kind, number, seconds)
            print(f"{shown:34} {show(found)} {service.peak:10,.0f}", flush=True)


def show(found: dict[str, float]) -> str:
    return f"{found['rows']:9,.0f} {found['requests']:11,.0f} {found['p50']:8.2f} {found['p99']:8.2f}"


def soak(folder: Path, minutes: float, durability: str) -> None:
    """Print what a service holds and how fast it answers, twelve times, and how memory grew after the first quarter."""
    period = minutes / 12
    print(f"{'minutes':>8} {'rows/s':>9} {'requests/s':>11} {'p50 ms':>8} {'p99 ms':>8} {'memory MB':>10}", flush=True)
    held = []
    with serve(folder, "soak", durability) as service:
        for number, found in enumerate(service.load("soak", SOAKED, minutes * 60, period * 60), 1):
            held.append((number * period / 60, service.memory))
            print(f"{number * period:8.1f} {show(found)} {held[-1][1]:10,.1f}", flush=True)
    hours, memory = np.array(held[3:]).T
    print(f"memory after the first quarter: {np.polyfit(hours, memory, 1)[0]:+.1f} MB an hour")


if __name__ == "__main__":
    main()
