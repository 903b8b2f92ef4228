"""Forecasts for a table of raw rows, in the data's own units: transforms, scaling, windows and state are inside."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Source, Transform
from pipeline.data.arrays import FloatArray
from pipeline.data.categories import encode_categories, sources_of
from pipeline.data.frames import tidy_frame
from pipeline.data.known_ahead import carry_ahead
from pipeline.data.series import Series
from pipeline.data.sources import load_series
from pipeline.serving.lane_bounds import LearntBounds, list_quantiles, name_all_around
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel


def value_columns(config: Config, series: Series) -> list[str]:
    """Return the columns of values that a table of raw rows must have: features, and targets that are differences.

    What is computed from the timestamps is not among them.
    """
    differs = any(step is not Transform.log for step in config.dataset.transforms)
    encoded = sources_of(series.levels)
    needed = (name for name in (*series.features, *(series.targets if differs else ())) if name not in series.computed)
    return list(dict.fromkeys(encoded[name][0] if name in encoded else name for name in needed))


def read_rows(model: ServedModel, given: pd.DataFrame | Path, targets: Sequence[str] = ()) -> Series:
    """Read raw rows as a run reads its data, categories encoded with the values that it has learnt.

    Args:
        model: Of the run.
        given: A table, or a file.
        targets: Columns that are read beside those that the network needs.

    Raises:
        UserError: If a column is missing, or holds what cannot be read.
    """
    dataset, known = model.config.dataset, model.data.series
    columns = value_columns(model.config, known)
    past = [name for name in columns if name not in (*dataset.future_columns, *dataset.static)]
    reading = replace(dataset, source=Source.frame, features=past, targets=[*targets], lane_block=None)
    if isinstance(given, Path):
        series = load_series(replace(reading, source=Source.file, path=str(given)))
    else:
        series = load_series(reading, data=tidy_frame(given, dataset.time_column))
    series = replace(series, step=known.step)
    if series.levels:
        series = encode_categories(dataset, series, known.levels)
    bad = np.argwhere(series.transformable() <= 0) if Transform.log in dataset.transforms else np.empty((0, 2), int)
    if len(bad):
        name = series.columns[int(bad[0, 1])]
        raise UserError(f"the column '{name}' holds a value that is not above zero, which has no logarithm")
    return series


def lay_rows(model: ServedModel, series: Series) -> FloatArray:
    """Return rows that `read_rows` has read as the lanes of a model take them.

    Shape (time, columns of the run's series + what a row carries of those after it); NaN in columns that are not read.
    """
    known, carried = len(model.data.series.columns), model.data.windows.spec.carried
    values = np.full((len(series), known + len(carried)), np.nan)
    values[:, model.data.series.column_numbers(series.columns)] = series.values
    if carried:
        values[:, known:] = carry_ahead(series, len(model.data.windows.spec.future_steps))
    return values


class FrameForecaster:
    """A network that reads tables.

    Attributes:
        model: The network, with its configuration and scaler.
    """

    def __init__(self, model: ServedModel) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Forecast after every row of a table.

        Each series is read from its first row on; a stateful network carries its state from there. So the more of the
        past a table holds, the better; it must hold enough for one window.

        Args:
            frame: Raw rows, oldest first, as the dataset has them: its time column (or an index of dates), its lane
                column if it has one, and `columns`. Other columns are not read.

        Returns:
            One row per row of the table, from the first one with enough past: the name of its series, its time, and
            what was forecast when it was known, in the data's own units. Columns are called `forecast`, with several
            steps ahead `forecast_1`, `forecast_2`, with several targets `forecast.TARGET`; behind them, as in a stream,
            `low_95`, `high_95`, ..., the intervals as the run has left them, which learn nothing from the table, and
            `quantile_0.05`, ... of a head with quantiles. An interval is NaN in a lane that the run did not know. Rows
            of a series stand together; what dataset.gaps=fill puts between them has rows, too. With columns in
            dataset.future the last rows whose next ones the table does not hold have no forecast: give those as well,
            the targets empty.

        Raises:
            UserError: If a column is missing, or holds what cannot be read.
        """
        series = read_rows(self.model, frame)
        outputs, around = self._forecast(series)
        names = [*self.model.output_names(), *name_all_around(self.model)]
        answer = pd.DataFrame(np.concatenate([outputs, around], axis=1), columns=names)
        dataset = self.model.config.dataset
        answer.insert(0, dataset.time_column or "row", series.timestamps)
        if dataset.lane_column is not None:
            answer.insert(0, dataset.lane_column, np.array(series.series_ids)[series.series_of_rows()])
        return answer[np.isfinite(outputs).all(axis=1)].reset_index(drop=True)

    def _forecast(self, series: Series) -> tuple[np.ndarray, np.ndarray]:
        """Read all series side by side, row after row.

        Returns:
            Forecasts, (rows, outputs), NaN while a series is too short, and what stands around them, (rows, columns).
        """
        model = self.model
        lanes, head = Lanes(model), model.data.head
        bounds = None if model.conformal is None else LearntBounds(model, model.conformal)
        spans, names = series.slices(), series.series_ids or (model.config.dataset.name,)
        numbers = np.array([lanes.open(name) for name in names])
        places = np.array([-1 if bounds is None else bounds.place(name) for name in names])
        firsts = np.array([rows.start for rows in spans])
        lengths = np.array([rows.stop - rows.start for rows in spans])
        values = lay_rows(model, series)
        outputs = np.full((len(series), model.data.windows.num_targets), np.nan)
        around = np.full((len(series), len(name_all_around(model))), np.nan)
        for step in range(lengths.max()):
            going = np.flatnonzero(lengths > step)
            rows = firsts[going] + step
            answers = lanes.advance_answers(numbers[going], values[rows])
            outputs[rows] = head.points(answers).reshape(len(rows), -1)
            ends = np.empty((len(rows), 0)) if bounds is None else bounds.around(places[going], answers)
            quantiles = list_quantiles(answers) if head.levels else np.empty((len(rows), 0))
            around[rows] = np.concatenate([ends.reshape(len(rows), -1), quantiles], axis=1)
        return outputs, around
