"""Forecasts as clients get them: JSON, or the CSV of pipeline.stream."""

import math
from collections.abc import Sequence
from typing import Any

from pipeline.data.arrays import FloatArray
from pipeline.service.answered import Answered
from pipeline.serving.answer_lines import write_answer, write_cells
from pipeline.serving.lane_book import LaneBook
from pipeline.serving.lane_bounds import name_around
from pipeline.serving.model import ServedModel


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

    def as_objects(self, book: LaneBook, answers: Sequence[Answered]) -> list[dict[str, Any]]:
        """Return one object for each row, step ahead and target; None where there is no number yet.

        `timestamp` is that of the row that was read, as in pipeline.stream; `forecast_timestamp` is what is forecast.
        """
        objects = []
        for each in answers:
            times = book.name_next(each.key, each.row.timestamp, self._steps[-1])
            objects += self._objects(each.row.lane, each.row.timestamp, times, each.numbers)
        return objects

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

    def as_csv(self, book: LaneBook, answers: Sequence[Answered]) -> str:
        """Return what pipeline.stream prints: one row for each row."""
        note = ["note"] if self._names_lanes else []
        header = write_cells(["lane", "timestamp", *book.output_names(), *note])
        return header + "".join(write_answer(each.row, each.numbers, book.note_of(each.row.lane)) for each in answers)
