"""A disk that is full, over its quota, read-only or broken, in the words of every library that writes."""

import errno
from collections.abc import Iterator

_NUMBERS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
_TOLD = "the disk is full or cannot be written to"
_WORDS = (
    _TOLD,  # by another process, which told it on
    "database or disk is full",  # SQLite
    "disk I/O error",
    "No space left on device",  # C++ libraries, which have no error number
    "Disk quota exceeded",
    "File too large",
    "No usable temporary directory",  # Python's tempfile, where it cannot write anywhere
    " requested and ",  # NumPy: `4096 requested and 0 written`
)
_LONGEST = 250  # characters


def explain_disk(error: BaseException) -> str | None:
    """Say in one line what a disk refused; None if the error, and what led to it, is about something else.

    Example:
        >>> explain_disk(OSError(28, "No space left on device", "weights.npz"))
        "the disk is full or cannot be written to: [Errno 28] No space left on device: 'weights.npz'"
        >>> explain_disk(ValueError("no such colour")) is None
        True
    """
    for each in _chain(error):
        lines = [line.strip() for line in str(each).splitlines()]
        told = [line for line in lines if any(word in line for word in _WORDS)]
        if told or (isinstance(each, OSError) and each.errno in _NUMBERS):
            line = told[0] if told else str(each)
            return line[:_LONGEST] if line.startswith(_TOLD) else f"{_TOLD}: {line[:_LONGEST]}"
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
