"""Rows beyond the end of each lane: what is known of them is that of their own lane and day."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from pipeline.config.schema import Cycle
from pipeline.data.cycles import calendar_values
from pipeline.data.prepare import prepare_data
from pipeline.serving.beyond import known_rows
from pipeline.serving.clock import Clock
from pipeline.serving.model import ServedModel


def test_each_lane_goes_on_with_its_own_known_values(make_served: Callable[..., ServedModel]) -> None:
    """A shop is forecast with the price, or the size, of another one; or with the weekday of another day."""
    plain = make_served(lanes=["x", "y"], dataset={"future": ["b", "c"], "calendar": [Cycle.day_of_week]})
    size = np.where(plain.data.series.series_of_rows() == 0, 3.0, 7.0)
    values = plain.data.series.values.copy()
    values[:, 2] = size  # c is the same in a whole lane
    read = replace(
        plain.data.series, values=values, future=("b",), static=("c",), beyond=plain.data.series.beyond[:, :, :1]
    )
    dataset = replace(plain.config.dataset, future=["b"], static=["c"])
    model = replace(plain, data=prepare_data(replace(plain.config, dataset=dataset), read))
    series = model.data.series
    ends = np.array([rows.stop for rows in series.slices()])
    clock = Clock(series, numbered=False)
    rows = known_rows(model, clock, ends - 2, 5)  # two that are there, and three beyond: (rows, lanes, columns)
    for lane, end in enumerate(ends):
        price = np.concatenate([series.values[end - 2 : end, 1], series.known_beyond(lane)[:4, 0]])
        np.testing.assert_array_equal(rows[:, lane, 0], price[:5])
        np.testing.assert_array_equal(rows[:, lane, 1], (3.0, 7.0)[lane])
        days = series.timestamps[[end - 2, end - 1]].append(clock.go_on(series.timestamps[end - 1], 3))
        np.testing.assert_array_equal(rows[:, lane, 2:4], calendar_values(days, [Cycle.day_of_week]))
        np.testing.assert_array_equal(rows[:, lane, 4], price[1:])  # carried of the row after it
