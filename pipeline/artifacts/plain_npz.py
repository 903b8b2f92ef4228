"""Read arrays out of an .npz of plain numbers and texts, quickly: NumPy parses the header of each array as Python code.

Of 20,000 small files that takes longer than to read them, and most headers are alike.
"""

from functools import lru_cache
from io import BytesIO
from zipfile import ZipFile

import numpy as np
from numpy.lib import format as npy

_SUFFIX = ".npy"
_BEGIN = 10  # bytes of a header of version 1: the magic, its version and the length of the rest


def list_arrays(file: ZipFile) -> list[str]:
    """Return the names of the arrays."""
    return [name.removesuffix(_SUFFIX) for name in file.namelist()]


def read_plain(file: ZipFile, name: str) -> np.ndarray:
    """Read an array, which must not be written to.

    Args:
        file: What `numpy.savez` wrote.
        name: Of the array.

    Raises:
        KeyError: If there is no such array.
        ValueError: If it is damaged, or holds Python objects.
    """
    content = file.read(f"{name}{_SUFFIX}")
    if content[:8] != npy.magic(1, 0):
        return np.asarray(npy.read_array(BytesIO(content), allow_pickle=False))
    start = _BEGIN + int.from_bytes(content[8:_BEGIN], "little")
    shape, in_columns, kind = _read_header(content[:start])
    if kind.hasobject:
        raise ValueError(f"the array {name} holds Python objects")
    count = int(np.prod(shape))
    return np.frombuffer(content, kind, count, start).reshape(shape, order="F" if in_columns else "C")


@lru_cache(maxsize=1024)
def _read_header(header: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    stream = BytesIO(header)
    npy.read_magic(stream)
    found: tuple[tuple[int, ...], bool, np.dtype] = npy.read_array_header_1_0(stream)
    return found
