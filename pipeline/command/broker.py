"""Rows of a broker answered into a broker, or as lines: each answer once, whenever the process dies."""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.base.broker_address import Address, read_address
from pipeline.base.errors import UserError
from pipeline.base.interrupt import check_interrupt, wait_for_safe_point
from pipeline.base.terminal import say
from pipeline.command.kept_state import KeptState
from pipeline.data.arrays import FloatArray
from pipeline.serving.answer_lines import write_answer, write_cells
from pipeline.serving.broker import Answer, Broker
from pipeline.serving.entries import Entries
from pipeline.serving.lane_book import LaneBook
from pipeline.serving.rows import Row

Answers = Iterable[tuple[str, Row, FloatArray]]


def open_broker(source: str, sink: str | None) -> Broker:
    """Return the streams that the keys `input` and `output` name; without an output nothing may be written.

    Raises:
        UserError: If one of them cannot be used, or they do not belong together.
    """
    rows = read_address("input", source)
    forecasts = None if sink is None else read_address("output", sink)
    if forecasts is not None:
        _check_pair(rows, forecasts)
    if rows.is_kafka:
        from pipeline.serving.kafka_broker import KafkaBroker

        return KafkaBroker(rows, forecasts, say)
    from pipeline.serving.redis_broker import RedisBroker

    return RedisBroker(rows, forecasts, say)


def _check_pair(rows: Address, forecasts: Address) -> None:
    if rows.is_kafka != forecasts.is_kafka:
        raise UserError(
            f"input={rows.shown} and output={forecasts.shown} are of two brokers, which share no ids; choose one"
        )
    if (rows.server, rows.stream) == (forecasts.server, forecasts.stream):
        raise UserError(f"output={forecasts.shown} is the input; choose another stream")


def answer_all(broker: Broker, entries: Entries, state: Path | None, follow: bool, ends_on_drift: bool = False) -> None:
    """Answer entry after entry, from where the state file is.

    What is saved as consumed has been answered, in one file with the place in the stream. What was answered and not
    saved when the process died is answered again, to the same numbers; the broker has these answers already.

    Args:
        broker: The streams; answers are printed where it takes none.
        entries: Reads them.
        state: The file; None: none.
        follow: Whether to wait for entries to come.
        ends_on_drift: Whether to end when the forecasts of a lane have become worse.
    """
    book, kept = entries.book, KeptState(entries.book, state)
    broker.start(kept.resume())
    after = saved = broker.position
    if not broker.takes_answers:
        print(write_cells(_names(book)), end="", flush=True)
    all_answered = True
    try:
        while (some := broker.read(waits=follow)) or follow:
            all_answered = False
            with wait_for_safe_point():
                answers = entries.answer(some)
                if broker.takes_answers:
                    broker.write(list(_as_cells(answers, book)))
                else:
                    _print_lines(answers, book)
                after = broker.position  # an interrupt inside `read` leaves it as it was
                all_answered = True  # inside: an interrupt that waited ends the block
            check_interrupt()
            if ends_on_drift and book.alarms:
                break
            if after != saved and kept.save_sometimes(after):  # not while nothing comes
                saved = after
    finally:
        if all_answered:
            with wait_for_safe_point():
                kept.save(after)


def _print_lines(answers: Answers, book: LaneBook) -> None:
    sys.stdout.write("".join(write_answer(row, each, book.note_of(row.lane)) for _, row, each in answers))
    sys.stdout.flush()


def _names(book: LaneBook) -> list[str]:
    return ["lane", "timestamp", *book.output_names(), *([] if book.note_of("") is None else ["note"])]


def _as_cells(answers: Answers, book: LaneBook) -> Iterator[Answer]:
    """Yield answers as cells with names, each with its id."""
    names = _names(book)
    for id, row, numbers in answers:
        note = book.note_of(row.lane)
        cells = [row.lane, row.timestamp, *numbers.tolist(), *([] if note is None else [note])]
        yield id, dict(zip(names, cells, strict=True))
