"""Takes rows of many requests together: reads them, notes them in the journal, and lets their lanes answer.

A request is taken as a whole or not at all. Rows of different lanes that are there at the same time are one step of the
network, whoever sent them; no lane's numbers depend on that.
"""

import math
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from pipeline.base.errors import UserError
from pipeline.service.answered import Answered, AnsweredBlock, Reason, Refusal, Reply
from pipeline.service.answers import Answers
from pipeline.service.bodies import Bodies, ReadRows
from pipeline.service.journal import Journal
from pipeline.service.recent import KEPT, Recent
from pipeline.serving.arrivals import Arrival
from pipeline.serving.lane_book import BlockArrival, LaneBook
from pipeline.serving.lane_memory import Step
from pipeline.serving.made_columns import find_made
from pipeline.serving.model import ServedModel
from pipeline.serving.row_block import RowBlock, gather_rows
from pipeline.serving.rows import Row, RowError, shorten
from pipeline.serving.state_file import SavedState


class _Pending(NamedTuple):
    """Rows of one moment whose lanes have not read them."""

    answers: list[Answered]
    by_key: dict[tuple[str, float], Answered]


class Desk:
    """The lanes of one model.

    Args:
        model: The served model.
        warm: Whether lanes begin after the run's history.
        most_lanes: That are kept.
        say: Told what is to be known about rows that are taken, and lanes whose forecasts become worse.
        watches: Whether anybody looks at how the forecasts do.

    Attributes:
        book: The lanes.
        recent: Their newest rows.
        bodies: Reads what requests hold.
        answers: Writes what they are answered.
        journal: Where rows are noted before they are answered; None: nowhere.
        rows: That were taken.
    """

    def __init__(
        self, model: ServedModel, warm: bool, most_lanes: int, say: Callable[[str], None], watches: bool = True
    ) -> None:
        self.model = model
        self.book = LaneBook(model, warm, self._note, warn=say if watches else None)
        series = model.data.series
        self._width = len(series.columns) + len(model.data.windows.spec.carried)
        # Of a row's values those that came with it: not what is made from its timestamp.
        self._came = np.setdiff1d(np.arange(self._width), find_made(model))
        self.recent = Recent(len(self._came), len(self.book.output_names()))
        self.bodies = Bodies(model.config, series)
        self.answers = Answers(model)
        self.journal: Journal | None = None
        self.rows = 0
        self._most_lanes = most_lanes
        self._say = say

    def take(self, requests: Sequence[ReadRows]) -> list[Reply]:
        """Take the rows of some requests, in their order.

        Returns:
            For each request its rows with their answers, or why nothing of it was taken.
        """
        pending, replies = _Pending([], {}), list[Reply]()
        for read in requests:
            answered = None if read.block is None else self._take_block(read.block, pending)
            replies.append(self._accept(read, pending) if answered is None else answered)
        self._finish(pending)
        return replies

    def _take_block(self, block: RowBlock, pending: _Pending) -> AnsweredBlock | None:
        """Take rows as columns; None where one needs a closer look: then nothing of them was taken."""
        self._finish(pending)  # lanes read their rows in the order in which they came
        arrival = self.book.look_together(block)
        if arrival is None:
            return None
        if self.journal is not None:
            self.journal.write(list(zip(block.names, block.timestamps, block.values.tolist(), strict=True)))
        self.rows += len(block.names)
        step = self._read_together(arrival)
        return AnsweredBlock(step.names, step.timestamps, arrival.keys, step.numbers)

    def _read_together(self, arrival: BlockArrival) -> Step:
        """Let lanes read rows as columns, and keep what they answer."""
        with np.errstate(over="ignore", invalid="ignore"):  # a number that is none is answered as none
            step = self.book.read_together(arrival)
        self.recent.put(step.lanes, np.array(arrival.keys), step.values[:, self._came], step.numbers)
        return step

    def _finish(self, pending: _Pending) -> None:
        """Let lanes read the rows that were accepted, which are in the journal before."""
        if pending.answers:
            if self.journal is not None:
                self.journal.write([each.row for each in pending.answers])
            self._advance(pending.answers)
            pending.answers.clear()
            pending.by_key.clear()

    def replay(self, rows: Sequence[Row]) -> None:
        """Take rows of a journal again, which were accepted once, those that came together."""
        together = self.book.look_together(gather_rows(rows))
        if together is not None:
            self._read_together(together)
            return
        answers = []
        for row in rows:
            arrival = self.book.look(row)
            if arrival.is_new:  # not so where another model's history reaches farther
                self.book.accept(row, arrival)
                answers.append(Answered(row, arrival.key))
        self._advance(answers)

    def reads_like(self, other: "Desk") -> bool:
        """Return whether the rows of another desk are read here as they are."""
        mine, theirs = self.model.data, other.model.data
        return (mine.series.columns, mine.series.computed, mine.windows.spec.carried) == (
            theirs.series.columns, theirs.series.computed, theirs.windows.spec.carried
        )  # fmt: skip

    def read_kept(self, names: Sequence[str], recent: Recent) -> int:
        """Let lanes read the rows that another desk has kept, as far as they are new here.

        Args:
            names: Of the lanes, in their order there.
            recent: Their newest rows.

        Returns:
            How many rows were new.
        """
        kept = {lane: recent.rows_after(number, self._last_key(lane)) for number, lane in enumerate(names) if lane}
        count = 0
        for place in range(max(map(len, kept.values()), default=0)):
            answers = []
            for lane, rows in kept.items():
                if place < len(rows):
                    key, came = rows[place]
                    values = np.full(self._width, np.nan)
                    values[self._came] = came
                    row = Row(lane, self.book.name_time(key), values.tolist())
                    arrival = self.book.look_at_key(lane, key)
                    self.book.accept(row, arrival)
                    answers.append(Answered(row, key))
            self._advance(answers)
            count += len(answers)
        return count

    def _last_key(self, lane: str) -> float:
        last = self.book.last_key(lane)
        return -math.inf if last is None else last

    def lane_names(self) -> Sequence[str]:
        """Return the names of the lanes by their numbers; that of a lane which only keeps the history is empty."""
        return self.book.remember().names

    def lane_arrays(self) -> list[np.ndarray]:
        """Return what is remembered, one array after another, each with the lanes in front."""
        return [*self.book.remember().arrays, *self.recent.arrays]

    def remember_lane(self, lane: str) -> SavedState:
        """Return what one lane remembers, copied."""
        number, state = self.book.number_of(lane), self.book.remember_lane(lane)
        assert number is not None
        self.recent.make_room(number + 1)
        return replace(
            state, arrays=[*state.arrays, *(each[number : number + 1].copy() for each in self.recent.arrays)]
        )

    def put_lane(self, state: SavedState) -> None:
        """Let a lane, which is opened if need be, remember what `remember_lane` gave.

        Raises:
            UserError: If it is none of this model, or there are too many lanes.
        """
        self._check_room(set(state.names))
        own = len(self.book.remember().arrays)
        self.book.check_keys(state.arrays[own].ravel().tolist())
        self.book.put_lane(replace(state, arrays=state.arrays[:own]))
        number = self.book.number_of(state.names[0])
        assert number is not None
        self.recent.put_lane(number, state.arrays[own:])
        self.rows += 1  # there is something to save

    def _accept(self, read: ReadRows, pending: _Pending) -> Reply:
        reply: list[Answered] = []
        fresh: list[tuple[Answered, Arrival]] = []
        lasts: dict[str, float] = {}
        values: dict[str, Sequence[float]] = {}
        own: dict[tuple[str, float], Answered] = {}

        def last_values(lane: str) -> Sequence[float] | None:
            return values[lane] if lane in values else self.book.last_values(lane)

        rows = read.one_by_one(last_values)
        try:
            for row in rows:
                arrival = self.book.look(row, lasts.get(row.lane))
                if arrival.is_new:
                    answer = Answered(row, arrival.key)
                    fresh.append((answer, arrival))
                    lasts[row.lane], values[row.lane] = arrival.key, row.values
                    own[row.lane, arrival.key] = answer
                else:
                    found = own.get((row.lane, arrival.key)) or self._find(row, arrival.key, pending)
                    if found is None:
                        seen = f"was read before, and is none of the newest {KEPT}, whose answers are kept"
                        how = arrival.fault or f"(lane {shorten(row.lane)}, {row.timestamp}) {seen}"
                        return Refusal(Reason.late, f"row {len(reply) + 1} {how}")
                    if not self._is_same(row, found.row):
                        return Refusal(
                            Reason.conflict,
                            f"row {len(reply) + 1} (lane {shorten(row.lane)}, {row.timestamp}) repeats a timestamp "
                            "with other values",
                        )
                    answer = found
                reply.append(answer)
        except RowError as error:
            return Refusal(Reason.malformed, f"row {len(reply) + 1} {error}")
        try:
            self._check_room({each.row.lane for each, _ in fresh})
        except UserError as error:
            return Refusal(Reason.lanes, str(error))
        for each, arrival in fresh:
            self.book.accept(each.row, arrival)
            pending.answers.append(each)
        pending.by_key.update(own)
        self.rows += len(fresh)
        return reply

    def _check_room(self, lanes: Set[str]) -> None:
        new = sum(self.book.number_of(lane) is None for lane in lanes)
        if len(self.book) + new > self._most_lanes:
            raise UserError(f"there would be more than {self._most_lanes} lanes; raise lanes= to keep more of them")

    def _find(self, row: Row, key: float, pending: _Pending) -> Answered | None:
        """Return a row that came before, with its answer."""
        waiting = pending.by_key.get((row.lane, key))
        if waiting is not None:
            return waiting
        number = self.book.number_of(row.lane)
        found = None if number is None else self.recent.find(number, key)
        if found is None:
            return None
        values, numbers = found
        came = np.full(len(row.values), np.nan)
        came[self._came] = values
        return Answered(row._replace(values=came.tolist()), key, numbers, repeated=True)

    def _is_same(self, row: Row, other: Row) -> bool:
        mine, others = np.array(row.values)[self._came], np.array(other.values)[self._came]
        return np.array_equal(mine, others, equal_nan=True)

    def _advance(self, answers: Sequence[Answered]) -> None:
        """Let lanes read accepted rows, each lane its own in their order, and keep what they answer."""
        for wave in _waves(answers):
            with np.errstate(over="ignore", invalid="ignore"):  # a number that is none is answered as none
                step = self.book.advance_together([each.row for each in wave])
            for each, time, numbers in zip(wave, step.timestamps, step.numbers, strict=True):
                if time is not each.row.timestamp:  # rows are numbered
                    each.row = each.row._replace(timestamp=time)
                each.numbers = numbers
            keys = np.array([each.key for each in wave])
            self.recent.put(step.lanes, keys, step.values[:, self._came], step.numbers)

    def _note(self, how_it_goes_on: str) -> None:
        self._say(f"a row{how_it_goes_on}")


def _waves(answers: Sequence[Answered]) -> Iterator[list[Answered]]:
    """Yield rows of different lanes, so that each lane's come in their order."""
    waves: list[list[Answered]] = []
    depth: dict[str, int] = {}
    for each in answers:
        place = depth.get(each.row.lane, 0)
        depth[each.row.lane] = place + 1
        if place == len(waves):
            waves.append([])
        waves[place].append(each)
    yield from waves
