"""What may fail without failing a run: whoever asks for it loses that one thing, and is told so."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

INCOMPLETE_TAG = "incomplete"  # of a run: the names of what could not be made
_LONGEST_REASON = 300  # characters


class Salvage:
    """Keeps a finished run whole when a figure, a page or a copy for another program cannot be made.

    Attributes:
        lost: Name of everything that failed, in order.

    Example:
        >>> salvage = Salvage(print)
        >>> with salvage.attempt("forecast.png"):
        ...     raise ValueError("no such colour")
        forecast.png could not be made and is left out, all else is kept: ValueError: no such colour
        >>> salvage.lost
        ['forecast.png']
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self.lost: list[str] = []

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Let whatever fails inside the block cost this one thing; an interrupt passes through.

        Args:
            name: What the block makes, for example a file.
        """
        try:
            yield
        except Exception as error:
            self.lost.append(name)
            self._tell(f"{name} could not be made and is left out, all else is kept: {describe_error(error)}")


def describe_error(error: Exception) -> str:
    """Return the kind of an error and the first line of its text, not too long."""
    reason = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {reason}"[:_LONGEST_REASON].removesuffix(": ")
