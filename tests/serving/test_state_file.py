"""The state file: what was saved comes back, and nothing else is taken for it."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.serving.state_file import SavedState, load_state, save_state

NAMES = ["", "a,b", 'q"', "ü\x00", "\x00", "tab\t"]
STATE = SavedState(
    NAMES,
    rows=[0, 1, 2, 3, 4, 5],
    last=[np.nan, 1.5, -2.0, 3.0, 4.0, 5.0],
    arrays=[np.arange(12).reshape(6, 2), np.arange(6, dtype=np.float32)[:, None] / 7],
)
DIGEST = "0123456789abcdef"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A state file that was saved."""
    save_state(tmp_path / "state.npz", DIGEST, STATE)
    return tmp_path / "state.npz"


def test_what_was_saved_comes_back(path: Path) -> None:
    """A lane resumes with the memory of another, or with numbers that were rounded."""
    loaded = load_state(path, DIGEST)
    assert (list(loaded.names), list(loaded.rows)) == (NAMES, STATE.rows)
    np.testing.assert_array_equal(loaded.last, STATE.last)
    for array, expected in zip(loaded.arrays, STATE.arrays, strict=True):
        np.testing.assert_array_equal(array, expected)
        assert array.dtype == expected.dtype


def test_places_that_no_lane_has_are_not_saved(tmp_path: Path) -> None:
    """The file holds room for lanes that never came, and cannot be restored."""
    save_state(tmp_path / "s", DIGEST, SavedState(["x"], [1], [2.0], [np.arange(32).reshape(16, 2)]))
    assert load_state(tmp_path / "s", DIGEST).arrays[0].tolist() == [[0, 1]]


def test_the_state_of_another_model_is_refused(path: Path) -> None:
    """A network goes on with the state of another one, and nobody notices."""
    with pytest.raises(UserError, match=r"belongs to another model \(0123456789ab, this one is fedcba987654\)"):
        load_state(path, "fedcba9876543210")


def edit(path: Path, **changes: Any) -> None:
    """Write the file again with other parts; None leaves one out."""
    with np.load(path) as file:
        parts = {name: file[name] for name in file.files} | changes
    with path.open("wb") as file:
        np.savez(file, **{name: part for name, part in parts.items() if part is not None})


def test_another_version_is_refused(path: Path) -> None:
    """A file of a newer program is read as if its parts meant the same."""
    edit(path, version=np.array(2))
    with pytest.raises(UserError, match="has version 2, but this program writes 1"):
        load_state(path, DIGEST)


class Bomb:
    """Something that acts when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return print, ("a state file was executed",)


@pytest.mark.parametrize("name", ["names", "rows", "last", "digest", "version", "array_000"])
def test_nothing_in_the_file_is_executed(path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A state file from somebody else runs their code."""
    edit(path, **{name: np.array([Bomb()], dtype=object)})
    with pytest.raises(UserError, match="is not a state file"):
        load_state(path, DIGEST)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize(
    "changes",
    [
        {"names": None},
        {"digest": None},
        {"version": None},
        {"names": np.frombuffer(b"[1", np.uint8)},
        {"names": np.frombuffer(b"7", np.uint8)},
        {"names": np.frombuffer(json.dumps(["a"] * 6).encode(), np.uint8)},  # one name six times
        {"rows": np.arange(5)},
        {"last": np.arange(7.0)},
        {"rows": np.array(3)},
    ],
)
def test_parts_that_do_not_fit_are_refused(path: Path, changes: dict[str, Any]) -> None:
    """A damaged file ends in a traceback, or lanes get the rows of others."""
    edit(path, **changes)
    with pytest.raises(UserError, match=r"is not a state file \(.+\); remove it to start anew"):
        load_state(path, DIGEST)


@pytest.mark.parametrize("content", [b"", b"lane,rows\n", b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04N."])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A mistyped path ends in a traceback."""
    path = tmp_path / "other"
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not a state file"):
        load_state(path, DIGEST)
    single = io.BytesIO()
    np.save(single, np.arange(3))
    path.write_bytes(single.getvalue())
    with pytest.raises(UserError, match="is not a state file"):
        load_state(path, DIGEST)
    with pytest.raises(UserError, match="is not a state file"):
        load_state(tmp_path, DIGEST)


@given(st.data())
def test_a_damaged_file_is_refused_or_harmless(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    """A byte that a disk lost changes the state silently, or ends in a traceback."""
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    save_state(path, DIGEST, STATE)
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        content = content[: data.draw(st.integers(0, len(content) - 1))]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(content)
    try:
        loaded = load_state(path, DIGEST)
    except UserError:
        return
    assert list(loaded.names) == NAMES
    for array, expected in zip(loaded.arrays, STATE.arrays, strict=True):
        np.testing.assert_array_equal(array, expected)


def test_a_failure_while_writing_leaves_the_old_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, or a crash while saving, loses the state that there was."""
    before = path.read_bytes()

    def fail(file: io.BufferedWriter, **parts: Any) -> None:
        file.write(b"half a file")
        raise OSError("no space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="no space left"):
        save_state(path, DIGEST, STATE)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]  # and no half file beside it
