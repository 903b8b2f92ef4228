"""The state file of a stream: read at the beginning, replaced now and then, and at the end."""

import time
from collections.abc import Mapping
from pathlib import Path

from pipeline.base.terminal import say
from pipeline.serving.lane_book import LaneBook

_SECONDS_BETWEEN_SAVES = 1.0  # at least; and so many that saving takes a tenth of the time at most
_MOST_NAMED = 5  # lanes that are told one by one


class KeptState:
    """What keeps a book of lanes in a file.

    Args:
        book: The lanes.
        path: The file; None: nothing is kept.
    """

    def __init__(self, book: LaneBook, path: Path | None) -> None:
        self._book, self._path = book, path
        self._next = time.monotonic() + _SECONDS_BETWEEN_SAVES

    def resume(self) -> str:
        """Go on from the file, if there is one, and return the position in the source that was saved with it.

        Raises:
            UserError: If it is damaged, or of another model.
        """
        if self._path is None or not self._path.exists():
            return ""
        position = self._book.resume(self._path)
        say(f"state={self._path}: {_count_rows(self._book.consumed)}")
        return position

    def save(self, position: str = "") -> None:
        """Replace the file; `position`: where the source is, of one that knows."""
        if self._path is not None:
            self._book.save(self._path, position)

    def save_sometimes(self, position: str = "") -> bool:
        """Replace the file if that was not done just now; return whether it was."""
        if self._path is None or time.monotonic() <= self._next:
            return False
        began = time.monotonic()
        self.save(position)
        took = time.monotonic() - began
        self._next = time.monotonic() + max(_SECONDS_BETWEEN_SAVES, 9 * took)
        return True


def _count_rows(consumed: Mapping[str, int]) -> str:
    """Say how many rows each lane has consumed; of many lanes, all together."""
    total = f"{len(consumed)} lane(s), which have consumed {sum(consumed.values())} row(s)"
    if len(consumed) > _MOST_NAMED:
        return total
    return f"{total}: {', '.join(f'{name} {count}' for name, count in consumed.items())}" if consumed else total
