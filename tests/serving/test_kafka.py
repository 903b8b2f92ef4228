"""Rows from a topic of Kafka, answers into another: each once, whenever the process dies."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.broker_address import read_address
from pipeline.base.errors import PipelineError, UserError
from pipeline.command.broker import answer_all, open_broker
from pipeline.command.kept_state import KeptState
from pipeline.serving import broker, kafka_topic
from pipeline.serving.entries import Entries
from pipeline.serving.kafka_answers import AnswersTopic
from pipeline.serving.kafka_client import Kafka, LostError
from pipeline.serving.kafka_topic import Topic
from pipeline.serving.model import ServedModel
from pipeline.serving.stream import Stream
from tests.kafka_server import BROKERS, KafkaServer, read_answers, run_kafka

MakeServed = Callable[..., ServedModel]
Rows = Sequence[tuple[str, Any]]
DAYS = [f"{day:%Y-%m-%d}" for day in pd.date_range("2020-02-10", periods=20)]
ROWS = [
    (lane, {"lane": lane, "day": day, "a": 1.5 + (place * 7) % 8, "of no interest": "é"})
    for place, day in enumerate(DAYS)
    for lane in ("x", "y")
]


@pytest.fixture(scope="module", params=BROKERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with run_kafka(request.param, tmp_path_factory.mktemp("kafka")) as running:
        yield running


@pytest.fixture(scope="module")
def model(make_served: MakeServed) -> ServedModel:
    return make_served(stateful=True, lanes=("x", "y"))


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker, "_SECONDS_BETWEEN_TRIES", 0.01)
    monkeypatch.setitem(kafka_topic._SETTINGS, "fetch.wait.max.ms", 10)


def answer(server: KafkaServer, rows: str, out: str | None, model: ServedModel, state: Path | None = None) -> list[str]:
    """Run the command until nothing is left, and return what it complained of."""
    said: list[str] = []
    streams = open_broker(server.url(rows), None if out is None else server.url(out))
    answer_all(streams, Entries(model, False, said.append), state, follow=False)
    return said


def expect(model: ServedModel, rows: Rows) -> Mapping[str, list[dict[str, Any]]]:
    lines = ["lane,day,a", *(f"{row['lane']},{row['day']},{row['a']}" for _, row in rows)]
    found: dict[str, list[dict[str, Any]]] = {}
    for row, numbers in Stream(model, False, pytest.fail).answer(lines):
        forecast = None if np.isnan(numbers[0]) else float(numbers[0])
        found.setdefault(row.lane, []).append(
            {"lane": row.lane, "timestamp": row.timestamp, "forecast": forecast, "note": ""}
        )
    return found


def check(server: KafkaServer, rows: str, out: str, expected: Mapping[str, list[dict[str, Any]]]) -> None:
    """Check that each row has one answer, with its place, in the order of its lane."""
    found = read_answers(server.read(out))
    assert {lane: [each for _, each in answers] for lane, answers in found.items()} == expected
    places: dict[str, list[str]] = {}
    for message in server.read(rows):
        places.setdefault(message.key().decode(), []).append(f"{rows}/{message.partition()}:{message.offset()}")
    assert {lane: [place for place, _ in answers] for lane, answers in found.items()} == places


def test_messages_get_the_answers_of_lines(
    server: KafkaServer, model: ServedModel, capsys: pytest.CaptureFixture[str]
) -> None:
    """A topic is forecast something else than the same rows of a file, or an answer does not say what it answers."""
    rows, out = server.make_topic(), server.make_topic()
    server.send(rows, ROWS)
    assert answer(server, rows, out, model) == []
    check(server, rows, out, expect(model, ROWS))
    assert any(each["forecast"] for each in expect(model, ROWS)["x"])
    answer(server, rows, None, model)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "lane,timestamp,forecast,note" and len(lines) == 1 + len(ROWS)


def test_a_message_that_is_no_row_is_told_and_skipped(server: KafkaServer, model: ServedModel) -> None:
    """One bad message ends the stream, gets an answer, or touches a lane."""
    rows, out = server.make_topic(), server.make_topic()
    day = DAYS[1]
    bad = [
        {"lane": "x", "day": DAYS[0], "a": 1},
        {"lane": "x", "day": day, "a": "many"},
        {"lane": "x", "day": day},
        {"lane": "x", "day": day, "a": [1]},
        [1],
        None,
        b"\xff",
        b'{"lane": "x", "day": "1", "a": NaN}',
        b'{"lane": "\\ud800", "day": "1", "a": 1}',
    ]
    good = ROWS[:6:2]
    server.send(rows, [good[0], *(("x", row) for row in bad), *good[1:]], partition=0)
    assert answer(server, rows, out, model) == [
        f"entry 0:1 (lane x, {DAYS[0]}) repeats a timestamp: skipped",
        "entry 0:2 has 'many' in the column 'a', which is not a number: skipped",
        "entry 0:3 cannot be used: the rows need the column(s) a, but their header is: lane,day: skipped",
        "entry 0:4 has [1] in the column 'a', which is no text or number: skipped",
        "entry 0:5 is [1], where an object with the columns is required: skipped",
        "entry 0:6 is empty, where a JSON object with the columns is required: skipped",
        "entry 0:7 is no JSON: 'utf-8' codec can't decode byte 0xff in position 0: inval...: skipped",
        "entry 0:8 is no JSON: NaN is no number of JSON: skipped",
        "entry 0:9 has half a character, which no answer can hold: skipped",
    ]
    found = read_answers(server.read(out))["x"]
    assert [place for place, _ in found] == [f"{rows}/0:{offset}" for offset in (0, 10, 11)]
    assert [each for _, each in found] == expect(model, good)["x"]


@pytest.mark.thorough
def test_whenever_it_dies_each_row_has_one_answer(
    server: KafkaServer, model: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kill between an answer and the state file doubles forecasts; or one after it loses them."""
    monkeypatch.setattr(kafka_topic, "_AT_ONCE", 7)
    monkeypatch.setattr("pipeline.command.kept_state._SECONDS_BETWEEN_SAVES", -1.0)
    rows, out = server.make_topic(), server.make_topic()
    save, died = KeptState.save, []

    def save_or_die(kept: KeptState, position: str = "") -> None:
        if len(died) < 4:  # what is written is in Kafka, what is read is in no file
            died.append(position)
            raise KeyboardInterrupt
        save(kept, position)

    sent = 0
    for count in (9, 1, 0, 14, 16):
        server.send(rows, ROWS[sent : sent + count])
        sent += count
        monkeypatch.setattr(KeptState, "save", save_or_die)
        died.clear()
        with pytest.raises(KeyboardInterrupt):
            answer(server, rows, out, model, tmp_path / "state")
        monkeypatch.setattr(KeptState, "save", save)
        answer(server, rows, out, model, tmp_path / "state")
    assert sent == len(ROWS)
    check(server, rows, out, expect(model, ROWS))
    (tmp_path / "state").unlink()
    answer(server, rows, out, model, tmp_path / "state")  # everything is computed again, and is there
    check(server, rows, out, expect(model, ROWS))


class Losing:
    """A producer whose broker commits, and goes away before it says so."""

    def __init__(self, client: Any, library: Any) -> None:
        self._client, self._library = client, library

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def commit_transaction(self, seconds: float) -> None:
        self._client.commit_transaction(seconds)
        raise self._library.KafkaException(self._library.KafkaError(self._library.KafkaError._TIMED_OUT))


def test_answers_whose_fate_is_unknown_are_there_once(server: KafkaServer) -> None:
    """A broker that goes away while answers are written has them twice, or never."""
    out, said = server.make_topic(), []
    sink = AnswersTopic(read_address("output", server.url(out)), "rows", said.append)
    sink.start({})
    answers = [(f"0:{place}", {"lane": "x", "n": float(place)}) for place in range(12)]
    sink.write(answers[:3])
    assert sink._producer is not None
    sink._producer.handle = Losing(sink._producer.handle, sink._producer.library)
    sink.write(answers[3:8])
    sink.write(answers[8:])
    found = read_answers(server.read(out))["x"]
    assert found == [(f"rows/{id}", {"lane": "x", "n": cells["n"]}) for id, cells in answers]
    assert said == [f"{server.url(out)} does not answer (Local: Timed out); it is asked again every second"]


def test_a_second_writer_ends_the_first(server: KafkaServer) -> None:
    """Two streams write into one topic, and each row has two answers."""
    if server.is_mock:
        pytest.skip("librdkafka's mock lets both write")
    out = server.make_topic()
    first, second = (
        AnswersTopic(read_address("output", server.url(out)), "rows", pytest.fail) for _ in range(2)
    )  # fmt: skip
    first.start({})
    first.write([("0:0", {"lane": "x"})])
    second.start({})
    with pytest.raises(PipelineError, match="takes no answers any more: someone else writes there"):
        first.write([("0:1", {"lane": "x"})])
    second.write([("0:1", {"lane": "x"})])
    assert [place for place, _ in read_answers(server.read(out))["x"]] == ["rows/0:0", "rows/0:1"]


def test_topics_that_do_not_belong_together_are_refused(
    server: KafkaServer, model: ServedModel, tmp_path: Path
) -> None:
    """Answers are taken for written because another topic's are there, or rows are skipped that nobody read."""
    rows, other, out, state = server.make_topic(), server.make_topic(), server.make_topic(), tmp_path / "state"
    server.send(rows, ROWS[:4], partition=0)
    server.send(other, ROWS[:2], partition=0)
    with pytest.raises(UserError, match="is the input; choose another stream"):
        open_broker(server.url(rows), server.url(rows))
    answer(server, rows, out, model, state)
    with pytest.raises(UserError, match=f"the state file goes on in the topic '{rows}', not in input=.*{other}; give"):
        answer(server, other, None, model, state)
    with pytest.raises(UserError, match=f"has the message .*, which answers none of the topic '{other}'; choose"):
        answer(server, other, out, model)
    with pytest.raises(UserError, match=f"has the message 0:0, which answers none of the topic '{rows}'; choose"):
        answer(server, rows, other, model)
    for position, complaint in {
        "x": "which is no place in a topic; give another state file",
        '["rows", "1-0"]': "which is no place in a topic",
        '{"topic": "a", "next": {"b": 1}}': "which is no place in a topic",
        json.dumps({"topic": rows, "next": {"0": 5}}): "was made anew: it ends before 0:5 of the state file; give",
        json.dumps({"topic": rows, "next": {"77": 0}}): "was made anew: it ends before 77:0",
    }.items():
        Entries(model, False, pytest.fail).book.save(state, position)
        with pytest.raises(UserError, match=complaint):
            answer(server, rows, out, model, state)
    again = AnswersTopic(read_address("output", server.url(out)), rows, pytest.fail)
    again.start({})
    again.write([("0:4", {"lane": "x"})])
    with pytest.raises(UserError, match=f"has an answer to 0:4, which input=.*{rows} does not have; choose a topic of"):
        answer(server, rows, out, model)


def test_what_was_removed_is_told(server: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic that was cut while nobody read goes on as if no row were missing, or does not go on."""
    rows, said = server.make_topic(), []
    server.send(rows, ROWS[:4], partition=0)
    streams = open_broker(server.url(rows), None)
    monkeypatch.setattr(Topic, "bounds", lambda topic: {0: (3, 4)})
    monkeypatch.setattr(streams, "_tell", said.append)
    streams.start(json.dumps({"topic": rows, "next": {"0": 1}}))
    assert [each.id for each in streams.read(waits=True)] == ["0:3"]
    assert said == [
        f"input={server.url(rows)}: what was removed between 0:1, where the state file is, and 0:3 is missing"
    ]


def test_partitions_that_are_added_are_read(server: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A topic gets more partitions, and the rows in them wait until somebody starts the stream again."""
    rows, said = server.make_topic(), []
    topic = Topic(read_address("input", server.url(rows)), said.append)
    server.send(rows, ROWS[:2], partition=0)
    server.send(rows, ROWS[2:3], partition=1)
    topic.go_to({0: 0})  # after they are sent, or the end of an empty partition may be read first
    assert {each.partition() for each in topic.read_to_end()} == {0}
    monkeypatch.setattr(kafka_topic, "_SECONDS_BETWEEN_COUNTS", -1.0)
    assert [each.partition() for each in topic.read_to_end()] == [1]
    assert said == [f"{server.url(rows)}: new partition(s), {len(topic.next) - 1}"]


def test_nothing_is_saved_while_nothing_comes(
    server: KafkaServer, model: ServedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An interrupt that comes while messages are read takes those for answered, or a service saves all night."""
    rows, saved, read, asked = server.make_topic(), [], Topic.read, []
    server.send(rows, ROWS[:4], partition=0)

    def read_until_morning(topic: Topic, waits: bool) -> Any:
        asked.append(waits)
        if len(asked) == 4:
            server.send(rows, ROWS[4:6], partition=0)
            assert len(read(topic, waits=True)) > 0
            raise KeyboardInterrupt
        return read(topic, waits=False)

    monkeypatch.setattr(Topic, "read", read_until_morning)
    monkeypatch.setattr("pipeline.command.kept_state._SECONDS_BETWEEN_SAVES", -1.0)
    monkeypatch.setattr(KeptState, "save", lambda kept, position="": saved.append(json.loads(position)["next"]["0"]))
    with pytest.raises(KeyboardInterrupt):
        answer_all(
            open_broker(server.url(rows), None), Entries(model, False, pytest.fail), tmp_path / "state", follow=True
        )
    assert set(saved) == {4} and len(saved) <= 3  # after the rows, where partitions end, and at the end


def test_a_broker_that_is_not_there_is_told(server: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody learns that the address or the topic is wrong; the stream waits for minutes instead."""
    monkeypatch.setattr(kafka_topic, "SECONDS_TO_ANSWER", 1)
    with pytest.raises(UserError, match=r"127.0.0.1:1/a cannot be used \(.*refused.*\); are broker and topic there\?"):
        open_broker("kafka://127.0.0.1:1/a", None)
    with pytest.raises(UserError, match=r"/none cannot be used \(Broker: Unknown topic.*\); are broker and topic"):
        open_broker(server.url("none"), None)


def test_a_broker_that_stays_away_ends_it(server: KafkaServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream waits for ever for a broker that nobody will start."""
    said: list[str] = []
    topic = Topic(read_address("input", server.url(server.make_topic())), said.append)
    topic.go_to({0: 0})
    topic._kafka.why = "gone"
    assert topic.read(waits=True) == [] and said == []  # it is back
    topic._kafka.why = "gone"
    monkeypatch.setattr(broker, "_SECONDS_OF_PATIENCE", 0.1)

    def refuse(topic: Topic) -> Any:
        raise LostError("gone")

    monkeypatch.setattr(Topic, "_list_partitions", refuse)
    with pytest.raises(PipelineError, match="does not answer for 0 seconds: gone"):
        topic.read(waits=True)
    assert said == [f"{topic.address.shown} does not answer (gone); it is asked again every second"]


SASL = {"SECURITY_PROTOCOL": "sasl_plaintext", "SASL_USERNAME": "me", "SASL_PASSWORD": "s3cret"}
REFUSED = {  # settings, and what is said of them
    r"Unsupported SASL mechanism: NONE.*\); look at LSTM_PIPELINE_KAFKA_SASL_MECHANISM, ": SASL
    | {"SASL_MECHANISM": "NONE"},
    r'No such configuration property: "ssl.none"\); look at LSTM_PIPELINE_KAFKA_SSL_NONE': {"SSL_NONE": "s3cret"},
    r"cannot be used \(.*\); look at .*LSTM_PIPELINE_KAFKA_SSL_KEY_PEM": {
        "SECURITY_PROTOCOL": "ssl",
        "SSL_KEY_PEM": "s3cret",
    },
    "LSTM_PIPELINE_KAFKA_GROUP_ID: only settings of librdkafka that begin with sasl, secu": {"GROUP_ID": "s3cret"},
}


@pytest.mark.parametrize("complaint", REFUSED)
def test_settings_that_are_none_are_told(
    complaint: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A typo in a variable is ignored, or a password ends in a log."""
    for name, value in REFUSED[complaint].items():
        monkeypatch.setenv(f"LSTM_PIPELINE_KAFKA_{name}", value)
    with pytest.raises(UserError, match=complaint) as told:
        open_broker("kafka://127.0.0.1:1/a", None)
    assert "s3cret" not in str(told.value)
    assert capfd.readouterr() == ("", "")


def test_credentials_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that wants a password cannot be used, or a variable changes what makes answers come once."""
    given: dict[str, Any] = {}
    monkeypatch.setattr("confluent_kafka.Producer", given.update)
    for name, value in SASL.items():
        monkeypatch.setenv(f"LSTM_PIPELINE_KAFKA_{name}", value)
    Kafka("Producer", read_address("output", "kafka://a:1,b:2/c"), {"transactional.id": "me"})
    assert given.pop("error_cb") is not None
    assert given == {
        "bootstrap.servers": "a:1,b:2",
        "client.id": "lstm-pipeline",
        "log_level": 0,
        "transactional.id": "me",
        "security.protocol": "sasl_plaintext",
        "sasl.username": "me",
        "sasl.password": "s3cret",
    }


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who did not install the extra gets a traceback."""
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)
    with pytest.raises(UserError, match=r"needs the package confluent-kafka: pip install 'lstm-pipeline\[kafka\]'"):
        open_broker("kafka://127.0.0.1:1/a", None)
