"""A topic of Kafka as it is read, partition by partition.

Nothing is committed to a group, and no group shares partitions out: offsets are in the state file, beside the states of
the lanes.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from pipeline.base.broker_address import Address
from pipeline.base.errors import PipelineError, UserError
from pipeline.serving.broker import Tell, ask_patiently
from pipeline.serving.kafka_client import SECONDS_TO_ANSWER, Kafka, LostError

Offsets = dict[int, int]  # by partition: of the next message

_AT_ONCE = 4000  # messages
_SECONDS_BETWEEN_LOOKS = 1.0  # for an interrupt, while nothing comes
_SECONDS_BETWEEN_COUNTS = 60.0  # of partitions, which may be added
_SETTINGS = {
    "group.id": "lstm-pipeline",  # must have a name
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "fetch.wait.max.ms": 100,  # some brokers tell an end only then
    "auto.offset.reset": "error",
    "isolation.level": "read_committed",
}

Found = TypeVar("Found")


class Topic:
    """One topic, to read from.

    Args:
        address: Where it is.
        tell: Told when the broker goes away.

    Attributes:
        next: Of each partition the offset of the next message.

    Raises:
        UserError: If it cannot be used.
    """

    def __init__(self, address: Address, tell: Tell) -> None:
        self.address, self._tell = address, tell
        self.next: Offsets = {}
        self._ended: set[int] = set()
        self._counted = 0.0
        self._kafka = Kafka("Consumer", address, _SETTINGS)
        self._consumer = self._kafka.handle
        try:
            self._list_partitions()
        except LostError as error:
            self._consumer.poll(0)  # nothing is read yet: only the reason comes
            why = self._kafka.why or error
            raise UserError(f"{address.shown} cannot be used ({why}); are broker and topic there?") from None

    def bounds(self) -> Mapping[int, tuple[int, int]]:
        """Return of each partition the first offset, and the one after the last."""
        return self._patiently(lambda: {each: self._find_bounds(each) for each in self._list_partitions()})

    def go_to(self, offsets: Offsets) -> None:
        """Read on from there, of each partition."""
        self.next, self._ended, self._counted = dict(offsets), set(), time.monotonic()
        self._consumer.assign([self._kafka.place(self.address.stream, *place) for place in offsets.items()])

    def read(self, waits: bool) -> list[Any]:
        """Return the next messages, a few thousand at once.

        Args:
            waits: Whether to wait a second for one, where there is none; else there is none where every partition ends.

        Raises:
            PipelineError: If the broker is away too long, or messages are gone.
        """
        while True:
            self._add_partitions()
            at_end = len(self._ended) == len(self.next)
            found = list(self._take(0 if at_end and not waits else _SECONDS_BETWEEN_LOOKS))
            if found or waits or at_end:
                return found

    def read_to_end(self) -> Iterator[Any]:
        """Yield every message up to the end of every partition."""
        while found := self.read(waits=False):
            yield from found

    def _take(self, seconds: float) -> Iterator[Any]:
        first = self._consumer.poll(seconds)
        if first is None:
            if self._kafka.why:
                self._patiently(self._list_partitions)
                self._kafka.why = ""
            return
        codes = self._kafka.library.KafkaError
        for message in (first, *self._consumer.consume(_AT_ONCE - 1, 0)):
            error, partition = message.error(), message.partition()
            if error is None:
                self.next[partition] = message.offset() + 1
                self._ended.discard(partition)
                yield message
            elif error.code() == codes._PARTITION_EOF:
                self.next[partition] = message.offset()  # behind what is no message: the marks of transactions
                self._ended.add(partition)
            else:
                removed = error.code() == codes._AUTO_OFFSET_RESET
                how = "lost messages before they were read; start again" if removed else "cannot be read"
                raise PipelineError(f"{self.address.shown}: partition {partition} {how} ({error.str()})")

    def _add_partitions(self) -> None:
        if time.monotonic() < self._counted + _SECONDS_BETWEEN_COUNTS:
            return
        self._counted = time.monotonic()
        added = [each for each in self._patiently(self._list_partitions) if each not in self.next]
        if added:
            self._tell(f"{self.address.shown}: new partition(s), {len(added)}")
            self.next |= dict.fromkeys(added, 0)
            self._consumer.incremental_assign([self._kafka.place(self.address.stream, each) for each in added])

    def _list_partitions(self) -> list[int]:
        with self._kafka.lost():
            topics = self._consumer.list_topics(self.address.stream, timeout=SECONDS_TO_ANSWER).topics
        topic = topics[self.address.stream]
        if topic.error is not None:
            raise LostError(topic.error.str())
        return sorted(topic.partitions)

    def _find_bounds(self, partition: int) -> tuple[int, int]:
        place = self._kafka.place(self.address.stream, partition)
        with self._kafka.lost():
            found = self._consumer.get_watermark_offsets(place, timeout=SECONDS_TO_ANSWER)
        if found is None:
            raise LostError(self._kafka.why or f"partition {partition} has no offsets")
        return int(found[0]), int(found[1])

    def _patiently(self, ask: Callable[[], Found]) -> Found:
        return ask_patiently(ask, (LostError,), self.address.shown, self._tell)


def name_message(message: Any) -> str:
    """Return PARTITION:OFFSET."""
    return f"{message.partition()}:{message.offset()}"


def split_name(name: str) -> tuple[int, int]:
    """Return partition and offset of such a name.

    Example:
        >>> split_name("3:14")
        (3, 14)
    """
    partition, _, offset = name.partition(":")
    return int(partition), int(offset)
