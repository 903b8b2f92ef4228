"""What every broker does for a stream: rows in from one of its streams, answers out into another, each once."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, TypeVar

from pipeline.base.errors import PipelineError
from pipeline.serving.rows import RowError

Tell = Callable[[str], None]
Answer = tuple[str, Mapping[str, str | float]]  # the id of its row, and cells by name; NaN where there is no number
REMEDY = "give another state file"

_SECONDS_OF_PATIENCE = 300.0  # with a server that went away
_SECONDS_BETWEEN_TRIES = 1.0

Found = TypeVar("Found")


class Entry(NamedTuple):
    """One entry of a stream.

    Attributes:
        id: Where it stands.
        cells: By the names of their columns; or why it holds none.
    """

    id: str
    cells: Mapping[str, str | float] | RowError


class Broker(Protocol):
    """The streams of one command. What is written twice, after a kill, is there once."""

    @property
    def takes_answers(self) -> bool:
        """Whether there is a stream for them."""

    @property
    def position(self) -> str:
        """Where it is after what was read and written last; a state file keeps it."""

    def start(self, position: str) -> None:
        """Go to a position that was kept; "": to the first row.

        Raises:
            UserError: If it is none of these streams.
        """

    def read(self, waits: bool) -> Sequence[Entry]:
        """Return the next entries, a few thousand at once.

        Args:
            waits: Whether to wait a second for one, where there is none.

        Raises:
            PipelineError: If the server is away too long.
        """

    def write(self, answers: Sequence[Answer]) -> None:
        """Write answers that are not there yet, in the order of their rows.

        Raises:
            PipelineError: If the server is away too long, or somebody else writes there.
        """


def ask_patiently(ask: Callable[[], Found], lost: tuple[type[Exception], ...], shown: str, tell: Tell) -> Found:
    """Ask a server until it answers.

    Args:
        ask: Asks it.
        lost: What is raised when it is away.
        shown: Its address.
        tell: Told once that it is away.

    Raises:
        PipelineError: If it is away too long.
    """
    end = time.monotonic() + _SECONDS_OF_PATIENCE
    told = False
    while True:
        try:
            return ask()
        except lost as error:
            if time.monotonic() > end:
                raise PipelineError(
                    f"{shown} does not answer for {_SECONDS_OF_PATIENCE:.0f} seconds: {error}"
                ) from None
            if not told:
                tell(f"{shown} does not answer ({error}); it is asked again every second")
            told = True
            time.sleep(_SECONDS_BETWEEN_TRIES)
