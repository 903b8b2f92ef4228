"""What an exported model is compared with: forecasts of the run's own Keras network after the last rows of its data."""

from dataclasses import dataclass, replace

import numpy as np

from pipeline.base.environment import hushed_stderr
from pipeline.base.errors import UserError
from pipeline.config.schema import Scaler, Transform
from pipeline.exporting.layout import Layout, take_state
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel

Array = np.ndarray
_ROWS, _LANES = 100, 4  # that are compared, at most


@dataclass(frozen=True)
class Reference:
    """Real rows, and what Keras forecasts after each.

    Attributes:
        histories: All rows of each lane, in the data's own units. Each (time, columns of a row).
        count: The last so many of each are compared.
        state: What the lanes remember before those. Each (lanes, *shape).
        answers: After each, in the data's own units. Shape (lanes, count, horizon_steps, targets, *shape of an answer).
        points: The same as points. Shape (lanes, count, horizon_steps, targets).
        units: What one unit of the scaler is in the data's own units there, same shape as the points.
    """

    histories: tuple[Array, ...]
    count: int
    state: dict[str, Array]
    answers: Array
    points: Array
    units: Array

    @property
    def compared(self) -> int:
        """Rows after which Keras has a forecast, of all lanes together."""
        return int(np.isfinite(self.points).all(axis=(2, 3)).sum())


def make_reference(model: ServedModel, layout: Layout) -> Reference:
    """Let Keras forecast after the last rows of a few lanes.

    Raises:
        UserError: If the data have no row with a forecast.
    """
    series, windows = model.data.series, model.data.windows
    lanes = np.unique(np.linspace(0, len(series.slices()) - 1, _LANES).astype(int))
    spans = [series.slices()[lane] for lane in lanes]
    fewest = min(rows.stop - rows.start for rows in spans)
    count = min(_ROWS, fewest - layout.lost - windows.spec.look_back + 1)
    if count < 1:
        raise UserError(
            f"a lane has {fewest} rows, too few to show that what is exported forecasts as Keras does: "
            f"{layout.lost + windows.spec.look_back} are needed"
        )
    starts = np.concatenate([rows.stop - windows.spec.look_back + 1 - count + np.arange(count) for rows in spans])
    answers = _ask_keras(model, [slice(rows.start + layout.lost, rows.stop) for rows in spans], starts)
    shape = (len(lanes), count, *answers.shape[1:])
    answers = answers.reshape(shape)
    points = model.data.head.points(answers)
    if not np.isfinite(points).all(axis=(2, 3)).any():
        raise UserError(
            f"none of the last {count} rows has a forecast, so nothing shows that what is exported forecasts as Keras "
            "does; rows need all that is known ahead: give future=FILE"
        )
    scale = _scales(model, lanes)[:, None, None]  # (lanes, 1, 1, targets)
    logs = Transform.log in model.config.dataset.transforms
    return Reference(
        histories=tuple(_rows(model, layout, rows) for rows in spans),
        count=count,
        state=_state_before(model, layout, lanes, count),
        answers=answers,
        points=points,
        units=np.abs(points) * scale if logs else np.broadcast_to(scale, points.shape),
    )


def _ask_keras(model: ServedModel, spans: list[slice], starts: Array) -> Array:
    """Return the answers at the ends of some windows, each lane read from the beginning of its span on."""
    with hushed_stderr():  # TensorFlow tells about CPUs and GPUs
        from pipeline.training.forecaster import Forecaster

    look_back = model.data.windows.spec.look_back
    firsts = [np.arange(rows.start, rows.stop - look_back + 1) for rows in spans]
    windows = replace(
        model.data.windows,
        starts=np.concatenate(firsts),
        first_of_series=np.concatenate([np.full(len(each), each[0]) for each in firsts]),
    )
    outputs = Forecaster(model.config, windows).forecast(model.weights, starts)
    return model.data.read_outputs(outputs, starts)


def _state_before(model: ServedModel, layout: Layout, chosen: Array, count: int) -> dict[str, Array]:
    lanes = Lanes(model)
    ends = np.array([rows.stop for rows in model.data.series.slices()])
    ends[chosen] -= count
    lanes.read_history(ends.tolist())
    return {name: array[chosen] for name, array in take_state(model, layout, lanes).items()}


def _rows(model: ServedModel, layout: Layout, rows: slice) -> Array:
    width = len(model.data.series.columns)
    carried = range(width, model.data.rows.shape[1])
    return model.data.rows[rows][:, [*layout.kept, *carried]]


def _scales(model: ServedModel, lanes: Array) -> Array:
    """Return what one unit of the scaler is, before the exponential if there is one. Shape (lanes, targets).

    Without a scaler it is the range of the target, which a scaler would have made 1.
    """
    targets = model.data.series.column_numbers(model.data.series.targets)
    if model.config.dataset.scaler is Scaler.none:
        values = model.data.transformed.values[:, targets]
        return np.broadcast_to(np.nanmax(values, axis=0) - np.nanmin(values, axis=0), (len(lanes), len(targets)))
    return model.data.scaling.scale[lanes][:, targets]
