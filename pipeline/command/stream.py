"""Forecast as data arrive: `python -m pipeline.stream run=best < rows.csv`."""

import io
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.broker_address import KAFKA_ADDRESS, KAFKA_SETTINGS, PASSWORD, REDIS_ADDRESS
from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.interrupt import check_interrupt, listen_for_interrupts, wait_for_safe_point
from pipeline.base.paths import check_state
from pipeline.base.terminal import say
from pipeline.command.arguments import Manual, option, run_entry
from pipeline.command.exits import DONE, DRIFTED
from pipeline.command.served import FUTURE, ServedRun, fetch_model

if TYPE_CHECKING:
    from pipeline.serving.broker import Broker
    from pipeline.serving.rows import RowError
    from pipeline.serving.stream import Stream

_BYTES_AT_ONCE = 1 << 16
_SECONDS_BETWEEN_LOOKS = 0.1  # at a file that may grow


class Start(Enum):
    """What a lane remembers when the stream begins."""

    warm = "warm"
    cold = "cold"


class ExitOn(Enum):
    """What ends the stream, beside the end of its input."""

    nothing = "nothing"
    drift = "drift"


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    start: Start = option(
        Start.warm,
        "warm: the state after the run's history, so the first row is the one after it; cold: lanes have seen nothing.",
    )
    future: Path | None = option(None, FUTURE)
    state: Path | None = option(
        None,
        "A file that keeps every lane's state and how many rows it has consumed. If it exists the stream goes on from "
        "it, whatever start says; it is replaced about once a second and at the end.",
    )
    input: str | None = option(
        None,
        f"What to read instead of the standard input: a CSV file, a stream of a Redis server, {REDIS_ADDRESS}, whose "
        f"entries have a field for each column (extra redis), or a topic of Kafka, {KAFKA_ADDRESS}, whose messages are "
        "JSON objects with the columns (extra kafka).",
        shown="FILE|URL",
    )
    output: str | None = option(
        None,
        "With input=redis://...: the stream of a Redis server that gets the answers, each under the id of its row. "
        "With input=kafka://...: the topic that gets them, each with its lane as the key. Written the same way. "
        "Default: the standard output.",
        shown="URL",
    )
    follow: bool = option(True, "With input: wait for rows that are added to it, until Ctrl-C; false: end with it.")
    exit_on: ExitOn = option(
        ExitOn.nothing,
        f"drift: end with exit code {DRIFTED} when the forecasts of a lane have become worse than they were in "
        "validation and test, after the rows that are there are answered.",
    )


MANUAL = Manual(
    command="python -m pipeline.stream",
    purpose=(
        "Reads rows as they arrive and answers each at once with one row: lane,timestamp,forecast and the ends of its "
        "intervals, low_80,high_80,low_95,high_95; a head with quantiles says these, too: quantile_0.05, ... The "
        "timestamp is that of the row read; the forecast is what comes "
        "`horizon` steps later, in the data's own units. The intervals learn from every row that comes."
    ),
    examples=(
        ("run=best < rows.csv", "the best run by validation RMSE; rows after its history"),
        ("run=latest < rows.csv", "the newest run that finished"),
        ("run=RUN_ID start=cold < all.csv", "from the first row, with a state that has seen nothing"),
        ("run=best input=rows.csv state=s.npz", "a file that grows; stop and start as you like"),
        (
            "run=best input=redis://localhost:6379/0?stream=rows output=redis://localhost:6379/0?stream=forecasts "
            "state=s.npz",
            "streams of Redis; each answer once, after a kill -9 too",
        ),
        (
            "run=best input=kafka://localhost:9092/rows output=kafka://localhost:9092/forecasts state=s.npz",
            "topics of Kafka, likewise",
        ),
    ),
    notes=(
        "Rows are CSV with a header: the columns of the run's dataset, and a column `lane` (or the run's "
        "dataset.lane_column) where there are many series. Each lane has a state of its own, and a lane the run has "
        "not seen begins with the run's history, if that is one series. Rows of a dataset without a time column are "
        "numbered from 0, each lane by itself. They are read in the run's dataset.encoding, as its file was.",
        "With dataset.future=[price] each row also has what is known of the next ones, as many as the run's horizon: "
        "the columns price+1, price+2, ... The history before the first row needs it, too: from the run's own file, or "
        "future=FILE.",
        "A run of many lanes answers with one more column, note: `unknown lane` for a lane it was not trained on, "
        "which is told on stderr, too.",
        "A row that is late, repeated or malformed is told on stderr and skipped; rows that are missing before one "
        "are told, too. No other lane is touched. Without enough rows for a forecast the last cell is empty.",
        "With dataset.time_zone, a local time that comes twice in autumn is first summer's, then winter's, in a lane.",
        "After a stop or a crash start the same command again and send everything again: rows that the state file has "
        "consumed are skipped. Numbered rows cannot be recognised: send them from the row that is told on stderr.",
        "With input=redis://... the state file keeps the place in the stream, too. A password is taken from "
        f"{PASSWORD}.",
        "With input=kafka://... it keeps the offset of every partition. The rows of one lane must lie in one "
        f"partition: send them with the lane as the key. A variable {KAFKA_SETTINGS}X_Y is librdkafka's setting x.y, "
        f"of those that begin with sasl, security or ssl: {KAFKA_SETTINGS}SASL_PASSWORD.",
        "A lane whose forecasts become worse is told on stderr, once per alarm: about one false alarm in 10,000 rows "
        "of a lane. Beside it stand the errors of persistence and the seasonal naive forecast on the same rows.",
        f"Exit code: 0 the input ended, 1 failed, 2 wrong input, {DRIFTED} exit_on=drift and a lane drifts, 130 "
        "Ctrl-C; with a file that is followed Ctrl-C is the usual end, and 0.",
    ),
)


def main() -> None:
    """Run the command line and exit with 0, 1, 2, 3 or 130."""
    prepare_environment()
    listen_for_interrupts()
    sys.exit(run_entry(sys.argv[1:], Arguments, MANUAL, stream_rows))


def stream_rows(arguments: Arguments) -> int:
    """Answer rows until the input ends, or Ctrl-C, or a lane drifts with exit_on=drift.

    Raises:
        UserError: If the run, the state file, the input or its header cannot be used.
    """
    broker = _open_broker(arguments)
    if broker is None and arguments.input is not None and not Path(arguments.input).is_file():
        raise UserError(f"input={arguments.input} is not a file that can be read from {Path.cwd()}; check the path")
    if arguments.state is not None:
        check_state(arguments.state)
    model = fetch_model(arguments, future=arguments.future)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # rows are data: names leave as they came, whatever the terminal is
    from pipeline.command.broker import answer_all
    from pipeline.serving.entries import Entries
    from pipeline.serving.stream import Stream

    kind = Stream if broker is None else Entries
    stream = kind(model, arguments.start is Start.warm, say)
    try:
        if isinstance(stream, Stream):
            _answer_all(stream, arguments)
        elif broker is not None:
            answer_all(broker, stream, arguments.state, arguments.follow, arguments.exit_on is ExitOn.drift)
    except KeyboardInterrupt:
        if arguments.input is None or not arguments.follow:
            raise
    finally:
        if stream.book.alarms:
            say(f"{stream.book.alarms} alarm(s): the forecasts of these lanes have become worse")
        if stream.book.skipped or stream.refused:
            say(f"{stream.book.skipped} row(s) were known already, {stream.refused} could not be used")
    return DRIFTED if arguments.exit_on is ExitOn.drift and stream.book.alarms else DONE


def _open_broker(arguments: Arguments) -> "Broker | None":
    """Return the streams of Redis or Kafka that are asked for; None where the input is a file, or the standard input.

    Raises:
        UserError: If they cannot be used.
    """
    if arguments.input is None or "://" not in arguments.input:
        if arguments.output is not None:
            raise UserError(
                f"output={arguments.output} needs input=redis://... or input=kafka://...; leave it out for the "
                "standard output"
            )
        return None
    from pipeline.command.broker import open_broker

    return open_broker(arguments.input, arguments.output)


def _answer_all(stream: "Stream", arguments: Arguments) -> None:
    """Answer row after row. What is saved as consumed has been answered, and nothing is saved in the middle of a row.

    An interrupt waits until what has been read is answered; a second one, or a closed pipe, does not wait, and then
    the file keeps what it held: those rows are answered again after a resume.
    """
    from pipeline.command.kept_state import KeptState
    from pipeline.serving.answer_lines import write_answers, write_cells

    book = stream.book
    kept = KeptState(book, arguments.state)
    kept.resume()
    note = [] if book.note_of("") is None else ["note"]
    print(write_cells(["lane", "timestamp", *book.output_names(), *note]), end="", flush=True)
    path = None if arguments.input is None else Path(arguments.input)
    all_answered = True
    try:
        for lines in _read_lines(path, arguments.follow, stream.encoding):
            all_answered = False
            with wait_for_safe_point():
                steps = stream.answer_together(lines)
                sys.stdout.write("".join(write_answers(*step[:2], step.numbers, book.note_of) for step in steps))
                sys.stdout.flush()
                all_answered = True  # inside: an interrupt that waited ends the block
            check_interrupt()
            if arguments.exit_on is ExitOn.drift and book.alarms:
                break
            kept.save_sometimes()
        if not stream.has_header:
            raise UserError("the input is empty; its first line must name the columns of the dataset")
    finally:
        if all_answered and stream.has_header:
            with wait_for_safe_point():
                kept.save()


def _read_lines(path: Path | None, follow: bool, encoding: str | None) -> Iterator[Sequence["str | RowError"]]:
    """Yield the lines that are there, as soon as any is; a line without its end waits for it, or for the end of all."""
    from pipeline.serving.lines import LineCutter

    cutter = LineCutter(encoding)
    with open(0 if path is None else path, "rb", buffering=0, closefd=path is not None) as source:
        while True:
            some = source.read(_BYTES_AT_ONCE)
            if some:
                lines = cutter.cut(some)
                if lines:
                    yield lines
            elif path is not None and follow:
                if path.stat().st_size < source.tell():
                    raise UserError(f"input={path} became shorter while it was followed; rows may only be added to it")
                time.sleep(_SECONDS_BETWEEN_LOOKS)
            else:
                lines = cutter.cut(b"", end=True)
                if lines:
                    yield lines
                return
