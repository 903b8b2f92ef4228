"""The free run: a network that is fed with its own forecasts, or with what was drawn of them, as if it had come."""

from collections.abc import Callable

import numpy as np

from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.categories import sources_of
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel

# Reads a row of each lane, and says what comes: lanes, their numbers (n,), rows (n, columns) to (n, targets).
Say = Callable[[Lanes, IntArray, FloatArray], FloatArray]


def can_run_free(model: ServedModel) -> bool:
    """Return whether it is known what the network would be fed with."""
    return not unknown_ahead(model)


def unknown_ahead(model: ServedModel) -> list[str]:
    """Return the features whose next values nobody knows: no targets, not known ahead, not made from times."""
    series = model.data.series
    unknown = set(series.features) - {*series.targets, *series.future, *series.static, *series.computed}
    encoded = sources_of(series.levels)
    return sorted({encoded[name][0] if name in encoded else name for name in unknown})


def say_points(lanes: Lanes, places: IntArray, rows: FloatArray) -> FloatArray:
    """Return the forecasts of the first step that the network looks ahead. Shape (n, targets)."""
    return lanes.advance(places, rows)[:, 0]


def read_before(model: ServedModel, firsts: IntArray) -> Lanes:
    """Return the run's lanes as a free run begins with them: what the network knows when it forecasts these rows."""
    lanes = Lanes(model)
    lanes.read_history((firsts - model.data.windows.spec.horizon_steps[0]).tolist())
    return lanes


def feed_back(
    model: ServedModel,
    lanes: Lanes,
    places: IntArray,
    firsts: IntArray,
    ahead: FloatArray,
    say: Say = say_points,
) -> FloatArray:
    """Forecast the rows from `firsts` on, each fed back as if it had come, beside what is known of it.

    Args:
        model: A served model that can run free.
        lanes: As `read_before` gives them, or copies of such lanes.
        places: Numbers of the lanes that go on. Shape (n,).
        firsts: The first row that is forecast, of each. Shape (n,).
        ahead: What is known of the rows, as `known_rows` gives it. Shape (steps, n, columns).
        say: What comes after a row.

    Returns:
        Shape (steps, n, targets).
    """
    series, lead = model.data.series, model.data.windows.spec.horizon_steps[0]
    read = series.columns[: len(series.columns) - len(series.untransformed)]
    order = [series.targets.index(name) for name in read]  # every other column is a target
    forecasts: list[FloatArray] = []
    for step in range(len(ahead)):
        back = step - lead
        known = back < 0
        row = model.data.rows[firsts + back] if known else np.concatenate([forecasts[back][:, order], ahead[back]], 1)
        forecasts.append(say(lanes, places, row))
    return np.stack(forecasts)
