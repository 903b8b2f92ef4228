"""Rows from a stream of a real Redis server, answers into another: each once, whenever the process dies."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import redis

from pipeline.base.broker_address import read_address
from pipeline.base.errors import PipelineError, UserError
from pipeline.command.broker import answer_all, open_broker
from pipeline.command.kept_state import KeptState
from pipeline.serving import broker, redis_streams
from pipeline.serving.answer_lines import write_number
from pipeline.serving.entries import Entries
from pipeline.serving.model import ServedModel
from pipeline.serving.redis_streams import RedisStream
from pipeline.serving.stream import Stream
from tests.redis_server import address_of, run_redis

MakeServed = Callable[..., ServedModel]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-10", periods=20)]
ROWS = [(lane, day, f"{1 + (place * 7) % 8}.5") for place, day in enumerate(DAYS) for lane in ("x", "y")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with run_redis(tmp_path_factory.mktemp("redis")) as client:
        yield client


@pytest.fixture
def client(server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(broker, "_SECONDS_BETWEEN_TRIES", 0.01)
    server.flushall()
    return server


@pytest.fixture(scope="module")
def model(make_served: MakeServed) -> ServedModel:
    return make_served(stateful=True, lanes=("x", "y"))


def send(client: Any, rows: Sequence[tuple[str, str, str]], first: int = 1) -> list[str]:
    ids = [f"{first + place}-0" for place in range(len(rows))]
    for id, (lane, day, value) in zip(ids, rows, strict=True):
        client.xadd("rows", {"lane": lane, "day": day, "a": value, "of no interest": "é"}, id=id)
    return ids


def answer(client: Any, model: ServedModel, state: Path | None = None, warm: bool = False) -> list[str]:
    """Run the command until nothing is left, and return what it complained of."""
    said: list[str] = []
    streams = open_broker(address_of(client, "rows"), address_of(client, "out"))
    answer_all(streams, Entries(model, warm, said.append), state, follow=False)
    return said


def answers_of(client: Any) -> list[tuple[str, dict[str, str]]]:
    return [
        (id.decode(), {name.decode(): cell.decode() for name, cell in cells.items()})
        for id, cells in client.xrange("out")
    ]


def expect(model: ServedModel, rows: Sequence[tuple[str, str, str]]) -> list[dict[str, str]]:
    stream = Stream(model, False, pytest.fail)
    lines = ["lane,day,a", *(",".join(row) for row in rows)]
    return [
        {"lane": row.lane, "timestamp": row.timestamp, "forecast": write_number(float(numbers[0])), "note": ""}
        for row, numbers in stream.answer(lines)
    ]


def test_entries_get_the_answers_of_lines(client: Any, model: ServedModel, capsys: pytest.CaptureFixture[str]) -> None:
    """A stream of Redis is forecast something else than the same rows of a file, or an answer has not its row's id."""
    ids = send(client, ROWS)
    assert answer(client, model) == []
    assert answers_of(client) == list(zip(ids, expect(model, ROWS), strict=True))
    assert any(cells["forecast"] for _, cells in answers_of(client))
    answer_all(open_broker(address_of(client, "rows"), None), Entries(model, False, pytest.fail), None, follow=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["lane,timestamp,forecast,note", *(",".join(cells.values()) for _, cells in answers_of(client))]


def test_an_entry_that_is_no_row_is_told_and_skipped(client: Any, model: ServedModel) -> None:
    """One bad entry ends the stream, gets an answer, or shifts the ids of the answers after it."""
    send(client, ROWS[:2])
    client.xadd("rows", {"lane": "x", "day": DAYS[0], "a": "1"}, id="3-0")
    client.xadd("rows", {"lane": "x", "day": DAYS[1], "a": "many"}, id="4-0")
    client.xadd("rows", {"lane": "x", "day": DAYS[1]}, id="5-0")
    client.xadd("rows", {"lane": "x", "day": DAYS[1], "a": b"\xff"}, id="6-0")
    send(client, ROWS[2:4], first=7)
    assert answer(client, model) == [
        f"entry 3-0 (lane x, {DAYS[0]}) repeats a timestamp: skipped",
        "entry 4-0 has 'many' in the column 'a', which is not a number: skipped",
        "entry 5-0 cannot be used: the rows need the column(s) a, but their header is: lane,day: skipped",
        "entry 6-0 cannot be read as utf-8: skipped",
    ]
    assert [id for id, _ in answers_of(client)] == ["1-0", "2-0", "7-0", "8-0"]
    assert [cells for _, cells in answers_of(client)] == expect(model, ROWS[:4])


@pytest.mark.parametrize("numbered", [False, True])
def test_whenever_it_dies_each_row_has_one_answer(
    client: Any, model: ServedModel, make_served: MakeServed, tmp_path: Path, numbered: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """A kill between an answer and the state file doubles forecasts; or one after it loses them."""
    if numbered:
        config = replace(model.config, dataset=replace(model.config.dataset, time_column=None))
        model = replace(model, config=config)
    monkeypatch.setattr(redis_streams, "_AT_ONCE", 7)
    save, died = KeptState.save, []

    def save_or_die(kept: KeptState, position: str = "") -> None:
        if len(died) < 4:  # what is written is in Redis, what is read is in no file
            died.append(position)
            raise KeyboardInterrupt
        save(kept, position)

    monkeypatch.setattr("pipeline.command.kept_state._SECONDS_BETWEEN_SAVES", -1.0)
    ids, sent = [], 0
    for count in (9, 1, 0, 14, 16, 0):
        ids += send(client, ROWS[sent : sent + count], first=1 + sent)
        sent += count
        monkeypatch.setattr(KeptState, "save", save_or_die)
        died.clear()
        with pytest.raises(KeyboardInterrupt):
            answer(client, model, tmp_path / "state")
        monkeypatch.setattr(KeptState, "save", save)
        answer(client, model, tmp_path / "state")
    found = answers_of(client)
    assert [id for id, _ in found] == ids and sent == len(ROWS)
    assert [cells["forecast"] for _, cells in found] == [each["forecast"] for each in expect(model, ROWS)]


def test_a_connection_that_is_lost_loses_and_doubles_nothing(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A restart of the server ends the stream, or answers that it had kept end it as if others had written them."""
    ids, said = send(client, ROWS), []
    sink = RedisStream(read_address("output", address_of(client, "out")), said.append)
    execute = redis.client.Pipeline.execute

    def lose(pipeline: Any) -> Any:
        monkeypatch.setattr(redis.client.Pipeline, "execute", execute)
        pipeline.execute()
        raise redis.ConnectionError("gone")  # written, and nobody was told

    entries = [(id, {"n": str(place)}) for place, id in enumerate(ids)]
    newest = sink.write(entries[:5], sink.newest())
    monkeypatch.setattr(redis.client.Pipeline, "execute", lose)
    newest = sink.write(entries[5:9], newest)
    client.client_kill_filter(_type="normal", skipme=True)
    newest = sink.write(entries[9:12], newest)
    assert (newest, [cells["n"] for _, cells in answers_of(client)]) == (ids[11], [str(place) for place in range(12)])
    assert said[0] == f"{address_of(client, 'out')} does not answer (gone); it is asked again every second"
    source = RedisStream(read_address("input", address_of(client, "rows")), said.append)
    client.client_kill_filter(_type="normal", skipme=True)
    assert [each.id for each in source.read("3-0", waits=True)] == ids[3:]


def test_a_server_that_stays_away_ends_it(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream waits for ever for a server that nobody will start."""
    source = RedisStream(read_address("input", address_of(client, "rows")), lambda text: None)
    monkeypatch.setattr(broker, "_SECONDS_OF_PATIENCE", 0.1)

    def refuse(*words: Any, **settings: Any) -> Any:
        raise redis.ConnectionError("gone")

    monkeypatch.setattr(redis.Redis, "execute_command", refuse)
    with pytest.raises(PipelineError, match="rows does not answer for 0 seconds: gone"):
        source.newest()


def test_another_writer_is_told(client: Any) -> None:
    """Two streams write into one, and half of the answers of each are missing."""
    sink = RedisStream(read_address("output", address_of(client, "out")), pytest.fail)
    newest = sink.write([("1-0", {"n": "1"})], sink.newest())
    client.xadd("out", {"n": "9"}, id="9-0")
    with pytest.raises(PipelineError, match=r"takes no answers any more \(someone else writes there\)"):
        sink.write([("2-0", {"n": "2"})], newest)


def test_streams_that_do_not_belong_together_are_refused(client: Any, model: ServedModel, tmp_path: Path) -> None:
    """Answers are taken for written because another stream's are there, or rows are skipped that nobody read."""
    send(client, ROWS[:4])
    client.set("text", "x")
    rows, out, text, other = (address_of(client, name) for name in ("rows", "out", "text", "other"))
    with pytest.raises(UserError, match="is the input; choose another stream"):
        open_broker(rows, rows)
    with pytest.raises(UserError, match=r"are of two brokers, which share no ids; choose one"):
        open_broker(rows, "kafka://127.0.0.1:1/out")
    with pytest.raises(UserError, match="'text' is a string of Redis, no stream"):
        open_broker(text, None)
    answer(client, model, tmp_path / "state")
    client.xadd("other", {"lane": "x"}, id="1-0")
    entries = Entries(model, False, pytest.fail)
    with pytest.raises(UserError, match="the state file goes on in the stream 'rows', not in input="):
        answer_all(open_broker(other, None), entries, tmp_path / "state", follow=False)
    with pytest.raises(UserError, match=r"has the entry 4-0, which answers no row of input=.*other"):
        answer_all(open_broker(other, out), entries, None, follow=False)
    client.delete("rows", "out")
    client.xadd("rows", {"lane": "x"}, id="1-0")
    with pytest.raises(UserError, match="was made anew: it ends before 4-0 of the state file"):
        answer(client, model, tmp_path / "state")


def test_a_place_that_is_none_is_refused(client: Any, model: ServedModel, tmp_path: Path) -> None:
    """A damaged state file ends in a traceback, or in rows that are read twice."""
    for position in ("x", "[]", '["rows", 1]', '["rows", "a-b"]', "{}"):
        Entries(model, False, pytest.fail).book.save(tmp_path / "state", position)
        with pytest.raises(UserError, match="which is no place in a stream; give another state file"):
            answer(client, model, tmp_path / "state")


def test_nothing_is_saved_while_nothing_comes(
    client: Any, model: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that waits at night writes its whole state every second."""
    send(client, ROWS[:4])
    read, asked, saved = RedisStream.read, [], []

    def read_until_morning(stream: RedisStream, after: str, waits: bool) -> Any:
        asked.append(after)
        if len(asked) == 6:
            raise KeyboardInterrupt
        return read(stream, after, waits=False)

    monkeypatch.setattr(RedisStream, "read", read_until_morning)
    monkeypatch.setattr("pipeline.command.kept_state._SECONDS_BETWEEN_SAVES", -1.0)
    monkeypatch.setattr(KeptState, "save", lambda kept, position="": saved.append(position))
    streams = open_broker(address_of(client, "rows"), None)
    with pytest.raises(KeyboardInterrupt):
        answer_all(streams, Entries(model, False, pytest.fail), tmp_path / "state", follow=True)
    assert asked == ["0-0", *["4-0"] * 5]
    assert saved == ['["rows", "4-0"]'] * 2  # once after the rows, once at the end


def test_what_was_removed_is_told(
    client: Any, model: ServedModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A stream that was cut while nobody read goes on as if no row were missing, or does not go on."""
    send(client, ROWS[:6])
    answer(client, model, tmp_path / "state")
    ids = send(client, ROWS[6:12], first=7)
    client.xtrim("rows", maxlen=2, approximate=False)
    said = answer(client, model, tmp_path / "state")
    assert "the entry 6-0, where the state file is, was removed since" in capsys.readouterr().err
    missing = " 2 row(s) are missing before it; the state goes on as if they did not exist"
    assert [text.split(":")[1] for text in said] == [missing, missing]
    assert [id for id, _ in answers_of(client)][6:] == ids[-2:]


REFUSED = {
    "amqp://host/a": r"'amqp' is none of redis, rediss, kafka; write redis://HOST:PORT/DATABASE.* or kafka://HOST:PORT/",
    "redis://me:s3cret@host/0?stream=a": r"redis://me:\*\*\*@host/0.*: a password in it .* set LSTM_PIPELINE_REDIS_",
    "redis://host/0": "names no stream; write redis://HOST",
    "redis://host/0?stream=": "names no stream",
    "redis:///0?stream=a": "names no server",
    "redis://host/0?stream=a&group=b": "unknown 'group'; write",
    "kafka://me:s3cret@host:9092/a": r"kafka://me:\*\*\*@host:9092/a: .* set LSTM_PIPELINE_KAFKA_SASL_PASSWORD",
    "kafka://me@host:9092/a": "a user is set by LSTM_PIPELINE_KAFKA_SASL_USERNAME",
    "kafka://host:9092/a?group=b": "an address has nothing but kafka://HOST:PORT/TOPIC",
    "kafka://host:9092": "names no topic; write kafka://HOST:PORT/TOPIC",
    "kafka://host:9092/a/b": "names no topic",
    "kafka:///a": "names no server",
}


@pytest.mark.parametrize("text", REFUSED)
def test_an_address_that_is_none_is_refused(text: str) -> None:
    """A typo reads another stream, or a password ends in a log."""
    with pytest.raises(UserError, match=REFUSED[text]) as told:
        read_address("input", text)
    assert "s3cret" not in str(told.value)


def test_a_server_that_is_not_there_is_told() -> None:
    """Nobody learns that the address is wrong; the stream waits for minutes instead."""
    with pytest.raises(UserError, match=r"cannot be used \(Error 111 .*\); is the server there\?"):
        RedisStream(read_address("input", "redis://127.0.0.1:1/0?stream=a"), pytest.fail)
