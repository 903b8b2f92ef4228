"""What was answered outlives its process, whenever that ends: the state file and its journals."""

import asyncio
import errno
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.base.errors import JournalError, UserError
from pipeline.service import batcher as batcher_module
from pipeline.service.answered import Refusal
from pipeline.service.batcher import Batcher
from pipeline.service.desk import Desk
from pipeline.service.journal import Journal
from pipeline.service.keeper import Keeper
from pipeline.serving.model import ServedModel
from pipeline.serving.state_file import save_state
from pipeline.serving.stream import Stream

MakeServed = Callable[..., ServedModel]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-10", periods=30)]
LANES = ["x", "y"]


@pytest.fixture(scope="module")
def model(make_served: MakeServed) -> ServedModel:
    return make_served(stateful=True)


def open_desk(model: ServedModel) -> Desk:
    return Desk(model, warm=True, most_lanes=10, say=lambda text: None)


@pytest.fixture(autouse=True)
def opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Journal]]:
    """Journals that were opened; closed at the end, as the end of a process does."""
    journals: list[Journal] = []
    begin = Journal.__init__

    def note(self: Journal, state: Path, first: int) -> None:
        journals.append(self)
        begin(self, state, first)

    monkeypatch.setattr(Journal, "__init__", note)
    yield journals
    for each in journals:
        each.close()


def restored(model: ServedModel, path: Path) -> tuple[Desk, Keeper]:
    """Begin as the service does."""
    desk, keeper = open_desk(model), Keeper(path, pytest.fail)
    keeper.restore(desk)
    return desk, keeper


def die(desk: Desk) -> None:
    """End the process of a desk: the system closes what it has open."""
    assert desk.journal is not None
    desk.journal.close()


def take(desk: Desk, day: str) -> None:
    body = "lane,day,a\n" + "".join(f"{lane},{day},{len(lane + day) + int(day[-2:]) / 7}\n" for lane in LANES)
    assert not isinstance(desk.take([desk.bodies.rows_of(body.encode(), True, None, 9)])[0], Refusal)


def assert_equal(one: Desk, two: Desk) -> None:
    assert one.book.consumed == two.book.consumed
    count = len(one.book.consumed)
    for mine, other in zip(one.lane_arrays(), two.lane_arrays(), strict=True):
        np.testing.assert_array_equal(mine[:count], other[:count])


@given(st.lists(st.sampled_from(["row", "save", "save beside", "die", "die in a save"]), max_size=12))
def test_lanes_are_where_they_were_whenever_the_process_dies(
    model: ServedModel, tmp_path_factory: pytest.TempPathFactory, happenings: list[str]
) -> None:
    """After a kill -9 a row that was answered is lost, or read twice: every later forecast of its lane is wrong."""
    path = tmp_path_factory.mktemp("state") / "lanes.npz"
    desk, keeper = restored(model, path)
    never_stopped, day = open_desk(model), 0
    for happening in happenings:
        if happening == "row":
            take(desk, DAYS[day])
            take(never_stopped, DAYS[day])
            day += 1
        elif happening == "save":
            keeper.save(desk)
        elif happening == "save beside":
            asyncio.run(keeper.save_beside(Batcher(desk, durable=False)))
        else:
            if happening == "die in a save":  # the new journal is there, the new state file is not
                assert desk.journal is not None
                desk.journal.turn()
            die(desk)
            desk, keeper = restored(model, path)
        assert_equal(desk, never_stopped)
    die(desk)
    desk, _ = restored(model, path)
    assert_equal(desk, never_stopped)
    assert len(list(path.parent.iterdir())) == 2  # the state file and one journal: none is left behind for ever


@pytest.mark.parametrize("durable", [False, True])
def test_a_row_that_could_not_be_noted_ends_the_service_and_can_be_sent_again(
    model: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """The disk is full for a moment: the service refuses that row for ever as late, or cannot start any more."""
    desk, _ = restored(model, tmp_path / "lanes.npz")
    never_stopped = open_desk(model)
    take(desk, DAYS[0])
    take(never_stopped, DAYS[0])
    ended: list[str] = []
    monkeypatch.setattr(batcher_module, "end_process", lambda error: ended.append(str(error)))
    with monkeypatch.context() as full:
        if durable:
            full.setattr("os.fsync", refuse)
        else:
            assert desk.journal is not None
            full.setattr(desk.journal, "_file", HalfFull(desk.journal._file))
        row = f"lane,day,a\nx,{DAYS[1]},1.5\n".encode()
        read = desk.bodies.rows_of(row, True, None, 9)
        with pytest.raises(JournalError):
            asyncio.run(Batcher(desk, durable).ask(read))
    assert len(ended) == 1 and "cannot be written (No space left on device)" in ended[0]
    die(desk)
    desk, _ = restored(model, tmp_path / "lanes.npz")
    if not durable:  # what only did not reach the disk is known: sent again it gets its answer
        assert_equal(desk, never_stopped)
    (sent_again,) = desk.take([desk.bodies.rows_of(row, True, None, 9)])
    assert not isinstance(sent_again, Refusal)
    never_stopped.take([never_stopped.bodies.rows_of(row, True, None, 9)])
    assert_equal(desk, never_stopped)


def refuse(*_: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class HalfFull:
    """A file that takes half of what is written."""

    def __init__(self, file: Any) -> None:
        self.close, self.fileno = file.close, file.fileno
        self._file = file

    def write(self, data: bytes) -> None:
        self._file.write(data[: len(data) // 2])
        self._file.flush()
        refuse()


def test_a_service_that_could_not_save_its_first_state_starts_when_there_is_room(
    model: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: list[Journal]
) -> None:
    """The disk was full when it was started first: it asks for a state file that there never was, for ever."""
    path = tmp_path / "lanes.npz"
    with monkeypatch.context() as full:
        full.setattr("pipeline.service.keeper.save_state", refuse)
        with pytest.raises(OSError, match="No space"):
            restored(model, path)
    opened[-1].close()  # its process has ended
    assert len(list(tmp_path.iterdir())) == 2  # journals without rows
    desk, _ = restored(model, path)
    take(desk, DAYS[0])
    die(desk)
    path.unlink()
    with pytest.raises(UserError, match="belongs to a state file that is not there"):
        restored(model, path)


def test_rows_go_on_in_the_old_journal_where_no_new_one_can_be_made(
    model: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk at the moment of a save leaves a service that fails every row after it."""
    desk, keeper = restored(model, tmp_path / "lanes.npz")
    with monkeypatch.context() as full:
        full.setattr("pipeline.service.journal._begin", refuse)
        with pytest.raises(OSError, match="No space"):
            keeper.save(desk)
    take(desk, DAYS[0])
    die(desk)
    again, _ = restored(model, tmp_path / "lanes.npz")
    assert again.book.consumed == desk.book.consumed


def test_two_saves_at_the_same_time_keep_the_newer_rows(
    model: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow save ends after a later one: the file holds the older lanes, and the journals between are gone."""
    desk, keeper = restored(model, tmp_path / "lanes.npz")
    batcher, durations = Batcher(desk, durable=False), iter([0.3, 0.0])

    def save_slowly(*arguments: Any) -> None:
        time.sleep(next(durations))
        save_state(*arguments)

    async def save_twice() -> None:
        take(desk, DAYS[0])
        first = asyncio.create_task(keeper.save_beside(batcher))
        await asyncio.sleep(0.05)
        take(desk, DAYS[1])
        await asyncio.gather(first, keeper.save_beside(batcher))

    with monkeypatch.context() as patch:
        patch.setattr("pipeline.service.keeper.save_state", save_slowly)
        asyncio.run(save_twice())
    die(desk)
    again, _ = restored(model, tmp_path / "lanes.npz")
    assert_equal(again, desk)


def test_the_lanes_of_a_running_service_are_not_taken(model: ServedModel, tmp_path: Path) -> None:
    """Two services with one state file overwrite each other's lanes, and nobody is told."""
    restored(model, tmp_path / "lanes.npz")
    with pytest.raises(UserError, match="is that of a service which is running; stop it, or choose another file"):
        restored(model, tmp_path / "lanes.npz")


def test_a_line_that_was_being_written_is_left_out(model: ServedModel, tmp_path: Path) -> None:
    """After a kill in the middle of a write the service does not start, or reads half a row."""
    path = tmp_path / "lanes.npz"
    desk, _ = restored(model, path)
    take(desk, DAYS[0])
    die(desk)
    (journal,) = tmp_path.glob("*.journal-*")
    whole = journal.read_bytes()
    journal.write_bytes(whole + whole[:-9])
    again, _ = restored(model, path)
    assert_equal(again, desk)


def test_damaged_files_are_refused_with_what_to_do(model: ServedModel, tmp_path: Path, make_served: MakeServed) -> None:
    """A service starts with lanes that forget rows, or with those of another model, and nobody is told."""
    path = tmp_path / "lanes.npz"
    desk, _ = restored(model, path)
    take(desk, DAYS[0])
    die(desk)
    (journal,) = tmp_path.glob("*.journal-*")
    whole = journal.read_bytes()
    for damage in (b"[1]\n", b"{}\n", b'[["x","2020-02-10",[null]]]\n', b"\xff\n"):
        journal.write_bytes(damage + whole)
        with pytest.raises(
            UserError, match=r"line 1 of .*journal-.* is none of a journal .*; remove the state file and"
        ):
            restored(model, path)
    journal.write_bytes(whole)
    with pytest.raises(UserError, match="belongs to another model"):
        restored(make_served(stateful=True, seed=6), path)
    shutil.copy(path, tmp_path / "kept")
    path.unlink()
    with pytest.raises(UserError, match=r"belongs to a state file that is not there; put state=.* back, or remove"):
        restored(model, path)


def test_the_state_file_of_a_stream_and_of_a_service_are_one_kind(model: ServedModel, tmp_path: Path) -> None:
    """Who moves from pipeline.stream to pipeline.serve, or back, must send everything again."""
    stream = Stream(model, True, pytest.fail)
    list(stream.answer(["lane,day,a", f"x,{DAYS[0]},4"]))
    stream.book.save(tmp_path / "streamed")
    desk, keeper = restored(model, tmp_path / "streamed")
    assert desk.book.consumed["x"] == 1
    take(desk, DAYS[1])
    keeper.save(desk)
    later = Stream(model, True, pytest.fail)
    later.book.resume(tmp_path / "streamed")
    assert later.book.consumed == desk.book.consumed
