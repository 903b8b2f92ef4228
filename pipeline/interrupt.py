"""Ctrl-C, and the SIGTERM of a cluster, end a training soon, cleanly, and are never lost."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_asked: list[int] = []  # signals that came and were not answered yet
_waiting: list[bool] = []  # one entry per block of `wait_for_safe_point`


def listen_for_interrupts() -> None:
    """Turn SIGINT and SIGTERM into KeyboardInterrupt."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)


@contextmanager
def wait_for_safe_point() -> Iterator[None]:
    """Inside the block a first signal waits for `check_interrupt`; a second one interrupts at once.

    TensorFlow swallows an exception that hits it in the wrong place, and would train on.
    """
    _waiting.append(True)
    try:
        yield
    finally:
        _waiting.pop()


def check_interrupt() -> None:
    """Raise what waits: called between batches, where an exception is safe.

    Raises:
        KeyboardInterrupt: If a signal came.
    """
    if _asked:
        raise KeyboardInterrupt


def _interrupt(number: int, frame: FrameType | None) -> None:
    _asked.append(number)
    if not _waiting or len(_asked) > 1:
        raise KeyboardInterrupt
