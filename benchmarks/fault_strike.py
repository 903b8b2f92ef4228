"""One command that is struck: wait for the moment, let the fault happen, wait for the end. Used by faults.py."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.fault_checks import HEARD, SIGNALS, Fault
from benchmarks.fault_disk import DISKS, fill_disk
from benchmarks.fault_places import CODES, Place

PATIENCE_SECONDS = 1200


def strike(
    process: subprocess.Popen[str],
    fault: Fault,
    is_time: Callable[[Sequence[str]], bool],
    seconds: float,
    place: Place,
    folder: Path,
) -> list[str]:
    """Strike a command so many seconds after its lines say that it is time, and return the lines of its stderr.

    Args:
        process: The command; it has a session of its own, and its stderr is a pipe.
        fault: What to do; gets the moment, and the exit code.
        is_time: Asked all the time for the lines until now.
        seconds: Between that and the fault.
        place: What trains the sweep, or logs it.
        folder: Of the sweep.
    """
    lines: list[str] = []
    said = 0  # before it was struck
    begun = time.monotonic()
    reader = threading.Thread(target=lambda: lines.extend(iter(process.stderr.readline, "")), daemon=True)
    reader.start()
    try:
        while not is_time(lines) and process.poll() is None:
            time.sleep(0.01)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        while process.poll() is None and not fault.is_hit:
            said = len(lines)
            fault.moment = f"{time.monotonic() - begun:.1f} s, {said} lines"
            fault.is_hit = _hit(process, fault.kind, place, folder)
            time.sleep(0.1)
        if not fault.is_hit:
            fault.moment = Fault.moment
        deadline = time.monotonic() + PATIENCE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            place.hurry()
            time.sleep(0.2)
        if process.poll() is None:
            fault.lost.append(f"it still ran {PATIENCE_SECONDS} s after the fault")
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    fault.code = process.wait()
    reader.join()
    process.stderr.close()
    if fault.code == 0 and len(lines) == said and CODES.get(fault.kind, HEARD.get(fault.kind, 0)) != 0:
        fault.is_hit, fault.moment = False, "it had done everything"  # and was on its way out
    return lines


def _hit(process: subprocess.Popen[str], kind: str, place: Place, folder: Path) -> bool:
    if kind in CODES and not place.strike(kind, process.pid, folder):
        return False
    if kind in SIGNALS:
        os.killpg(process.pid, SIGNALS[kind])
    elif kind in DISKS:
        fill_disk(folder, process.pid)
        return process.poll() is None  # that takes a while, and the command may have ended before
    return True
