"""Measure the search against its peers on public series: MASE, seconds and memory of every contender on every set.

make peers                                             everything: hours; Ctrl-C and the same words go on
make peers ARGS="--sets airline,wine --quick --folder peers-quick"   two sets, tiny budgets: does it work?
make peers ARGS="--contenders search,auto_ets --budget 300s"
make peers ARGS="--table"                              only the tables of what is there
make peers ARGS="--table --folder benchmarks/peers"    only those of the results that the documentation shows

A pair that has a line in FOLDER/results.jsonl with the same budget is not run again; one that failed, or had another
budget, is, and its new line counts. Seconds and memory are those of the whole process, imports included.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks.peers import ours
from benchmarks.peers.files import forecast_file, read_set
from benchmarks.peers.sets import HELD_OUT, HORIZONS, SETS, find_test_start
from benchmarks.peers.table import compute_mase, describe_pairs, describe_table, read_records

THEIRS = ("seasonal_naive", "auto_ets", "auto_arima", "auto_theta", "lstm", "auto_lstm", "darts_rnn", "boosted_trees")
_TAIL = 300  # characters of what a failed process said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("peers"), help="of sets, forecasts and results")
    parser.add_argument("--python", default=".venv-peers/bin/python", help="what has the peers installed")
    parser.add_argument("--sets", type=lambda text: text.split(","), help="names, by commas; without it all")
    parser.add_argument("--contenders", type=lambda text: text.split(","), default=[*ours.CONTENDERS, *THEIRS])
    parser.add_argument("--budget", default="120s", help="of the search on one set and horizon")
    parser.add_argument("--limit", type=float, default=1800, help="seconds that a contender may take for one")
    parser.add_argument("--quick", action="store_true", help="budget=4, 2 seeds, 20 steps: to see that it works")
    parser.add_argument("--table", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    check_names(parser, "--sets", arguments.sets or [], SETS)
    check_names(parser, "--contenders", arguments.contenders, [*ours.CONTENDERS, *THEIRS])
    results = arguments.folder / "results.jsonl"
    if not arguments.table:
        (arguments.folder / "forecasts").mkdir(parents=True, exist_ok=True)
        subprocess.run([arguments.python, "-m", "benchmarks.peers.sets", str(arguments.folder / "sets")], check=True)
        run_pairs(arguments, results)
    records = [each for each in read_records(results) if each["contender"] in arguments.contenders]
    for horizon in HORIZONS:
        print_tables(records, horizon, arguments.sets or list(SETS))
        if not arguments.sets:
            print("\nof these, held out of all tuning:", end="")
            print_tables(records, horizon, HELD_OUT)


def print_tables(records: list[dict[str, object]], horizon: int, names: Sequence[str]) -> None:
    print(f"\n{describe_table(records, horizon, names)}\n\n{describe_pairs(records, horizon, names, 'search')}")


def check_names(parser: argparse.ArgumentParser, option: str, given: list[str], known: object) -> None:
    wrong = [name for name in given if name not in known]
    if wrong:
        parser.error(f"{option}: {', '.join(wrong)} is none of {', '.join(known)}")


def run_pairs(arguments: argparse.Namespace, results: Path) -> None:
    """Run what has no result yet, and append a line as each ends."""
    done = {
        (each["set"], each["horizon"], each["contender"], each["effort"])
        for each in read_records(results)
        if "mase" in each
    }
    names = arguments.sets or list(SETS)
    pairs = [(name, ahead, each) for name in names for ahead in HORIZONS for each in arguments.contenders]
    for number, (name, horizon, contender) in enumerate(pairs, start=1):
        effort = "quick" if arguments.quick else arguments.budget if contender == "search" else "full"
        if (name, horizon, contender, effort) in done:
            continue
        record = {"set": name, "horizon": horizon, "contender": contender, "effort": effort}
        record |= run_pair(arguments, name, horizon, contender)
        with results.open("a") as file:
            file.write(f"{json.dumps(record)}\n")
        said = f"MASE {record['mase']:.3f}" if "mase" in record else f"FAILED: {record['error']}"
        print(f"{number}/{len(pairs)} {name} {horizon} {contender}: {said}, {record['seconds']:.1f} s", flush=True)


def run_pair(arguments: argparse.Namespace, name: str, horizon: int, contender: str) -> dict[str, object]:
    """Run one contender on one set in a process of its own, and score what it wrote."""
    if contender in ours.CONTENDERS:
        quick = ["--budget", "4", "--seeds", "2"] if arguments.quick else ["--budget", arguments.budget]
        command = [sys.executable, "-m", "benchmarks.peers.ours"]
    else:
        quick = ["--quick"] if arguments.quick else []
        command = [arguments.python, "-m", "benchmarks.peers.theirs"]
    path = forecast_file(arguments.folder, name, horizon, contender)
    path.unlink(missing_ok=True)
    log = path.with_suffix(".log")
    words = [*command, contender, name, str(horizon), str(arguments.folder), *quick]
    code, seconds, megabytes = run_process(words, log, arguments.limit)
    measured = {"seconds": round(seconds, 2), "megabytes": round(megabytes)}
    if code != 0 or not path.exists():
        said = log.read_text(errors="replace").strip()[-_TAIL:]
        return measured | {"error": f"over the limit of {arguments.limit:g} s" if code is None else said}
    values = read_set(arguments.folder, name).to_numpy()
    forecasts = pd.read_csv(path, index_col="step").to_numpy()
    try:
        return measured | {"mase": compute_mase(values, forecasts, find_test_start(len(values)), SETS[name].period)}
    except ValueError as error:
        return measured | {"error": str(error)}


def run_process(words: list[str], log: Path, limit: float) -> tuple[int | None, float, float]:
    """Return the exit code, None at the limit; seconds; and the peak memory of the largest process in MB."""
    start, late = time.monotonic(), False
    with log.open("w") as file:
        process = subprocess.Popen(words, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
    try:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        while not ended:
            time.sleep(0.05)
            late = time.monotonic() - start > limit
            if late:
                os.killpg(process.pid, signal.SIGKILL)
            ended, status, usage = os.wait4(process.pid, 0 if late else os.WNOHANG)
    except KeyboardInterrupt:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    process.returncode = os.waitstatus_to_exitcode(status)
    return None if late else process.returncode, time.monotonic() - start, usage.ru_maxrss / 1024


if __name__ == "__main__":
    main()
