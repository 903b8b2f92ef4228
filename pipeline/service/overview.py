"""What people look at: the lanes page by page, what came lately beside what was forecast, and what was refused."""

import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from pipeline.data.arrays import FloatArray
from pipeline.service.desk import Desk
from pipeline.service.live import Live
from pipeline.service.metrics import Metrics
from pipeline.service.replies import Refused
from pipeline.serving.lane_bounds import name_around

MOST_LISTED = 1000  # lanes of one answer


def describe_service(live: Live, metrics: Metrics) -> dict[str, Any]:
    """Return what a service is, and how it does."""
    model = live.desk.model
    levels = () if model.conformal is None else model.conformal.levels
    ends = name_around(model)[: 2 * len(levels)]
    return {
        "run": live.run_id,
        "dataset": model.config.dataset.name,
        "targets": list(model.data.series.targets),
        "horizons": list(model.data.windows.spec.horizon_steps),
        "intervals": [
            {"coverage": level, "low": ends[2 * place], "high": ends[2 * place + 1]}
            for place, level in enumerate(levels)
        ],
        "lanes": len(live.desk.book),
        **metrics.counts(),
        "drift": live.desk.book.drift_of_all(),
    }


def list_lanes(desk: Desk, asked: Mapping[str, str]) -> dict[str, Any]:
    """Return some of the lanes, in the order in which they came, and how many there are.

    Args:
        desk: Has them.
        asked: `contains`: a piece of their names, in small or capital letters; `first`: the place of the first one
            among these, from 0; `count`: how many.

    Raises:
        Refused: If one of them is no number that is allowed.
    """
    first, count = _read_count(asked, "first", 0), min(_read_count(asked, "count", MOST_LISTED), MOST_LISTED)
    wanted = asked.get("contains", "").casefold()
    names = [name for name in desk.lane_names() if name and wanted in name.casefold()]
    some = islice(names, first, first + count)
    return {
        "number": len(names),
        "lanes": [
            {
                "lane": name,
                "rows": desk.book.rows_of(name),
                "last_timestamp": desk.book.name_last(name),
                "alarm_since": (desk.book.drift_of(name) or {}).get("alarm_since"),
            }
            for name in some
        ],
    }


def show_recent(desk: Desk, lane: str) -> dict[str, Any]:
    """Return the newest rows of a lane that are kept, oldest first, with what each was answered.

    Args:
        desk: Has it.
        lane: One of its lanes.
    """
    number, model = desk.book.number_of(lane), desk.model
    kept = [] if number is None else desk.recent.newest(number, desk.book.rows_of(lane))
    times = _name_times(desk, lane, [key for key, _, _ in kept])
    targets = {name: model.data.series.columns.index(name) for name in model.data.series.targets}
    rows = [
        {
            "timestamp": time,
            "actual": {name: _finite(float(values[place])) for name, place in targets.items()},
            "forecasts": desk.answers.of_row(desk.book, lane, key, time, numbers),
        }
        for time, (key, values, numbers) in zip(times, kept, strict=True)
    ]
    errors = _measure(rows, list(targets), model.config.dataset.period)
    return {"lane": lane, "rows": rows, "errors": errors, "drift": desk.book.drift_of(lane)}


def _measure(rows: Sequence[Mapping[str, Any]], targets: Sequence[str], period: int) -> dict[str, Any]:
    """Return the root mean squared error of the nearest step ahead, of the last value repeated, and of a season ago.

    All on the same rows: those for which each had a forecast. None where there are none.
    """
    ahead = rows[0]["forecasts"][0]["horizon"] if rows else 1
    season = period * -(-ahead // period)
    found: dict[str, Any] = {"horizon": ahead, "season": season}
    for target in targets:
        actual = np.array([math.nan if row["actual"][target] is None else row["actual"][target] for row in rows])
        made = np.array([_forecast_of(row, target) for row in rows])
        guesses = {"network": (made, ahead), "persistence": (actual, ahead), "seasonal": (actual, season)}
        shifted = {name: _shift(values, by) for name, (values, by) in guesses.items()}
        if not np.isfinite(actual - shifted["seasonal"]).any():  # not even one season is kept
            del shifted["seasonal"]
        errors = np.array([actual - values for values in shifted.values()])  # (forecasts, rows)
        scored = np.isfinite(errors).all(axis=0)
        rmse = np.sqrt((errors[:, scored] ** 2).mean(axis=1)).tolist() if scored.any() else [None] * len(errors)
        found[target] = {"rows": int(scored.sum()), "rmse": dict(zip(shifted, rmse, strict=True))}
    return found


def _forecast_of(row: Mapping[str, Any], target: str) -> float:
    value = next(each["forecast"] for each in row["forecasts"] if each["target"] == target)
    return math.nan if value is None else value


def _shift(values: FloatArray, by: int) -> FloatArray:
    """Return what stood so many places before; NaN where nothing did."""
    return np.concatenate([np.full(min(by, len(values)), math.nan), values[: max(len(values) - by, 0)]])


def _name_times(desk: Desk, lane: str, keys: Sequence[float]) -> list[str]:
    last = desk.book.name_last(lane)
    if not keys or not math.isnan(keys[0]):
        return [desk.book.name_time(key) for key in keys]
    return [str(int(last or 0) - back) for back in range(len(keys) - 1, -1, -1)]  # rows are numbered


def _read_count(asked: Mapping[str, str], name: str, default: int) -> int:
    text = asked.get(name, str(default))
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise Refused(400, "malformed", f"{name} must be a whole number that is not negative")
    return int(text)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
