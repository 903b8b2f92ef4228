"""Another run takes over: its lanes are where they would be had they read everything themselves."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.service.answered import Refusal
from pipeline.service.desk import Desk
from pipeline.service.keeper import Keeper
from pipeline.service.live import Live
from pipeline.serving.model import ServedModel

MakeServed = Callable[..., ServedModel]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-10", periods=30)]  # the day after the history


def open_desk(model: ServedModel) -> Desk:
    return Desk(model, warm=True, most_lanes=10, say=lambda text: None)


def body(day: int, lanes: str = "xy") -> bytes:
    return b"lane,day,a\n" + "".join(f"{lane},{DAYS[day]},{4 + day / 7}\n" for lane in lanes).encode()


def take(desk: Desk, day: int) -> list[list[float]]:
    (reply,) = desk.take([desk.bodies.rows_of(body(day), True, None, 9)])
    assert not isinstance(reply, Refusal), reply
    return [each.numbers.tolist() for each in reply]


@pytest.fixture
def close() -> Iterator[Callable[[Desk], None]]:
    """Close the journals of desks at the end, as the end of a process does."""
    desks: list[Desk] = []
    yield desks.append
    for desk in desks:
        if desk.journal is not None:
            desk.journal.close()


def test_another_run_takes_over_with_the_rows_that_came(
    make_served: MakeServed, tmp_path: Path, close: Callable[[Desk], None]
) -> None:
    """After a new champion lanes forget what came since its training, or a kill -9 right after it loses rows."""
    old, new = make_served(stateful=True), make_served(stateful=True, seed=6, model={"units": [2]})
    keeper = Keeper(tmp_path / "lanes.npz", pytest.fail)
    live = Live(open_desk(old), "old", keeper, durable=False)
    keeper.restore(live.desk)
    alone = open_desk(new)
    for day in range(5):
        take(live.desk, day)
        take(alone, day)
    successor = open_desk(new)
    assert asyncio.run(live.hand_over("new", successor)) == 10
    close(successor)
    assert (live.run_id, live.desk) == ("new", successor)
    assert take(live.desk, 5) == take(alone, 5)
    assert successor.journal is not None
    successor.journal.close()
    again = open_desk(new)
    keeper.restore(again)
    close(again)
    assert take(again, 5) == take(alone, 5)  # from memory
    assert take(again, 6) == take(alone, 6)


def test_a_service_that_follows_starts_with_the_lanes_of_the_run_before(
    make_served: MakeServed, tmp_path: Path, close: Callable[[Desk], None]
) -> None:
    """While the service was down another run became champion: it does not start, or its lanes begin anew."""
    old, new = make_served(stateful=True), make_served(stateful=True, seed=6)
    keeper, desk, alone = Keeper(tmp_path / "lanes.npz", pytest.fail), open_desk(old), open_desk(new)
    keeper.restore(desk)
    for day in range(4):
        if day == 2:
            keeper.save(desk)
        take(desk, day)
        take(alone, day)
    assert desk.journal is not None
    desk.journal.close()
    with pytest.raises(UserError, match="belongs to another model"):
        keeper.restore(open_desk(new))
    successor = open_desk(new)
    assert keeper.restore(successor, follows=True) == 8
    close(successor)
    assert take(successor, 4) == take(alone, 4)


def test_a_run_of_other_columns_does_not_take_over(make_served: MakeServed, tmp_path: Path) -> None:
    """Rows of the clients are read as something else than they are."""
    live = Live(open_desk(make_served(stateful=True)), "old", None, durable=False)
    other = open_desk(make_served(stateful=True, dataset={"features": ["a", "b"]}))
    with pytest.raises(UserError, match="run new reads other columns; start the service anew to serve it"):
        asyncio.run(live.hand_over("new", other))
    assert live.run_id == "old"


def test_a_store_that_does_not_answer_stops_no_service(make_served: MakeServed) -> None:
    """A service ends, or looks no further, because the server of the runs was restarted."""
    old, new = make_served(stateful=True), make_served(stateful=True, seed=6)
    live, said = Live(open_desk(old), "old", None, durable=False), list[str]()
    found = iter([ConnectionError("refused"), UserError("no champion"), "old", "other", "other", "new"])

    def find() -> Any:
        answer = next(found, "new")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def open_run(run: str) -> Desk:
        return (
            open_desk(new) if run == "new" else open_desk(make_served(stateful=True, dataset={"features": ["b", "a"]}))
        )

    async def until_new() -> None:
        task = asyncio.create_task(live.follow(0.01, find, open_run, said.append))
        while live.run_id != "new":
            await asyncio.sleep(0.01)
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    asyncio.run(asyncio.wait_for(until_new(), 60))
    assert said[:2] == [
        "run old goes on; which run is meant could not be asked: refused", "run old goes on: no champion",
    ]  # fmt: skip
    assert said[2].startswith("run old goes on: run other reads other columns")
    assert len(said) <= 4  # of the one that was refused no further word
