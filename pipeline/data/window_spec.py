"""Where the rows of a window lie: said once, here; whatever reads windows asks this.

Offsets count rows from the first row of a window. With look_back=3 and horizon=2:

    offset                       0      1      2      3       4
    many-to-one                  past   past   past           target
    dataset.horizons=all         past   past   past   target  target
                                               ^ origin: the last row the forecast may know

With many-to-many every past row has the targets that lie as far after it; the last row's are the forecast.

A column of dataset.future (a price, a holiday) is known ahead. Each past row carries its values of the next `horizon`
rows beside its own, so that every reader of rows reads them, row by row or window by window:

    row read               0        1        2
    future columns of      0 1 2    1 2 3    2 3 4      the last row carries those of the rows that are forecast

So does an entry of dataset.calendar that dataset.future names: it is made from timestamps, see calendar_ahead.py.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.text import show_names, show_setting
from pipeline.config.schema import Config
from pipeline.data.arrays import IntArray
from pipeline.data.series import Levels, Series
from pipeline.models.heads.registry import head_of
from pipeline.models.row_layout import RowLayout


@dataclass(frozen=True)
class WindowSpec:
    """Offsets and columns of one window.

    Attributes:
        past_offsets: The past rows, oldest first, by the time step they belong to. Shape (time_steps, rows of a step):
            ((0,), (1,), (2,)), or with dataset.lags_as=features ((0, 1, 2),).
        target_offsets: The rows that are learnt, ascending. Shape (1, horizon_steps), or many-to-many (look_back,
            horizon_steps); the last line belongs to the origin.
        answers_every_step: Whether every time step has targets of its own: many-to-many.
        input_columns: Columns read at the past rows.
        target_columns: Columns read at the target rows.
        answer_size: Numbers that the network says about each target at each step ahead.
        future_columns: Columns that are known ahead, among the input columns.
        waits_for_rows: Whether data must tell of them: not so where all are made from timestamps.
        future_steps: How many rows after each past row they are read as well, ascending: 1, 2, ... or none.
        levels: Of each category the values that have a column: `weather=rain`.
        untouched: Columns of `columns` at its end that have no level of their own: dataset.normalise leaves them.
    """

    past_offsets: tuple[tuple[int, ...], ...]
    target_offsets: tuple[tuple[int, ...], ...]
    answers_every_step: bool
    input_columns: tuple[str, ...]
    target_columns: tuple[str, ...]
    answer_size: int = 1
    future_columns: tuple[str, ...] = ()
    future_steps: tuple[int, ...] = ()
    waits_for_rows: bool = False
    levels: Levels = ()
    untouched: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """What is read of one row: the input columns, then what the row carries, `price+1` from the row after it."""
        return *self.input_columns, *self.carried

    @property
    def carried(self) -> tuple[str, ...]:
        """What a row carries of the rows after it, by step, then column."""
        return tuple(f"{column}+{step}" for step in self.future_steps for column in self.future_columns)

    @property
    def layout(self) -> RowLayout:
        """Where a row has what is known ahead, and categories: what a network asks."""
        places = {column: place for place, column in enumerate(self.columns)}
        endings = ("", *(f"+{step}" for step in self.future_steps))
        firsts = (
            (places.get(f"{name}={values[0]}{ending}"), category)
            for category, (name, values) in enumerate(self.levels)
            for ending in endings
        )
        groups = tuple(sorted((first, category) for first, category in firsts if first is not None))
        return RowLayout(len(self.future_columns), groups, tuple(len(values) for _, values in self.levels))

    @property
    def target_inputs(self) -> tuple[int, ...]:
        """Which input each target is; () if one of them is none."""
        if not set(self.target_columns) <= set(self.input_columns):
            return ()
        return tuple(self.input_columns.index(target) for target in self.target_columns)

    @property
    def time_steps(self) -> int:
        """Time steps of a sample."""
        return len(self.past_offsets)

    @property
    def rows_per_step(self) -> int:
        """Rows of the series that make one time step of a sample."""
        return len(self.past_offsets[0])

    @property
    def look_back(self) -> int:
        """Past rows of a window."""
        return self.time_steps * self.rows_per_step

    @property
    def positions(self) -> tuple[int, ...]:
        """The axis that the targets of a window have beside their outputs: (time_steps,) many-to-many, otherwise ()."""
        return (len(self.target_offsets),) if self.answers_every_step else ()

    @property
    def origin(self) -> int:
        """Offset of the last row the forecast may know."""
        return self.past_offsets[-1][-1]

    @property
    def horizon_steps(self) -> tuple[int, ...]:
        """Steps from the origin to each row that is forecast, ascending."""
        return tuple(offset - self.origin for offset in self.target_offsets[-1])

    @property
    def first_target(self) -> int:
        """Offset of the first row that is learnt."""
        return self.target_offsets[0][0]

    @property
    def nearest_forecast(self) -> int:
        """Offset of the first row that is forecast from the origin."""
        return self.target_offsets[-1][0]

    @property
    def last_target(self) -> int:
        """Offset of the last row that is learnt, which is the last that is forecast."""
        return self.target_offsets[-1][-1]

    @property
    def last_needed(self) -> int:
        """Offset of the last row that there must be to forecast: the nearest one forecast, or the last one read."""
        ahead = self.future_steps if self.waits_for_rows else ()
        return max([self.nearest_forecast, *(self.origin + step for step in ahead)])

    @property
    def num_rows(self) -> int:
        """Rows from the first one that goes in to the last one that is predicted."""
        return self.last_target + 1

    @cached_property
    def step_offsets(self) -> IntArray:
        """First row of each time step. Shape (time_steps,)."""
        return np.array([rows[0] for rows in self.past_offsets])

    @cached_property
    def rows_of_step(self) -> IntArray:
        """Rows of a time step, counted from its first one. Shape (rows of a step,)."""
        return np.array(self.past_offsets[0]) - self.past_offsets[0][0]

    def past_rows(self, starts: IntArray) -> IntArray:
        """Return the past rows of some windows. Shape (windows, time_steps, rows of a step)."""
        return starts[:, None, None] + np.array(self.past_offsets)

    def target_rows(self, starts: IntArray) -> IntArray:
        """Return the rows some windows learn. Shape (windows, positions, horizon_steps)."""
        return starts[:, None, None] + np.array(self.target_offsets)

    def forecast_rows(self, starts: IntArray) -> IntArray:
        """Return the rows that are forecast from the origin of some windows. Shape (windows, horizon_steps)."""
        return starts[:, None] + np.array(self.target_offsets[-1])

    def future_rows(self, starts: IntArray) -> IntArray:
        """Return the rows from which each past row carries what is known ahead.

        Returns:
            Shape (windows, time_steps, rows of a step, future steps).
        """
        return self.past_rows(starts)[..., None] + np.array(self.future_steps, dtype=int)

    def carried_from(self, series: Series) -> list[int]:
        """Return the column of the series that each of `carried` comes from."""
        return series.column_numbers(self.future_columns) * len(self.future_steps)

    def origins(self, starts: IntArray) -> IntArray:
        """Return the last row each window knows. Shape (windows,)."""
        return starts + self.origin

    def last_targets(self, starts: IntArray) -> IntArray:
        """Return the last row each window predicts. Shape (windows,)."""
        return starts + self.last_target

    def last_steps(self, starts: IntArray) -> IntArray:
        """Return the first row of the last time step of each window. Shape (windows,)."""
        return starts + self.past_offsets[-1][0]


def make_window_spec(config: Config, series: Series) -> WindowSpec:
    """Say where the rows of a window lie.

    Args:
        config: look_back, horizon, dataset.horizons, dataset.lags_as, the wiring and the head.
        series: Names the columns.

    Raises:
        UserError: If windows are normalised, and a target is none of the features.
    """
    _check_measured(config, series)
    past = np.arange(config.look_back)
    positions = past if config.answers_every_step else past[-1:]
    targets = positions[:, None] + np.array(config.horizon_steps)  # (positions, horizon_steps)
    steps = tuple(range(1, config.horizon + 1)) if series.future else ()
    return WindowSpec(
        past_offsets=tuple(map(tuple, past.reshape(config.time_steps, -1).tolist())),
        target_offsets=tuple(map(tuple, targets.tolist())),
        answers_every_step=config.answers_every_step,
        input_columns=series.features,
        target_columns=series.targets,
        answer_size=head_of(config).numbers,
        future_columns=series.future,
        future_steps=steps,
        waits_for_rows=bool(series.future_told),
        levels=series.levels,
        untouched=len(series.untransformed) + len(series.future) * len(steps),
    )


def _check_measured(config: Config, series: Series) -> None:
    """A window says where its targets lie only if it holds their past."""
    unread = [target for target in series.targets if target not in series.features]
    named = [feature for feature in series.features if feature not in series.untransformed]
    if config.normalises and unread:
        raise UserError(
            f"dataset.normalise={config.dataset.normalise.value} forecasts from where the past of a target lies, but "
            f"{show_names(unread)} is none of the features; set "
            f"{show_setting('dataset.features', [*named, *unread])}, or dataset.normalise=none"
        )
