"""Every baseline, one line each. To add one: a file beside this one that forecasts, and a line here."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipeline.baselines.drift import forecast_drift
from pipeline.baselines.persistence import forecast_persistence
from pipeline.baselines.ridge import forecast_linear
from pipeline.baselines.seasonal import forecast_seasonal
from pipeline.baselines.task import Array, Task
from pipeline.baselines.text.registry import TEXT_BASELINES


@dataclass(frozen=True)
class Baseline:
    """A forecast that needs no network.

    Attributes:
        name: In metric names: `baseline_NAME_rmse`, `skill_NAME`.
        label: For tables and figures.
        phrase: For sentences; `{lags}` stands for what the network looks back on.
        forecast: Returns shape (time, horizon_steps, targets), in the data's own units; NaN where it has no forecast.
    """

    name: str
    label: str
    phrase: str
    forecast: Callable[[Task], Array]


BASELINES = {
    each.name: each
    for each in (
        Baseline("persistence", "persistence", "repeating the last value (persistence)", forecast_persistence),
        Baseline(
            "seasonal", "seasonal naive", "repeating the value of one season ago (seasonal naive)", forecast_seasonal
        ),
        Baseline("drift", "drift", "going on along the mean change so far (drift)", forecast_drift),
        Baseline("linear", "linear fit", "the linear fit on the last {lags}", forecast_linear),
    )
}


def find_strongest(scores: Sequence[float]) -> int:
    """Return the place of the strongest baseline: the one with the lowest test score, the first of equal ones.

    Args:
        scores: Test score of each baseline, at least one; NaN where it has no forecast.

    Example:
        >>> find_strongest([49.0, float("nan"), 31.5])
        2
    """
    return min(range(len(scores)), key=lambda place: (math.isnan(scores[place]), scores[place]))


def name_baseline(name: str) -> str:
    """Return the label of a baseline; of one that another version logged, its name."""
    known = BASELINES | TEXT_BASELINES
    return known[name].label if name in known else name


def list_baselines() -> list[str]:
    """Return the names of all baselines: those of series, then those of texts."""
    return [*BASELINES, *TEXT_BASELINES]


def phrase_baseline(name: str, look_back: int) -> str:
    """Name a baseline in a sentence.

    Example:
        >>> phrase_baseline("linear", 1), phrase_baseline("linear", 12)
        ('the linear fit on the last value', 'the linear fit on the last 12 values')
    """
    lags = "value" if look_back == 1 else f"{look_back} values"
    known = BASELINES | TEXT_BASELINES
    return known[name].phrase.format(lags=lags) if name in known else name
