"""Forecasts as clients get them: JSON, or the CSV of pipeline.stream."""

import math
from collections.abc import Sequence
from itertools import chain, product
from json.encoder import encode_basestring_ascii
from typing import Any

import numpy as np

from pipeline.data.arrays import FloatArray
from pipeline.service.answered import Answered, AnsweredBlock
from pipeline.service.replies import write_json
from pipeline.serving.answer_lines import write_answer, write_answers, write_cells
from pipeline.serving.lane_book import LaneBook
from pipeline.serving.lane_bounds import name_around
from pipeline.serving.model import ServedModel


def _quote(text: str | None) -> str:
    return "null" if text is None else encode_basestring_ascii(text)


class Answers:
    """Writes the answers of one model.

    Args:
        model: The served model.
    """

    def __init__(self, model: ServedModel) -> None:
        self._steps = tuple(model.data.windows.spec.horizon_steps)
        self._targets = model.data.series.targets
        self._around = name_around(model)
        self._names_lanes = bool(model.data.series.series_ids)

    def as_json(self, book: LaneBook, answers: Sequence[Answered] | AnsweredBlock) -> bytes:
        """Return one object for each row, step ahead and target, as JSON; null where there is no number yet.

        `timestamp` is that of the row that was read, as in pipeline.stream; `forecast_timestamp` is what is forecast.
        """
        if isinstance(answers, AnsweredBlock):
            if np.isfinite(answers.numbers).all():
                return self._write_block(book, answers)
            rows = list(zip(answers.names, answers.timestamps, answers.keys, answers.numbers, strict=True))
        else:
            rows = [(each.row.lane, each.row.timestamp, each.key, each.numbers) for each in answers]
        objects = []
        for lane, timestamp, key, numbers in rows:
            objects += self._objects(lane, timestamp, book.name_next(key, timestamp, self._steps[-1]), numbers)
        return write_json({"forecasts": objects})

    def _write_block(self, book: LaneBook, block: AnsweredBlock) -> bytes:
        """Return the same of rows that have every number, in one go."""
        lanes, times = list(map(_quote, block.names)), list(map(_quote, block.timestamps))
        moments = list(zip(block.keys, block.timestamps, strict=True))
        after = {each: list(map(_quote, book.name_next(*each, self._steps[-1]))) for each in set(moments)}
        columns, objects = [], []
        width = len(self._steps) * len(self._targets)
        for place, (ahead, target) in enumerate(product(self._steps, self._targets)):
            named = ",".join(f"{_quote(name)}:%r" for name in ("forecast", *self._around))
            objects.append(
                '{"lane":%s,"timestamp":%s,"forecast_timestamp":%s,'
                f'"target":{_quote(target).replace("%", "%%")},"horizon":{ahead},{named}}}'
            )
            columns += [lanes, times, [after[each][ahead - 1] for each in moments]]
            columns += block.numbers[:, place::width].T.tolist()
        cells = tuple(chain.from_iterable(zip(*columns, strict=True)))
        text = ",".join(objects * len(lanes)) % cells
        return f'{{"forecasts":[{text}]}}'.encode()

    def of_lane(self, book: LaneBook, lane: str, key: float, numbers: FloatArray) -> list[dict[str, Any]]:
        """Return the objects of one answer that is kept."""
        return self.of_row(book, lane, key, book.name_last(lane) or "", numbers)

    def of_row(
        self, book: LaneBook, lane: str, key: float, timestamp: str, numbers: FloatArray
    ) -> list[dict[str, Any]]:
        """Return the objects of the answer to a row that is kept."""
        return self._objects(lane, timestamp, book.name_next(key, timestamp, self._steps[-1]), numbers)

    def _objects(
        self, lane: str, timestamp: str, times: Sequence[str | None], numbers: FloatArray
    ) -> list[dict[str, Any]]:
        values = [value if math.isfinite(value) else None for value in numbers.tolist()]
        width = len(self._steps) * len(self._targets)
        found = []
        for step, ahead in enumerate(self._steps):
            for column, target in enumerate(self._targets):
                place = step * len(self._targets) + column
                found.append(
                    {
                        "lane": lane,
                        "timestamp": timestamp,
                        "forecast_timestamp": times[ahead - 1],
                        "target": target,
                        "horizon": ahead,
                        "forecast": values[place],
                    }
                    | {name: values[width * (number + 1) + place] for number, name in enumerate(self._around)}
                )
        return found

    def as_csv(self, book: LaneBook, answers: Sequence[Answered] | AnsweredBlock) -> str:
        """Return what pipeline.stream prints: one row for each row."""
        note = ["note"] if self._names_lanes else []
        header = write_cells(["lane", "timestamp", *book.output_names(), *note])
        if isinstance(answers, AnsweredBlock):
            return header + write_answers(answers.names, answers.timestamps, answers.numbers, book.note_of)
        return header + "".join(write_answer(each.row, each.numbers, book.note_of(each.row.lane)) for each in answers)
