"""What a row of an exported model holds, and what a lane has to remember between two rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.errors import UserError
from pipeline.config.schema import HeadName, Transform
from pipeline.data.reading import reads_rows_once
from pipeline.data.transforms import lag_of
from pipeline.models.plan import NUM_STATES, LayerPlan
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel

Array = np.ndarray
MISSING = "missing"  # rows that a lane has to read before its first forecast
WINDOW = "window"
OFFSET, SCALE = "offset", "scale"
_NO_QUANTILES = {
    HeadName.student_t: "quantiles of Student's t",
    HeadName.negative_binomial: "quantiles of a negative binomial distribution",
}


@dataclass(frozen=True)
class Layout:
    """The columns of a row.

    Attributes:
        kept: Columns of the series that are needed: features, and targets that differences are taken of.
        changed: So many of them, the first ones, are transformed.
        columns: Their names, then those of what a row carries of the rows after it.
        features: Places among `kept` that the network reads.
        carried: Places among `kept` of the columns whose next values stand at the end of a row.
        targets: Columns of the series that are forecast.
        target_places: Their places among those that are transformed; () where nothing is taken off them.
        rows_needed: Rows that the network reads at once.
        lost: Rows that differences take before the first one that is defined.
    """

    kept: tuple[int, ...]
    changed: int
    columns: tuple[str, ...]
    features: tuple[int, ...]
    carried: tuple[int, ...]
    targets: tuple[int, ...]
    target_places: tuple[int, ...]
    rows_needed: int
    lost: int


def lay_out(model: ServedModel) -> Layout:
    """Find what a row of a model holds.

    Raises:
        UserError: If the model does something that no exported one can.
    """
    config, series, spec = model.config, model.data.series, model.data.windows.spec
    if config.head in _NO_QUANTILES:
        raise UserError(
            f"model.head={config.head.value} cannot be exported: {_NO_QUANTILES[config.head]} are no operation of "
            "these formats; train with model.head=gaussian or quantile"
        )
    differs = any(step is not Transform.log for step in config.dataset.transforms)
    needed = {*series.features, *(series.targets if differs else ())}
    kept = [number for number, name in enumerate(series.columns) if name in needed]
    changed = sum(number < len(series.columns) - len(series.untransformed) for number in kept)
    targets = series.column_numbers(series.targets)
    return Layout(
        kept=tuple(kept),
        changed=changed,
        columns=(*(series.columns[number] for number in kept), *spec.carried),
        features=tuple(kept.index(number) for number in series.column_numbers(series.features)),
        carried=tuple(kept.index(number) for number in spec.carried_from(series)),
        targets=tuple(targets),
        target_places=tuple(kept.index(number) for number in targets) if differs else (),
        rows_needed=spec.rows_per_step if reads_rows_once(config) else spec.look_back,
        lost=model.data.transformed.lost,
    )


def name_tails(transforms: Sequence[Transform]) -> list[str | None]:
    """Return the name of what each transform remembers; None of a logarithm, which remembers nothing.

    Example:
        >>> name_tails([Transform.log, Transform.difference])
        [None, 'difference_2']
    """
    return [None if step is Transform.log else f"{step.value}_{place}" for place, step in enumerate(transforms, 1)]


def name_states(layers: Sequence[LayerPlan]) -> list[tuple[str, int]]:
    """Return the name and the units of every state of a network, in its own order: h_1, c_1, h_2, ..."""
    cells = [layer for layer in layers if layer.cell is not None]
    return [
        (f"{letter}_{number}", layer.outputs)
        for number, layer in enumerate(cells, 1)
        for letter in "hc"[: NUM_STATES[layer.cell] if layer.cell is not None else 0]
    ]


def state_shapes(model: ServedModel, layout: Layout) -> dict[str, tuple[int, ...]]:
    """Return what a lane remembers: names and shapes, in the order of the step form."""
    dataset, width = model.config.dataset, len(model.data.windows.spec.columns)
    shapes: dict[str, tuple[int, ...]] = {MISSING: (1,)}
    for name, step in zip(name_tails(dataset.transforms), dataset.transforms, strict=True):
        if name is not None:
            shapes[name] = (lag_of(step, dataset.period), layout.changed)
    if layout.rows_needed > 1:
        shapes[WINDOW] = (layout.rows_needed - 1, width)
    if model.config.stateful:
        shapes |= {name: (units,) for name, units in name_states(model.network.layers)}
    return shapes | scaler_shapes(model)


def scaler_shapes(model: ServedModel) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the scaler, where each lane has its own; otherwise none."""
    columns = (len(model.data.series.columns),)
    return dict.fromkeys((OFFSET, SCALE), columns) if model.config.dataset.scaler_per_lane else {}


def take_state(model: ServedModel, layout: Layout, lanes: Lanes) -> dict[str, Array]:
    """Return what lanes remember, by the names of `state_shapes`. Each (lanes, *shape)."""
    count, dataset = len(lanes.numbers), model.config.dataset
    consumed, scaler, _, window, *others = (array[:count] for array in lanes.arrays)
    tails, states = others[: len(dataset.transforms)], others[len(dataset.transforms) :]
    changed = list(layout.kept[: layout.changed])
    found = {MISSING: np.maximum(layout.lost + layout.rows_needed - consumed, 0).astype(np.float32)[:, None]}
    found |= {
        name: tail[:, :, changed] for name, tail in zip(name_tails(dataset.transforms), tails, strict=True) if name
    }
    found[WINDOW] = window[:, 1:]
    found |= {name: state for (name, _), state in zip(name_states(model.network.layers), states, strict=True)}
    found |= {OFFSET: model.data.scaling.offset[scaler], SCALE: model.data.scaling.scale[scaler]}
    return {name: found[name].copy() for name in state_shapes(model, layout)}
