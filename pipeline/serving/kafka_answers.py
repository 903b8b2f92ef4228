"""Answers in a topic of Kafka, each once, whenever the process dies.

They are written in transactions, and each says in a header which message it answers. Whoever takes over opens the
producer of the same name: from then on Kafka refuses what a dead or lost one had under way, and ends its transaction.
Then what was answered is read from the topic, behind the offsets that the state file knows, and is not written again.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from pipeline.base.broker_address import Address
from pipeline.base.errors import UserError
from pipeline.serving.broker import Answer, Tell, ask_patiently
from pipeline.serving.kafka_client import Kafka, LostError
from pipeline.serving.kafka_topic import Offsets, Topic, name_message, split_name

HEADER = "answers"  # TOPIC/PARTITION:OFFSET of a message
_SECONDS_TO_WRITE = 30.0


class AnswersTopic:
    """A topic that gets the answers to the messages of another.

    Args:
        address: Where it is.
        source: The topic of the messages.
        tell: Told when the broker goes away.

    Attributes:
        written: Of each partition the offset behind which no answer is that this process does not know.
        found: Of each lane and partition of the source, the offset of the last message that was answered before.

    Raises:
        UserError: If it cannot be used.
    """

    def __init__(self, address: Address, source: str, tell: Tell) -> None:
        self._address, self._source, self._tell = address, source, tell
        self._topic = Topic(address, tell)
        self.written: Offsets = {}
        self.found: dict[tuple[str, int], int] = {}
        self._delivered: Offsets = {}
        self._producer: Kafka | None = None  # None: it is not known what became of its last answers

    def start(self, written: Offsets) -> None:
        """Take over from whoever wrote last.

        Args:
            written: Of each partition the offset from which answers are read; without one, from the first.

        Raises:
            UserError: If something else is there.
        """
        self.written = dict(written)
        self._patiently(self._take_over)

    def write(self, answers: Sequence[Answer]) -> None:
        """Write answers that are not there yet, all of them or none.

        Raises:
            PipelineError: If the broker is away too long, or somebody else writes there.
        """
        self._patiently(lambda: self._try_to_write(answers))

    def _try_to_write(self, answers: Sequence[Answer]) -> None:
        if self._producer is None:
            self._take_over()
        producer, self._producer = self._producer, None
        assert producer is not None
        new = [each for each in answers if not self._is_there(*each)] if self.found else answers
        if new:
            self._delivered = {}
            with producer.lost():
                producer.handle.begin_transaction()
                for id, cells in new:
                    self._send(producer, id, cells)
                producer.handle.commit_transaction(_SECONDS_TO_WRITE)
            self.written |= self._delivered
        self._producer = producer

    def _send(self, producer: Kafka, id: str, cells: Mapping[str, str | float]) -> None:
        members = {name: None if _is_no_number(cell) else cell for name, cell in cells.items()}
        producer.handle.produce(
            self._address.stream,
            json.dumps(members, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode(),
            key=str(cells["lane"]).encode(),
            headers={HEADER: f"{self._source}/{id}".encode()},
            on_delivery=self._note_delivery,
        )

    def _note_delivery(self, error: Any, message: Any) -> None:
        if error is None:  # else the transaction fails
            self._delivered[message.partition()] = message.offset() + 1

    def _take_over(self) -> None:
        """Open the producer and read what was answered."""
        settings = {
            "transactional.id": f"lstm-pipeline/{self._source}/{self._address.stream}",
            "partitioner": "murmur2_random",  # that of Kafka's own clients, so a lane is where they look for it
        }
        producer = Kafka("Producer", self._address, settings)
        with producer.lost():
            producer.handle.init_transactions(_SECONDS_TO_WRITE)
        first: Offsets = {}
        for partition, (low, high) in self._topic.bounds().items():
            known = self.written.get(partition, low)
            first[partition] = known if low <= known <= high else low  # else it was cut, or made anew
        self._topic.go_to(first)
        for message in self._topic.read_to_end():
            self._note_answer(message)
        self.written = dict(self._topic.next)
        self._topic.go_to({})  # what is written from now on is not read
        self._producer = producer

    def _note_answer(self, message: Any) -> None:
        try:
            topic, _, id = dict(message.headers() or ())[HEADER].decode().rpartition("/")
            partition, offset = split_name(id)
            lane = message.key().decode()
        except (KeyError, ValueError, AttributeError):
            topic = ""
        if topic != self._source:
            raise UserError(
                f"output={self._address.shown} has the message {name_message(message)}, which answers none of the "
                f"topic '{self._source}'; choose a topic of its own"
            )
        self.found[lane, partition] = offset

    def _is_there(self, id: str, cells: Mapping[str, str | float]) -> bool:
        partition, offset = split_name(id)
        return self.found.get((str(cells["lane"]), partition), -1) >= offset

    def _patiently(self, ask: Callable[[], None]) -> None:
        ask_patiently(ask, (LostError,), self._address.shown, self._tell)


def _is_no_number(cell: str | float) -> bool:
    return isinstance(cell, float) and not math.isfinite(cell)
