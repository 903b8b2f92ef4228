"""Ctrl-C, the SIGTERM of a cluster and the SIGHUP of a lost terminal end a training soon, cleanly; none is lost."""

import logging
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
_asked: list[int] = []  # signals that came
_waiting: list[bool] = []  # one entry per open block; False where not even a second signal breaks through
_tell_unraisable = sys.unraisablehook


def listen_for_interrupts() -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into KeyboardInterrupt; one that is ignored (`nohup`) stays ignored."""
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    sys.unraisablehook = _forget_interrupt
    logging.getLogger("tensorflow").addFilter(_is_worth_telling)


def ignore_interrupts() -> None:
    """Let signals come too late from now on: while Python ends, it would die of them, after it has done everything."""
    for name in _SIGNALS:
        number = getattr(signal, name, None)
        if number is not None:
            signal.signal(number, signal.SIG_IGN)


@contextmanager
def interruptible() -> Iterator[None]:
    """Listen for interrupts while the block lasts, as a command does for good; outside the main thread nothing changes.

    What came before it is forgotten: after an interrupt the next training of a notebook starts.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}
    hook = sys.unraisablehook
    _asked.clear()
    listen_for_interrupts()
    try:
        yield
    finally:
        sys.unraisablehook = hook
        for number, handler in before.items():
            if handler is not None:  # somebody else's, not of Python
                signal.signal(number, handler)


@contextmanager
def wait_for_safe_point() -> Iterator[None]:
    """Inside the block a first signal waits for `check_interrupt`, or the end of the block; a second one does not wait.

    TensorFlow swallows an exception that hits it in the wrong place, and would train on.

    Raises:
        KeyboardInterrupt: At the end of the block, if a signal came inside.
    """
    with _wait(True):
        yield


@contextmanager
def hold_interrupts() -> Iterator[None]:
    """Inside the block every signal waits for its end: for the few moments in which a run is opened or closed.

    Raises:
        KeyboardInterrupt: At the end of the block, if a signal came inside.
    """
    with _wait(False):
        yield


def check_interrupt() -> None:
    """Raise what waits: called where an exception is safe, between batches and between jobs.

    Raises:
        KeyboardInterrupt: If a signal came.
    """
    if _asked:
        raise KeyboardInterrupt


def interrupt_signal() -> int:
    """Return the number of the signal that ended a command: the first one that came, else that of Ctrl-C."""
    return _asked[0] if _asked else signal.SIGINT


def interrupt_reason() -> str:
    """Say what ended a run, for example `interrupted (SIGTERM)`."""
    return f"interrupted ({signal.Signals(interrupt_signal()).name})"


@contextmanager
def _wait(breakable: bool) -> Iterator[None]:
    before = len(_asked)
    _waiting.append(breakable)
    try:
        yield
    finally:
        _waiting.pop()
    if len(_asked) > before and not _waiting:
        raise KeyboardInterrupt


def _is_worth_telling(record: logging.LogRecord) -> bool:
    """TensorFlow calls it an error that what it was tracing is thrown away; after an interrupt it is none."""
    return not (_asked and "Object was never used" in record.getMessage())


def _forget_interrupt(unraisable: "sys.UnraisableHookArgs") -> None:
    """Do not tell of an interrupt that hit a destructor: Python swallows it, `check_interrupt` raises it again."""
    if not (_asked and unraisable.exc_type is KeyboardInterrupt):
        _tell_unraisable(unraisable)


def _interrupt(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    if not _waiting or (all(_waiting) and len(_asked) > 1):
        raise KeyboardInterrupt
