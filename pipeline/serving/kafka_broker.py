"""Rows from one topic of Kafka, answers into another.

rows        0:17  0:18  0:19      partition and offset, where the state file knows of 0:17
forecasts   0:17  0:18            in a header: both rows behind are computed, 0:18 is there and is not written
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.base.broker_address import Address
from pipeline.base.errors import UserError
from pipeline.serving.broker import REMEDY, Answer, Entry, Tell
from pipeline.serving.json_rows import parse_json, read_object
from pipeline.serving.kafka_answers import AnswersTopic
from pipeline.serving.kafka_topic import Offsets, Topic, name_message
from pipeline.serving.rows import RowError, shorten


class KafkaBroker:
    """The topics of one command; see `pipeline.serving.broker.Broker`.

    Args:
        rows: Where rows come from.
        forecasts: Where answers go; None: nowhere.
        tell: Told when a broker goes away, and when messages were removed.

    Raises:
        UserError: If one of them cannot be used.
    """

    def __init__(self, rows: Address, forecasts: Address | None, tell: Tell) -> None:
        self._rows, self._forecasts, self._tell = rows, forecasts, tell
        self._source = Topic(rows, tell)
        self._sink = None if forecasts is None else AnswersTopic(forecasts, rows.stream, tell)

    @property
    def takes_answers(self) -> bool:
        """Whether there is a topic for them."""
        return self._sink is not None

    @property
    def position(self) -> str:
        """The offsets of the next row in each partition, and of the next answer."""
        place: dict[str, Any] = {"topic": self._rows.stream, "next": self._source.next}
        if self._forecasts is not None and self._sink is not None:
            place |= {"answers": self._forecasts.stream, "written": self._sink.written}
        return json.dumps(place)

    def start(self, position: str) -> None:
        """Read on from the position; rows that lanes have read before are known by their timestamps."""
        next, written = self._read_position(position) if position else ({}, {})
        bounds = self._source.bounds()
        if self._forecasts is not None and self._sink is not None:
            self._sink.start(written)
            self._check_answers(self._forecasts, self._sink.found, bounds)
        self._source.go_to(self._find_start(next, bounds))

    def read(self, waits: bool) -> Sequence[Entry]:
        """Return the next messages."""
        return [Entry(name_message(each), _read_cells(each.value())) for each in self._source.read(waits)]

    def write(self, answers: Sequence[Answer]) -> None:
        """Write answers that are not there yet."""
        if self._sink is not None:
            self._sink.write(answers)

    def _read_position(self, position: str) -> tuple[Offsets, Offsets]:
        """Return the offsets of rows and answers that a state file keeps."""
        try:
            place = json.loads(position)
            topic, next = str(place["topic"]), _read_offsets(place["next"])
            known = self._forecasts is not None and place.get("answers") == self._forecasts.stream
            written = _read_offsets(place["written"]) if known else {}
        except (ValueError, TypeError, KeyError, AttributeError):
            raise UserError(
                f"the state file holds '{shorten(position)}', which is no place in a topic; {REMEDY}"
            ) from None
        if topic != self._rows.stream:
            raise UserError(f"the state file goes on in the topic '{topic}', not in input={self._rows.shown}; {REMEDY}")
        return next, written

    def _find_start(self, next: Offsets, bounds: Mapping[int, tuple[int, int]]) -> Offsets:
        """Return where each partition is read on; one that is new from its beginning."""
        shown = f"input={self._rows.shown}"
        for partition, offset in next.items():
            low, high = bounds.get(partition, (0, -1))
            if offset > high:
                raise UserError(
                    f"{shown} was made anew: it ends before {partition}:{offset} of the state file; {REMEDY}"
                )
            if offset < low:
                self._tell(
                    f"{shown}: what was removed between {partition}:{offset}, where the state file is, and "
                    f"{partition}:{low} is missing"
                )
        return {partition: max(low, next.get(partition, low)) for partition, (low, _) in bounds.items()}

    def _check_answers(
        self, forecasts: Address, found: Mapping[tuple[str, int], int], bounds: Mapping[int, tuple[int, int]]
    ) -> None:
        """Check that what the sink has was answered to rows of the source.

        Raises:
            UserError: If not: then answers would be taken for written.
        """
        for (_, partition), offset in found.items():
            if offset >= bounds.get(partition, (0, 0))[1]:
                raise UserError(
                    f"output={forecasts.shown} has an answer to {partition}:{offset}, which input={self._rows.shown} "
                    "does not have; choose a topic of its own"
                )


def _read_offsets(found: Mapping[str, Any]) -> Offsets:
    return {int(partition): int(offset) for partition, offset in found.items()}


def _read_cells(value: bytes | None) -> Mapping[str, str | float] | RowError:
    if value is None:
        return RowError("is empty, where a JSON object with the columns is required")
    try:
        cells = read_object(parse_json(value))
        if b"\\u" in value:
            json.dumps(cells, ensure_ascii=False).encode()
        return cells
    except UnicodeEncodeError:
        return RowError("has half a character, which no answer can hold")
    except (ValueError, RecursionError) as error:
        return RowError(f"is no JSON: {shorten(str(error))}")
    except RowError as error:
        return error
