"""The test errors of many runs: each file is checked and read once, as long as what it holds fits into memory."""

from pathlib import Path

from pipeline.artifacts.errors_file import read_test_errors
from pipeline.base.record import TestErrors

_MOST_BYTES = 200_000_000


class ErrorsOnce:
    """Reads test errors and keeps the first of them: of 20,000 short tests all, of long ones some.

    Args:
        most_bytes: Of errors that are kept; what comes later is read from its file again.
    """

    def __init__(self, most_bytes: int = _MOST_BYTES) -> None:
        self._room = most_bytes
        self._kept: dict[Path, TestErrors] = {}

    def read(self, folder: Path) -> TestErrors:
        """Return the errors of the run whose files lie in a folder.

        Raises:
            FileNotFoundError: If the folder has none.
            Exception: What reading a damaged file raises.
        """
        found = self._kept.get(folder)
        if found is None:
            found = read_test_errors(folder)
            size = found.errors.nbytes + sum(each.nbytes for each in found.baselines.values()) + found.times.nbytes
            if size <= self._room:
                self._room -= size
                self._kept[folder] = found
        return found
