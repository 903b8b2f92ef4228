"""Where the run of a served model ended: what its errors were until then, and which inputs it has seen."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.config.schema import Transform
from pipeline.data.arrays import FloatArray
from pipeline.evaluation.alarm import ErrorsBefore, measure_errors
from pipeline.serving.model import ServedModel
from pipeline.serving.windows import forecast_windows

_LONGEST_SEASON = 1024  # rows of each lane that are kept for the seasonal baseline


@dataclass(frozen=True)
class DriftStart:
    """What `LaneDrift` begins with.

    Attributes:
        targets: Names of the targets.
        inputs: Names of what the network reads of a row.
        ahead: The nearest step ahead that is forecast.
        season: Rows to the value of the same season that is known then; None where that is too many to keep.
        logged: Whether errors are compared as those of logarithms.
        low: The least value of each input in the training part, as the network reads it. Shape (inputs,).
        high: The largest. Shape (inputs,).
        places: Place of each lane of the run in the arrays below.
        other: Place of all other lanes: the last one where nothing is known of them.
        before: Errors of the validation and test parts.
        rmse: Their root mean square in the data's own units. Shape (lanes + 1, targets).
    """

    targets: Sequence[str]
    inputs: Sequence[str]
    ahead: int
    season: int | None
    logged: bool
    low: FloatArray
    high: FloatArray
    places: Mapping[str, int]
    other: int
    before: ErrorsBefore
    rmse: FloatArray

    def subtract(self, actual: FloatArray, forecasts: FloatArray) -> FloatArray:
        """Return errors as they are compared: where the network forecasts logarithms, the differences of these."""
        if not self.logged:
            return actual - forecasts
        known = (actual > 0) & (forecasts > 0)
        if known.all():
            return np.log(actual / forecasts)
        return np.where(known, np.log(np.where(known, actual, 1.0) / np.where(known, forecasts, 1.0)), np.nan)


def find_start(model: ServedModel) -> DriftStart:
    """Look at the rows a model was trained on, and let what was scored forecast the validation and test parts again."""
    series, spec, dataset = model.data.series, model.data.windows.spec, model.config.dataset
    ahead, lanes = spec.horizon_steps[0], len(series.slices())
    season = dataset.period * -(-ahead // dataset.period)
    low, high = _find_range(model)
    start = DriftStart(
        targets=series.targets,
        inputs=spec.columns,
        ahead=ahead,
        season=season if season <= _LONGEST_SEASON else None,
        logged=Transform.log in dataset.transforms,
        low=low,
        high=high,
        places={name: place for place, name in enumerate(series.series_ids)},
        other=lanes if series.series_ids else 0,
        before=measure_errors([], len(series.targets)),
        rmse=np.full((lanes + 1, len(series.targets)), np.nan),
    )
    actual, forecasts = _forecast_judged(model.measured)
    mine = [actual[rows] - forecasts[rows] for rows in series.slices()]
    known = [each[np.isfinite(each).all(axis=1)] for each in mine]
    for place, each in enumerate(known):
        start.rmse[place] = np.sqrt((each**2).mean(axis=0)) if len(each) else np.nan
    compared = [start.subtract(actual[rows], forecasts[rows]) for rows in series.slices()]
    return replace(start, before=measure_errors(compared, len(series.targets), ahead))


def _forecast_judged(model: ServedModel) -> tuple[FloatArray, FloatArray]:
    """Return targets and forecasts of the validation and test parts, NaN elsewhere. Each (time, targets)."""
    data = model.data
    series, windows = data.series, data.windows
    judged = data.split.rows("validation") | data.split.rows("test")
    rows = windows.spec.forecast_rows(windows.starts)[:, 0]
    if not model.config.stateful:
        windows, rows = replace(windows, starts=windows.starts[judged[rows]]), rows[judged[rows]]
    forecasts = np.full((len(series), len(series.targets)), np.nan)
    if len(rows):
        outputs = forecast_windows(model.config, windows, model.network)
        forecasts[rows] = data.head.points(data.read_outputs(outputs, windows.starts))[:, 0]
    return np.where(series.scorable() & judged[:, None], series.actual(), np.nan), forecasts


def _find_range(model: ServedModel) -> tuple[FloatArray, FloatArray]:
    """Return the least and the largest value of each input; of one that windows measure by themselves there is none."""
    data = model.data
    rows = data.windows.inputs[data.split.rows("train")]
    low = np.where(np.isfinite(rows), rows, np.inf).min(axis=0, initial=np.inf)
    high = np.where(np.isfinite(rows), rows, -np.inf).max(axis=0, initial=-np.inf)
    unknown = low > high
    if model.config.normalises:
        unknown[: len(unknown) - data.windows.spec.untouched] = True
    return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)
