"""A network that was packed to travel: configuration, scaler and the weights of the best seed, without any data.

Files of plain values, nothing in which can be executed: config.yaml, scaling.json, weights.npz, and with intervals
intervals.npz. With training.all_rows those of the network that forecasts have their own names: scaling_all_rows.json,
weights_all_rows.npz.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.artifacts.interval_file import save_intervals
from pipeline.artifacts.recipe_files import ALL_ROWS_SCALING, CONFIG_NAME, SCALING_NAME, write_config, write_scaling
from pipeline.artifacts.weights import FILE_NAME, load_weights, name_weights, save_weights
from pipeline.base.errors import UserError
from pipeline.config.schema import Config
from pipeline.data.cycles import calendar_names
from pipeline.data.prepared import PreparedData
from pipeline.data.scaling import Scaling
from pipeline.data.series import Levels, Series
from pipeline.data.split import Split
from pipeline.data.transforms import forward_transforms
from pipeline.data.window_spec import make_window_spec
from pipeline.data.windows import Windows
from pipeline.models.heads.registry import head_of
from pipeline.serving.model import MORE_FILES, ServedModel, add_intervals, load_config, make_model

PACKED = (CONFIG_NAME, SCALING_NAME, FILE_NAME)
MORE_PACKED = (*MORE_FILES, ALL_ROWS_SCALING)  # what is read where it is there
_SCALER = ("offset", "scale")


def pack_model(folder: Path, model: ServedModel) -> None:
    """Write what a network needs to forecast rows of its kind of data.

    Args:
        folder: Where the files go.
        model: The seed; of its data only the scaler and the names of the columns are kept.
    """
    scaling, weights = _name_files(model.config)
    write_config(folder, model.config)
    write_scaling(folder, model.config, model.data, scaling)
    save_weights(folder, [model.seed], 0, [model.weights], weights)
    if model.conformal is not None:
        save_intervals(folder, model.conformal, model.bounded)


def unpack_model(folder: Path) -> ServedModel:
    """Read what `pack_model` wrote, or the same files of a run: a model whose history has no rows.

    Raises:
        UserError: If a file is damaged.
    """
    config = load_config(folder / CONFIG_NAME)
    scaling, weights = _name_files(config)
    data = _bare_data(config, folder / scaling)
    saved = load_weights(folder / weights)
    model = make_model(config, data, int(saved.seeds[saved.best]), saved.of_best(), saved.digest())
    return add_intervals(model, folder)


def _name_files(config: Config) -> tuple[str, str]:
    """Return what the scaler and the weights of the network that forecasts are called."""
    all_rows = config.training.all_rows
    return ALL_ROWS_SCALING if all_rows else SCALING_NAME, name_weights(all_rows)


def _bare_data(config: Config, path: Path) -> PreparedData:
    """Return data without a row that name the columns and hold the scaler."""
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        per_lane = described.get("lanes", {})
        each = list(per_lane.values()) or [described["columns"]]
        columns = tuple(each[0])
        offset, scale = (np.array([[lane[name][kind] for name in columns] for lane in each]) for kind in _SCALER)
        step = str(described.get("step", ""))
        features, targets = tuple(described["features"]), tuple(described["targets"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path.name} of the run cannot be read: {error}; train the run again") from error
    values = np.empty((0, len(columns)))
    levels = tuple(
        (name, tuple(column.removeprefix(f"{name}=") for column in columns if column.startswith(f"{name}=")))
        for name in config.dataset.categories
    )
    series = Series(
        timestamps=pd.RangeIndex(0),
        values=values,
        columns=columns,
        features=features,
        targets=targets,
        filled=values.astype(bool),
        origin=config.dataset.name,
        computed=calendar_names(config.dataset.calendar),
        future=(
            *_encoded(config.dataset.future_columns, levels),
            *calendar_names(config.dataset.calendar_ahead),
        ),
        step=step,
        static=_encoded(config.dataset.static, levels),
        levels=levels,
        series_ids=tuple(per_lane),
        series_ends=(0,) * len(per_lane),
    )
    nothing, spec = np.empty(0, dtype=np.int64), make_window_spec(config, series)
    windows = Windows(
        inputs=np.empty((0, len(spec.columns)), np.float32),
        targets=np.empty((0, len(targets)), np.float32),
        spec=spec,
        starts=nothing,
        train=nothing,
        validation=nothing,
        first_of_series=nothing,
    )
    transformed = forward_transforms(
        values, config.dataset.transforms, config.dataset.period, untouched=len(series.untransformed)
    )
    scaling = Scaling(config.dataset.scaler, offset, scale)
    return PreparedData(series, Split(nothing), transformed, scaling, windows, None, head_of(config))


def _encoded(names: Sequence[str], levels: Levels) -> tuple[str, ...]:
    """Return the columns of some names: of a category one for each of its values."""
    values = dict(levels)
    return tuple(each for name in names for each in ([f"{name}={value}" for value in values.get(name, ())] or [name]))
