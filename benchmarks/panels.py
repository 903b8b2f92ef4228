"""Measure a training on a panel that does not fit into memory: write a folder of parquet files, train on it in blocks.

python benchmarks/panels.py --lanes=100000 --rows=1000     what the issue asks for: within 3 GB
python benchmarks/panels.py --lanes=1000 --rows=1000       the same in a minute
python benchmarks/panels.py --lanes=1000 --whole           the same panel at once, without dataset.lane_block
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

COMMAND = [
    sys.executable, "-m", "pipeline.run", "dataset=csv", "dataset.time_column=time", "dataset.lane_column=lane",
    "dataset.targets=[load]", "dataset.period=24", "dataset.scaler=standard", "look_back=12", "batch_size=1024",
    "seeds=1",
]  # fmt: skip
LIMIT = 3000  # MB


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lanes", type=int, default=1000)
    parser.add_argument("--rows", type=int, default=1000, help="of each lane")
    parser.add_argument("--files", type=int, default=100, help="over which the lanes are spread")
    parser.add_argument("--block", type=int, default=1000, help="dataset.lane_block")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--whole", action="store_true", help="without dataset.lane_block")
    parser.add_argument("words", nargs="*", help="more words of the command, e.g. model.units=[16]")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="panels-"))
    try:
        size = write_panel(folder / "panel", arguments.lanes, arguments.rows, min(arguments.files, arguments.lanes))
        print(f"{arguments.lanes} lanes x {arguments.rows} rows, {size / 1e6:.0f} MB of parquet", flush=True)
        words = [f"dataset.path={folder / 'panel'}", f"training.epochs={arguments.epochs}", *arguments.words]
        if not arguments.whole:
            words.append(f"dataset.lane_block={arguments.block}")
        print_training(folder, words)
    finally:
        shutil.rmtree(folder)


def write_panel(folder: Path, lanes: int, rows: int, files: int) -> int:
    """Write hourly loads of many houses, each with a level, a rhythm and noise of its own; return the bytes."""
    folder.mkdir()
    hours = pd.date_range("2024-01-01", periods=rows, freq="h").to_numpy()
    angles = 2 * np.pi * np.arange(rows) / 24
    for number, some in enumerate(np.array_split(np.arange(lanes), files)):
        generator = np.random.default_rng(number)
        level, size, phase = (generator.uniform(low, high, (len(some), 1)) for low, high in ((5, 50), (1, 5), (0, 6.3)))
        load = level + size * np.sin(angles + phase) + generator.normal(0, 0.5, (len(some), rows))
        names = pa.DictionaryArray.from_arrays(
            np.repeat(np.arange(len(some), dtype=np.int32), rows), [f"house-{lane:06}" for lane in some]
        )
        table = pa.table({"time": np.tile(hours, len(some)), "lane": names, "load": load.ravel()})
        pq.write_table(table, folder / f"part-{number:05}.parquet", row_group_size=2**18)
    return sum(file.stat().st_size for file in folder.iterdir())


def print_training(folder: Path, words: list[str]) -> None:
    """Train in a process of its own, and print what it took."""
    environment = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}", "TMPDIR": str(folder)}
    start = time.perf_counter()
    process = subprocess.Popen([*COMMAND, *words], cwd=folder, env=environment)
    disk = [0]
    watching = threading.Thread(target=watch_disk, args=(process, folder, disk), daemon=True)
    watching.start()
    _, status, used = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    print(
        f"exit code {process.returncode}, peak memory {used.ru_maxrss / 1024:.0f} MB, limit {LIMIT} MB; "
        f"{seconds:.0f} s, processor {used.ru_utime + used.ru_stime:.0f} s; {disk[0] / 1e6:.0f} MB of blocks on disk"
    )


def watch_disk(process: subprocess.Popen, folder: Path, most: list[int]) -> None:
    """Keep the most bytes that the blocks took at a time."""
    while psutil.pid_exists(process.pid) and process.returncode is None:
        found = [file for kept in folder.glob("lstm-panel-*") for file in kept.rglob("*")]
        sizes = 0
        for file in found:
            try:
                sizes += file.stat().st_size
            except FileNotFoundError:  # removed meanwhile
                continue
        most[0] = max(most[0], sizes)
        time.sleep(1)


if __name__ == "__main__":
    main()
