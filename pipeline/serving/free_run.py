"""Forecasts of many steps: a network fed with its own forecasts (free run), and one fed with what really came.

With 5 known rows and steps=2, origins below their forecasts:

    rows            0  1  2 | 3  4 | 5  6
                    history   known  nobody knows
    backtest                  f  f            free run from row 2: row 4 is forecast from the forecast of row 3
    future                           f  f     free run from row 4
    one step ahead            o  o   o        each from the true row before it
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.categories import sources_of
from pipeline.evaluation.conformal import split_radii
from pipeline.evaluation.intervals import find_middle, name_level
from pipeline.models.heads.point import POINT
from pipeline.serving.beyond import check_known, known_rows
from pipeline.serving.clock import Clock
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel

BACKTEST, FUTURE = "backtest", "future"
_MOST_FREE_RUNS, _FEWEST_FREE_RUNS = 200, 20  # of the past, whose errors say how wide intervals are
_MOST_LANES = 20_000  # that run free side by side


def forecast_steps(model: ServedModel, steps: int) -> pd.DataFrame:
    """Forecast the last known rows as if they were not known, and the rows after them.

    Args:
        model: A served model.
        steps: How many of each.

    Returns:
        One row per lane, target, part (backtest, future) and timestamp, in the data's own units: lane (where the series
        has lanes), target, part, timestamp, actual, free_run with its intervals (low_95, high_95, ...), the forecast
        from true values (`one_step_ahead`, or `5_steps_ahead` where the network forecasts only that step), and with
        several horizon steps `direct`: all of them from one origin, in the future with intervals (direct_low_95, ...).
        Where no free run is possible the forecast from the last true row has them (one_step_ahead_low_95, ...). NaN
        where there is none.

    Raises:
        UserError: If a lane has too few rows, or its timestamps no regular frequency.
    """
    series = model.data.series
    lead = model.data.windows.spec.horizon_steps[0]
    _check_length(model, steps)
    ends = np.array([rows.stop for rows in series.slices()])
    clock = Clock(series, numbered=model.config.dataset.time_column is None)
    fed = max(steps - lead, 0) if can_run_free(model) else 0  # rows beyond the end that a free run reads
    check_known(model, clock, fed + len(model.data.windows.spec.future_steps), f"steps={steps} reads it")
    answers = _feed_truth(model, ends - steps - lead, steps + lead)
    known = model.data.head.points(answers)  # (steps + lead, lanes, horizon_steps, targets)
    nothing = np.full((steps, *known.shape[1:]), np.nan)
    fed_true = np.concatenate([known[:, :, 0], nothing[lead:, :, 0]])[: 2 * steps]  # rows from ends - steps on
    free = [
        _run_free(model, first, known_rows(model, clock, first, steps)) for first in (ends - steps, ends)
    ]  # each (steps, lanes, targets)
    direct = [_spread(known[position], steps) for position in (lead - 1, steps + lead - 1)]
    reach = measure_free_run(model, steps) if can_run_free(model) else {}
    tables = []
    for lane, end in enumerate(ends):
        for column, target in enumerate(series.targets):
            name = {"lane": series.series_ids[lane]} if series.series_ids else {}
            table = pd.DataFrame(
                name
                | {
                    "target": target,
                    "part": [BACKTEST] * steps + [FUTURE] * steps,
                    "timestamp": _timestamps(clock, series.timestamps, int(end), steps),
                    "actual": _actual(model, int(end), steps, column),
                    "free_run": (run := np.concatenate([each[:, lane, column] for each in free])),
                }
                | _bound(model, run, [each[:, lane, column] for each in reach.values()])
                | {
                    name_true(model): fed_true[:, lane, column],
                }
            )
            if len(model.data.windows.spec.horizon_steps) > 1:
                table["direct"] = np.concatenate([each[:, lane, column] for each in direct])
                table = table.assign(**_bound_last(model, answers[-1], steps, lane, column, "direct"))
            elif not reach:
                table = table.assign(**_bound_last(model, answers[steps], steps, lane, column, name_true(model)))
            tables.append(table)
    return pd.concat(tables, ignore_index=True)


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


def measure_free_run(model: ServedModel, steps: int) -> dict[str, FloatArray]:
    """Return how wrong free runs of the past were: from some rows of the validation and test parts.

    Args:
        model: A served model that can run free.
        steps: Of each free run.

    Returns:
        By part how far an interval of each level reaches at each step, by split conformal prediction from the errors of
        rows that were known when that part was forecast: NaN where too few were. Each (steps, lanes, targets, levels).
    """
    levels = () if model.conformal is None else model.conformal.levels
    series, actual = model.data.series, model.data.series.actual()
    ends = np.array([rows.stop for rows in series.slices()])
    offsets = _choose_origins(model, steps)
    shape = (steps, len(ends), len(series.targets), len(levels))
    if not levels or not offsets.size:
        return {part: np.full(shape, np.nan) for part in (BACKTEST, FUTURE)}
    runs = _run_free_often(model, ends, offsets, steps)  # (origins, steps, lanes, targets)
    due = offsets[:, None] + np.arange(steps)  # rows from the end, negative: (origins, steps)
    rows = np.where(due < 0, due, -1)[:, :, None] + ends  # (origins, steps, lanes)
    came = np.where((due < 0)[:, :, None, None] & series.scorable()[rows], actual[rows], np.nan)
    errors = np.abs(runs - came)
    known = {BACKTEST: due < -steps, FUTURE: due < 0}
    return {
        part: split_radii(np.moveaxis(np.where(there[:, :, None, None], errors, np.nan), 0, -1), levels)
        for part, there in known.items()
    }


def _choose_origins(model: ServedModel, steps: int) -> IntArray:
    """Return rows at which free runs of the past begin, counted from the end of each lane: negative, ascending."""
    series, lead = model.data.series, model.data.windows.spec.horizon_steps[0]
    judged = model.data.split.rows("validation") | model.data.split.rows("test")
    lost = model.data.transformed.lost + model.data.windows.spec.nearest_forecast + lead
    reach = min(
        min(int(judged[rows].sum()), rows.stop - rows.start - lost) for rows in series.slices()
    )  # rows from the end that every lane has
    if reach < 1:
        return np.empty(0, int)
    most = max(_FEWEST_FREE_RUNS, min(_MOST_FREE_RUNS, _MOST_LANES // len(series.slices())))
    return np.unique(np.linspace(-reach, -1, min(reach, most)).astype(int))


def _run_free_often(model: ServedModel, ends: IntArray, offsets: IntArray, steps: int) -> FloatArray:
    """Run free from many rows of the past: the history is read once, and each origin goes on with a copy of the lanes.

    Returns:
        Shape (origins, steps, lanes, targets).
    """
    series, lead = model.data.series, model.data.windows.spec.horizon_steps[0]
    lanes, every = Lanes(model), np.arange(len(ends))
    names = series.series_ids or (model.config.dataset.name,)
    lanes.read_history((ends + offsets[0] - lead).tolist())
    known = model.data.rows.shape[1] - len(series.transformable().T)
    at, numbers = int(offsets[0]), []
    for origin in offsets.tolist():
        for back in range(at, origin):
            lanes.advance(every, model.data.rows[ends + back - lead])
        at = origin
        numbers.append([lanes.branch(names[lane], f"{origin} {names[lane]}") for lane in every.tolist()])
    places = np.array(numbers).ravel()  # (origins x lanes,)
    firsts = (offsets[:, None] + ends).ravel()
    limits = np.tile(ends, len(offsets))
    ahead = np.full((steps, len(places), known), np.nan)
    if known:
        for step in range(steps):
            there = firsts + step < limits
            ahead[step, there] = model.data.rows[firsts[there] + step, -known:]
    runs = _feed_back(model, lanes, places, firsts, ahead)
    return np.moveaxis(runs.reshape(steps, len(offsets), len(ends), -1), 0, 1)


def _bound(model: ServedModel, run: FloatArray, reach: Sequence[FloatArray]) -> dict[str, FloatArray]:
    """Return the columns of the intervals around a free run; its parts reach (steps, levels) each."""
    if model.conformal is None or not reach:
        return {}
    radii = np.concatenate(reach)  # (2 x steps, levels)
    columns: dict[str, FloatArray] = {}
    for place, level in enumerate(model.conformal.levels):
        columns |= {
            f"low_{name_level(level)}": run - radii[:, place],
            f"high_{name_level(level)}": run + radii[:, place],
        }
    return columns


def name_true(model: ServedModel) -> str:
    """Name the forecasts made from true values: `one_step_ahead`, or `5_steps_ahead`."""
    lead = model.data.windows.spec.horizon_steps[0]
    return "one_step_ahead" if lead == 1 else f"{lead}_steps_ahead"


def can_run_free(model: ServedModel) -> bool:
    """Return whether it is known what the network would be fed with."""
    return not unknown_ahead(model)


def unknown_ahead(model: ServedModel) -> list[str]:
    """Return the features whose next values nobody knows: no targets, not known ahead, not made from times."""
    series = model.data.series
    unknown = set(series.features) - {*series.targets, *series.future, *series.static, *series.computed}
    encoded = sources_of(series.levels)
    return sorted({encoded[name][0] if name in encoded else name for name in unknown})


def _feed_truth(model: ServedModel, firsts: np.ndarray, count: int) -> FloatArray:
    """Read some true rows of each lane after its history.

    Returns:
        Shape (count, lanes, horizon_steps, targets, *shape of an answer).
    """
    lanes = Lanes(model)
    lanes.read_history(firsts.tolist())
    every = np.arange(len(firsts))
    return np.stack([lanes.advance_answers(every, model.data.rows[firsts + step]) for step in range(count)])


def _run_free(model: ServedModel, firsts: np.ndarray, ahead: FloatArray) -> FloatArray:
    """Forecast the rows from `firsts` on, each fed back as if it had come, beside what is computed for it.

    Args:
        model: A served model.
        firsts: The first row that is forecast, of each lane.
        ahead: What `known_rows` gives.

    Returns:
        Shape (steps, lanes, targets).
    """
    series, lead = model.data.series, model.data.windows.spec.horizon_steps[0]
    if not can_run_free(model):
        return np.full((len(ahead), len(firsts), len(series.targets)), np.nan)
    lanes, every = Lanes(model), np.arange(len(firsts))
    lanes.read_history((firsts - lead).tolist())
    return _feed_back(model, lanes, every, firsts, ahead)


def _feed_back(model: ServedModel, lanes: Lanes, places: IntArray, firsts: IntArray, ahead: FloatArray) -> FloatArray:
    """Go on from lanes that have read what was known, each fed with its own forecasts; see `_run_free`."""
    steps = len(ahead)
    series, lead = model.data.series, model.data.windows.spec.horizon_steps[0]
    read = series.columns[: len(series.columns) - len(series.untransformed)]
    order = [series.targets.index(name) for name in read]  # every other column is a target
    forecasts: list[FloatArray] = []
    for step in range(steps):
        back = step - lead
        known = back < 0
        row = model.data.rows[firsts + back] if known else np.concatenate([forecasts[back][:, order], ahead[back]], 1)
        forecasts.append(lanes.advance(places, row)[:, 0])
    return np.stack(forecasts)


def _spread(vector: FloatArray, steps: int) -> FloatArray:
    """Lay the horizon steps of one origin, (lanes, horizon_steps, targets), out in time: (steps, lanes, targets)."""
    laid = np.full((steps, vector.shape[0], vector.shape[2]), np.nan)
    count = min(steps, vector.shape[1])
    laid[:count] = np.swapaxes(vector, 0, 1)[:count]
    return laid


def _actual(model: ServedModel, end: int, steps: int, column: int) -> FloatArray:
    series = model.data.series
    rows = slice(end - steps, end)
    known = np.where(series.scorable()[rows, column], series.actual()[rows, column], np.nan)
    return np.concatenate([known, np.full(steps, np.nan)])


def _timestamps(clock: Clock, timestamps: pd.Index, end: int, steps: int) -> Sequence[object]:
    return [*timestamps[end - steps : end], *clock.go_on(timestamps[end - 1], steps)]


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
