"""Something that is done again and again while a block lasts: a sign of life."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress


@contextmanager
def beating_every(seconds: float, beat: Callable[[], object], patience: float | None = None) -> Iterator[None]:
    """Do something every so many seconds while the block lasts; a time when it fails is left out.

    Args:
        seconds: Between two times; the first comes after as many.
        beat: What is done, in a thread.
        patience: Seconds that the end of the block waits for a beat that is under way; None: as long as it takes.
    """
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(seconds):
            with suppress(Exception):
                beat()

    thread = threading.Thread(target=run, daemon=True, name="beat")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(patience)
