"""Arrays of small .npz files, read as NumPy reads them, and nothing executed."""

from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import pytest

from pipeline.artifacts.plain_npz import list_arrays, read_plain

ARRAYS = {
    "numbers": np.arange(24.0).reshape(2, 3, 4),
    "columns": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
    "text": np.array('{"rows": "äö"}'),
    "nothing": np.zeros((0, 3), np.float32),
    "single": np.array(3.5),
    "truth": np.array([True, False]),
    "structured": np.array([(1, 2.0)], dtype=[("\u0436", "i4"), ("b", "f8")]),  # its header is of version 3
}


def test_arrays_are_those_that_numpy_reads(tmp_path: Path) -> None:
    """Breaks every comparison: errors of a run would be read in another shape, order or type."""
    path = tmp_path / "arrays.npz"
    with pytest.warns(UserWarning, match="format 3.0"):
        np.savez(path, **ARRAYS)
    with ZipFile(path) as file, np.load(path) as expected:
        assert list_arrays(file) == list(ARRAYS)
        for name in ARRAYS:
            found = read_plain(file, name)
            np.testing.assert_array_equal(found, expected[name])
            assert (found.dtype, found.shape) == (expected[name].dtype, expected[name].shape)


def test_objects_and_damage_are_refused(tmp_path: Path) -> None:
    """Breaks safety: a file from elsewhere could run code, or give wrong numbers, in whoever compares it."""
    path = tmp_path / "arrays.npz"
    np.savez(path, objects=np.array([{}], dtype=object), numbers=np.arange(1000.0))
    with ZipFile(path) as file:
        with pytest.raises(ValueError, match="Python objects"):
            read_plain(file, "objects")
        with pytest.raises(KeyError, match="other"):
            read_plain(file, "other")
    content = bytearray(path.read_bytes())
    place = content.index(np.arange(1000.0).tobytes()[4000:4100])
    content[place] ^= 1
    path.write_bytes(bytes(content))
    with ZipFile(path) as file, pytest.raises(BadZipFile, match="CRC"):
        read_plain(file, "numbers")
