"""Kept traces: found again by the same version of the package, and by no other."""

from pathlib import Path

import pytest

from pipeline.training import traces
from pipeline.training.traces import read_trace, write_trace


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(traces, "kept_programs", lambda: tmp_path)
    return tmp_path


def test_a_trace_is_found_by_its_key_only(folder: Path) -> None:
    """A repeated command would trace everything again, or train with the program of another network."""
    write_trace("LSTM(4)", b"graph")
    assert read_trace("LSTM(4)") == b"graph"
    assert read_trace("LSTM(8)") is None
    assert len(list(folder.iterdir())) == 1


def test_a_changed_line_of_the_package_is_traced_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who develops the package, or installs a newer one, would train with the program of the old one."""
    monkeypatch.setattr(traces, "_PACKAGE", tmp_path)
    (tmp_path / "cells.py").write_text("gates = 4")
    before = traces._digest_sources.__wrapped__()
    (tmp_path / "cells.py").write_text("gates = 3")
    assert traces._digest_sources.__wrapped__() != before


def test_a_damaged_trace_is_traced_again(folder: Path) -> None:
    """A power cut would fail every later training of the same network."""
    write_trace("LSTM(4)", b"graph")
    (path,) = folder.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert read_trace("LSTM(4)") is None
    assert not path.exists()


def test_without_a_folder_that_can_be_written_it_is_traced_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only home, or a full disk, would fail every training."""
    monkeypatch.setattr(traces, "kept_programs", lambda: Path("/proc/self/nowhere"))
    write_trace("LSTM(4)", b"graph")
    assert read_trace("LSTM(4)") is None
    monkeypatch.setattr(traces, "kept_programs", lambda: None)
    write_trace("LSTM(4)", b"graph")
    assert read_trace("LSTM(4)") is None
