"""Measure how sure forecasts are against peers: CRPS and coverage of every contender on every set of `make peers`.

make peers-intervals                                       everything: hours; Ctrl-C and the same words go on
make peers-intervals ARGS="--sets airline,wine --contenders network,auto_ets,seasonal_naive"
make peers-intervals ARGS="--table"                        only the tables of what is there
make peers-intervals ARGS="--table --folder benchmarks/peers/intervals"   those of the documentation

A set that has a line in FOLDER/results.jsonl is not run again; one that failed is. Seconds are those of fitting and
forecasting, without imports.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from benchmarks.peers.__main__ import check_names
from benchmarks.peers.intervals import ours, theirs
from benchmarks.peers.intervals.table import describe_pairs, describe_table
from benchmarks.peers.sets import HELD_OUT, HORIZONS, SETS
from benchmarks.peers.table import read_records

WORKERS = (*ours.CONTENDERS, *theirs.CONTENDERS)
_AGAINST = "network"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=Path("peers-intervals"), help="of sets and results")
    parser.add_argument("--python", default=".venv-peers/bin/python", help="what has the peers installed")
    parser.add_argument("--sets", type=lambda text: text.split(","), help="names, by commas; without it all")
    parser.add_argument("--contenders", type=lambda text: text.split(","), help="by commas; without it all")
    parser.add_argument("--horizons", type=lambda text: [int(each) for each in text.split(",")], default=HORIZONS)
    parser.add_argument("--table", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    check_names(parser, "--sets", arguments.sets or [], SETS)
    known = [*WORKERS, *ours.ALSO]
    check_names(parser, "--contenders", arguments.contenders or [], known)
    results = arguments.folder / "results.jsonl"
    if not arguments.table:
        arguments.folder.mkdir(parents=True, exist_ok=True)
        subprocess.run([arguments.python, "-m", "benchmarks.peers.sets", str(arguments.folder / "sets")], check=True)
        run_workers(arguments, results)
    records = [each for each in read_records(results) if each["contender"] in (arguments.contenders or known)]
    for horizon in arguments.horizons:
        for told, names in (("", arguments.sets or list(SETS)), ("of these, held out of all tuning:\n", HELD_OUT)):
            if told and arguments.sets:
                continue
            table, pairs = describe_table(records, horizon, names), describe_pairs(records, horizon, names, _AGAINST)
            print(f"\n{told}{table}\n\n{pairs}")


def run_workers(arguments: argparse.Namespace, results: Path) -> None:
    """Start a process for each contender and horizon, one after another, with the sets that have no result yet."""
    for horizon in arguments.horizons:
        for contender in WORKERS:
            if arguments.contenders and contender not in arguments.contenders:
                continue
            done = {
                each["set"]
                for each in read_records(results)
                if "crps" in each and (each["horizon"], each["contender"]) == (horizon, contender)
            }
            names = [name for name in arguments.sets or SETS if name not in done]
            python, module = (sys.executable, "ours") if contender in ours.CONTENDERS else (arguments.python, "theirs")
            words = [python, "-m", f"benchmarks.peers.intervals.{module}", contender, str(horizon)]
            if names and subprocess.run([*words, str(arguments.folder), *names]).returncode:
                print(f"{contender}, {horizon} steps ahead, broke off: the same command goes on", file=sys.stderr)


if __name__ == "__main__":
    main()
