"""One contender goes through sets, one after another, and appends a line of results for each: a process of its own."""

import argparse
import json
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.peers.files import read_set
from benchmarks.peers.intervals.scores import score_quantiles
from benchmarks.peers.sets import SETS, find_test_start

Array = np.ndarray
Found = Mapping[str, Array]  # quantiles by name of the contender: one training may make several. (test, series, levels)
Forecast = Callable[[pd.DataFrame, str, int], Found]  # of the values of a set, its name and the horizon
_TAIL = 300  # characters of what a failure said


def run_worker(manual: str | None, contenders: Mapping[str, Forecast]) -> None:
    """Read CONTENDER HORIZON FOLDER SET... from the command line and work."""
    parser = argparse.ArgumentParser(description=manual, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("contender", choices=list(contenders))
    parser.add_argument("horizon", type=int)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="+", choices=list(SETS))
    arguments = parser.parse_args()
    folder = arguments.folder.resolve()
    for name in arguments.names:
        values = read_set(folder, name)
        for record in run_set(contenders[arguments.contender], arguments.contender, values, name, arguments.horizon):
            with (folder / "results.jsonl").open("a") as file:
                file.write(f"{json.dumps(record)}\n")
            print(describe(record), flush=True)


def run_set(
    forecast: Forecast, contender: str, values: pd.DataFrame, name: str, horizon: int
) -> list[dict[str, object]]:
    """Forecast one set, and return its line of results, or lines; one that fails says why."""
    begun = time.monotonic()
    record: dict[str, object] = {"set": name, "horizon": horizon, "contender": contender}
    try:
        found = forecast(values, name, horizon)
        seconds = {"seconds": round(time.monotonic() - begun, 2)}
        actual, start, period = values.to_numpy(), find_test_start(len(values)), SETS[name].period
        return [
            record | {"contender": each} | score_quantiles(actual, quantiles, start, period) | seconds
            for each, quantiles in found.items()
        ]
    except Exception:  # whatever a library raises: the other sets go on, and the line says what it was
        return [record | {"error": traceback.format_exc().strip()[-_TAIL:]}]


def describe(record: Mapping[str, object]) -> str:
    """Say a line of results in a line."""
    told = f"{record['set']} {record['horizon']} {record['contender']}: "
    if "error" in record:
        return f"{told}FAILED: {str(record['error']).splitlines()[-1]}"
    names = ("crps", "coverage_80", "coverage_95", "seconds")
    return told + ", ".join(f"{name} {record[name]}" for name in names)
