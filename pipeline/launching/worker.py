"""A worker process: reads batches of tasks from stdin, does them, and answers on stdout, line by line.

A line is JSON: in a list of tasks, `[{"place": 0, ...}]`; out `{"place": 0, "kind": "", ...}` for each task as it ends.
What it does is said by a module that has `open_work`, see `pipeline.launching.answers`; what that opens stays open from
batch to batch. It ends when stdin does.
"""

import argparse
import json
import logging
import os
import signal
import sys
import threading
import time
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from pipeline.base.environment import prepare_environment
from pipeline.base.interrupt import interrupt_signal, listen_for_interrupts
from pipeline.base.terminal import prepare_terminal
from pipeline.data.series_file import read_series

if TYPE_CHECKING:
    from pipeline.launching.answers import Loaded

_SECONDS_BETWEEN_LOOKS = 1.0


def main() -> int:
    """Serve until stdin ends; 128 + signal after an interrupt, as a shell would have it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", required=True, help="the module that says what it does")
    parser.add_argument("--cores", required=True, help="that this worker may use, by commas")
    parser.add_argument("--series", type=Path, help="file with what was read for its tasks, by name_dataset")
    parser.add_argument("--parent", type=int, required=True, help="process id of the command: without it, it ends")
    arguments = parser.parse_args()
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, [int(core) for core in arguments.cores.split(",")])
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # whatever a library prints is no answer
        prepare_environment()
        prepare_terminal(unread=True)
        listen_for_interrupts()
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        threading.Thread(target=watch_parent, args=[arguments.parent], daemon=True).start()
        try:
            _serve(arguments.work, arguments.series, sys.stdin, answers)
        except KeyboardInterrupt:
            return 128 + interrupt_signal()
    return 0


def _serve(work: str, series: Path | None, batches: TextIO, answers: TextIO) -> None:
    loaded: Loaded = {} if series is None else read_series(series.read_bytes())
    with import_module(work).open_work(loaded) as answer_tasks:
        for line in batches:
            for answer in answer_tasks(json.loads(line)):
                answers.write(f"{json.dumps(answer)}\n")
                answers.flush()


def watch_parent(parent: int) -> None:
    """End as by SIGTERM when the command is gone: the same command with resume=true must not train beside this one."""
    while os.getppid() == parent:
        time.sleep(_SECONDS_BETWEEN_LOOKS)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
