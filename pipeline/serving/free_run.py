"""Forecasts of many steps: a network fed with its own forecasts (free run), and one fed with what really came.

With 5 known rows and steps=2, origins below their forecasts:

    rows            0  1  2 | 3  4 | 5  6
                    history   known  nobody knows
    backtest                  f  f            free run from row 2: row 4 is forecast from the forecast of row 3
    future                           f  f     free run from row 4
    one step ahead            o  o   o        each from the true row before it
"""

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.evaluation.intervals import find_middle, name_level, name_quantile
from pipeline.models.heads.point import POINT
from pipeline.models.heads.quantile import QuantileHead
from pipeline.serving.beyond import check_known, known_rows
from pipeline.serving.clock import Clock
from pipeline.serving.feed_back import can_run_free, feed_back, read_before, unknown_ahead
from pipeline.serving.free_run_errors import list_answers, measure_free_run
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel
from pipeline.serving.sample_paths import draw_paths

BACKTEST, FUTURE = "backtest", "future"
_MOST_PATHS, _FEWEST_PATHS, _MOST_PLACES = 1000, 50, 40_000  # of each lane, whose quantiles are shown; of all together
_SEED = 1


def forecast_steps(model: ServedModel, steps: int) -> pd.DataFrame:
    """Forecast the last known rows as if they were not known, and the rows after them.

    A network that was trained again on all rows would know those known ones: the one that was scored forecasts them.

    Args:
        model: A served model.
        steps: How many of each.

    Returns:
        One row per lane, target, part (backtest, future) and timestamp, in the data's own units: lane (where the series
        has lanes), target, part, timestamp, actual, free_run with its intervals (low_95, high_95, ...), the forecast
        from true values (`one_step_ahead`, or `5_steps_ahead` where the network forecasts only that step), and with
        several horizon steps `direct`: all of them from one origin, in the future with intervals (direct_low_95, ...).
        Where no free run is possible the forecast from the last true row has them (one_step_ahead_low_95, ...). Of a
        head with quantiles each forecast has these, too: of the free run those of its sample paths (quantile_0.05,
        one_step_ahead_quantile_0.05, direct_quantile_0.05). NaN where there is none.

    Raises:
        UserError: If a lane has too few rows, or its timestamps no regular frequency.
    """
    table = _forecast_parts(model, steps)
    if model.scored is None:
        return table
    before = _forecast_parts(model.scored, steps)
    return pd.concat([before[before["part"] == BACKTEST], table[table["part"] == FUTURE]]).sort_index()


def _forecast_parts(model: ServedModel, steps: int) -> pd.DataFrame:
    series, spec = model.data.series, model.data.windows.spec
    lead = spec.horizon_steps[0]
    _check_length(model, steps)
    ends = np.array([rows.stop for rows in series.slices()])
    clock = _check_ahead(model, steps)
    answers = _feed_truth(model, ends - steps - lead, steps + lead)
    nothing = np.full((steps, *answers.shape[1:]), np.nan)
    fed_true = np.concatenate([answers[:, :, 0], nothing[lead:, :, 0]])[: 2 * steps]  # rows from ends - steps on
    free, paths, reach = _run_free(model, clock, ends, steps)
    direct = np.concatenate([_spread(answers[position], steps) for position in (lead - 1, steps + lead - 1)])
    tables = []
    for lane, end in enumerate(ends):
        for column, target in enumerate(series.targets):
            name = {"lane": series.series_ids[lane]} if series.series_ids else {}
            columns = name | {
                "target": target,
                "part": [BACKTEST] * steps + [FUTURE] * steps,
                "timestamp": [*series.timestamps[end - steps : end], *clock.go_on(series.timestamps[end - 1], steps)],
                "actual": _actual(model, int(end), steps, column),
                "free_run": free[:, lane, column],
            }
            columns |= {name: each[:, lane, column] for name, each in reach.items()}
            columns |= _list(model, "", paths[:, lane, column])
            columns |= _list(model, name_true(model), fed_true[:, lane, column])
            if len(spec.horizon_steps) > 1:
                columns |= _list(model, "direct", direct[:, lane, column])
                columns |= _bound_last(model, answers[-1], steps, lane, column, "direct")
            elif not reach:
                columns |= _bound_last(model, answers[steps], steps, lane, column, name_true(model))
            tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def sample_steps(model: ServedModel, steps: int, samples: int, seed: int) -> pd.DataFrame:
    """Draw sample paths of the rows after the end.

    Args:
        model: A served model that can run free.
        steps: Of each path.
        samples: How many of each lane.
        seed: Of the random numbers: equal seeds give equal paths.

    Returns:
        One row per path (from 1), lane, step (from 1) and target, in that order: path, lane, timestamp, step, target,
        value, in the data's own units. A single series is the lane of its dataset's name.

    Raises:
        UserError: If no free run is possible, or there is nothing to draw from.
    """
    series = model.data.series
    if not can_run_free(model):
        raise UserError(
            f"samples={samples} needs a free run, but nobody knows the next values of "
            f"{show_names(unknown_ahead(model))}; make every feature a target, or name what is known ahead in "
            "dataset.future"
        )
    clock = _check_ahead(model, steps)
    ends = np.array([rows.stop for rows in series.slices()])
    ahead, every = known_rows(model, clock, ends, steps), np.arange(len(ends))
    paths = draw_paths(model, read_before(model, ends), every, ends, ahead, samples, seed)
    values = np.moveaxis(paths, 2, 1)  # (samples, lanes, steps, targets)
    path, lane, step, target = (each.ravel() for each in np.indices(values.shape))
    times = np.array([clock.go_on(series.timestamps[end - 1], steps).astype(str) for end in ends], dtype=object)
    return pd.DataFrame(
        {
            "path": path + 1,
            "lane": np.array(series.series_ids or (model.config.dataset.name,), dtype=object)[lane],
            "timestamp": times[lane, step],
            "step": step + 1,
            "target": np.array(series.targets, dtype=object)[target],
            "value": values.ravel(),
        }
    )


def _check_ahead(model: ServedModel, steps: int) -> Clock:
    """Return the clock of a series of which everything is known ahead that a forecast of so many steps reads."""
    clock = Clock(model.data.series, numbered=model.config.dataset.time_column is None)
    spec = model.data.windows.spec
    fed = max(steps - spec.horizon_steps[0], 0) if can_run_free(model) else 0  # rows beyond the end that it reads
    check_known(model, clock, fed + len(spec.future_steps), f"steps={steps} reads it")
    return clock


def _run_free(
    model: ServedModel, clock: Clock, ends: IntArray, steps: int
) -> tuple[FloatArray, FloatArray, dict[str, FloatArray]]:
    """Run free through both parts, beside sample paths where the head says how sure it is.

    Returns:
        The free run, (2 x steps, lanes, targets), NaN where none is possible; the quantiles of its paths as answers of
        the head, NaN without any; and the ends of its intervals by the names of their columns, empty without any.
    """
    head, targets = model.data.head, len(model.data.series.targets)
    free = np.full((2 * steps, len(ends), targets), np.nan)
    answers = np.full((*free.shape, *head.shape), np.nan)
    if not can_run_free(model):
        return free, answers, {}
    every, samples = np.arange(len(ends)), max(_FEWEST_PATHS, min(_MOST_PATHS, _MOST_PLACES // len(ends)))
    for rows, firsts in ((slice(steps), ends - steps), (slice(steps, None), ends)):
        lanes, ahead = read_before(model, firsts), known_rows(model, clock, firsts, steps)
        if isinstance(head, QuantileHead):
            answers[rows] = list_answers(model, draw_paths(model, lanes, every, firsts, ahead, samples, _SEED))
        free[rows] = feed_back(model, lanes, every, firsts, ahead)
    levels = () if model.conformal is None else model.conformal.levels
    if not levels:
        return free, answers, {}
    errors = measure_free_run(model.measured, steps)
    reach = np.concatenate([errors.reach(before, levels) for before in (-steps, 0)])  # (2 x steps, lanes, targets, ...)
    centres, halves = find_middle(head, answers) if errors.of_paths else (free, np.ones_like(free))
    reach *= halves[..., None]
    return (
        free,
        answers,
        {
            f"{end}_{name_level(level)}": centres + side * reach[..., place]
            for place, level in enumerate(levels)
            for end, side in (("low", -1), ("high", 1))
        },
    )


def _list(model: ServedModel, name: str, answers: FloatArray) -> dict[str, FloatArray]:
    """Return the columns of some answers: their points, unless the name is empty, and behind them the quantiles.

    Args:
        model: Whose answers they are.
        name: Of the points.
        answers: Of one lane and target. Shape (rows, *shape of an answer).
    """
    head = model.data.head
    columns = {name: head.points(answers)} if name else {}
    begin = f"{name}_" if name else ""
    return columns | {f"{begin}{name_quantile(level)}": answers[:, place] for place, level in enumerate(head.levels)}


def _bound_last(
    model: ServedModel, answers: FloatArray, steps: int, lane: int, column: int, name: str
) -> dict[str, FloatArray]:
    """Return the columns of the intervals of forecasts for the rows that nobody knows, of one lane and target.

    Args:
        model: A served model.
        answers: For these rows, one after another. Shape (lanes, horizon_steps, targets, *shape of an answer).
        steps: Rows that nobody knows; as many known ones stand before them.
        lane: The lane.
        column: The target.
        name: Of the forecasts.
    """
    conformal = model.conformal
    if conformal is None:
        return {}
    head = model.data.head if conformal.halves is not None else POINT
    said = answers[lane] if conformal.halves is not None else model.data.head.points(answers[lane])
    centres, halves = (each[:steps, column] for each in find_middle(head, said))  # each (horizon_steps,)
    reach = conformal.measure(np.array([lane]))[0, :steps, column] * halves[:, None]  # (horizon_steps, levels)
    columns: dict[str, FloatArray] = {}
    for place, level in enumerate(conformal.levels):
        for end, side in (("low", -1), ("high", 1)):
            around = columns[f"{name}_{end}_{name_level(level)}"] = np.full(2 * steps, np.nan)
            around[steps : steps + len(reach)] = centres + side * reach[:, place]
    return columns


def name_true(model: ServedModel) -> str:
    """Name the forecasts made from true values: `one_step_ahead`, or `5_steps_ahead`."""
    lead = model.data.windows.spec.horizon_steps[0]
    return "one_step_ahead" if lead == 1 else f"{lead}_steps_ahead"


def _feed_truth(model: ServedModel, firsts: np.ndarray, count: int) -> FloatArray:
    """Read some true rows of each lane after its history.

    Returns:
        Shape (count, lanes, horizon_steps, targets, *shape of an answer).
    """
    lanes = Lanes(model)
    lanes.read_history(firsts.tolist())
    every = np.arange(len(firsts))
    return np.stack([lanes.advance_answers(every, model.data.rows[firsts + step]) for step in range(count)])


def _spread(answers: FloatArray, steps: int) -> FloatArray:
    """Lay the horizon steps of one origin, (lanes, horizon_steps, targets, ...), out in time: (steps, lanes, ...)."""
    laid = np.full((steps, len(answers), *answers.shape[2:]), np.nan)
    count = min(steps, answers.shape[1])
    laid[:count] = np.swapaxes(answers, 0, 1)[:count]
    return laid


def _actual(model: ServedModel, end: int, steps: int, column: int) -> FloatArray:
    series = model.data.series
    rows = slice(end - steps, end)
    known = np.where(series.scorable()[rows, column], series.actual()[rows, column], np.nan)
    return np.concatenate([known, np.full(steps, np.nan)])


def _check_length(model: ServedModel, steps: int) -> None:
    series, config = model.data.series, model.config
    lost, spec = model.data.transformed.lost, model.data.windows.spec
    for number, rows in enumerate(series.slices()):
        left = rows.stop - rows.start - lost - (spec.nearest_forecast + 1)
        if left < steps:
            remedy = f"lower steps to {left} or less" if left > 0 else "use pipeline.stream, which holds nothing back"
            raise UserError(
                f"dataset '{config.dataset.name}'{series.describe_series(number)} has {rows.stop - rows.start} rows, "
                f"too few to hold back steps={steps} of them as a test; {remedy}"
            )
