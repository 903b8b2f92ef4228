"""A worker of a search in a Slurm job: does batch after batch from its folder, until the command has no more.

It ends, too, when the command has been silent for two minutes: what it trains is trained elsewhere then.
"""

import json
import logging
import os
import signal
import sys
import threading
import time
from contextlib import suppress
from importlib import import_module
from itertools import count
from pathlib import Path

from pipeline.base.environment import prepare_environment
from pipeline.base.interrupt import check_interrupt, interrupt_signal, listen_for_interrupts
from pipeline.base.terminal import prepare_terminal, say
from pipeline.data.series_file import read_series
from pipeline.launching.slurm_folder import add_answer, batch_file
from pipeline.launching.slurm_warm import BEAT, ENDED, SECONDS_BETWEEN_BEATS, SERIES, STARTED, STOP

_BEATS_MISSED = 12
_SECONDS_BETWEEN_LOOKS = 0.2


def main() -> int:
    """Serve until the command says that it is over; 128 + signal after an interrupt."""
    folder, work = Path(sys.argv[1]), sys.argv[2]
    prepare_environment()
    prepare_terminal(unread=True)
    listen_for_interrupts()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    code = 1
    try:
        (folder / STARTED).touch()
        threading.Thread(target=_watch, args=[folder.parent / BEAT], daemon=True).start()
        _serve(folder, work)
        code = 0
    except KeyboardInterrupt:
        say(f"interrupted by signal {interrupt_signal()}")
        code = 128 + interrupt_signal()
    finally:
        (folder / ENDED).write_text(str(code))
    return code


def _serve(folder: Path, work: str) -> None:
    loaded = read_series((folder.parent / SERIES).read_bytes())
    with import_module(work).open_work(loaded) as answer_tasks:
        for number in count():
            while not (batch := batch_file(folder, number)).exists():
                check_interrupt()
                if (folder / STOP).exists():
                    return
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            for answer in answer_tasks(json.loads(batch.read_text(encoding="utf-8"))):
                if (folder / STOP).exists():
                    return  # it was taken for lost: another one answers
                add_answer(folder, number, answer)


def _watch(beat: Path) -> None:
    """End as by SIGTERM when the command is silent: the next one must not train beside this one."""
    seen, missed = "", 0
    while missed < _BEATS_MISSED:
        time.sleep(SECONDS_BETWEEN_BEATS)
        found = seen
        with suppress(OSError):
            found = beat.read_text()
        seen, missed = found, missed + 1 if found == seen else 0
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
