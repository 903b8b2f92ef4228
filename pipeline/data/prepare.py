"""The third gate and the whole way from a configuration to windows: what a run is trained and scored on."""

import numpy as np

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, HeadName, Protocol, ShortLanes, Transform
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.calendar_ahead import check_ahead
from pipeline.data.categories import encode_categories, find_levels
from pipeline.data.contract import check_contract
from pipeline.data.cycles import check_cycles
from pipeline.data.known_ahead import carry_ahead
from pipeline.data.lanes import Batches, batch_lanes, cut_lanes
from pipeline.data.online import batch_online
from pipeline.data.prepared import PreparedData
from pipeline.data.scaling import Scaling, fit_scaling, forward_scaling
from pipeline.data.series import Series
from pipeline.data.short_lanes import leave_out_short
from pipeline.data.sources import load_series
from pipeline.data.split import Split, split_series, train_on_all
from pipeline.data.text import prepare_text
from pipeline.data.transforms import forward_transforms
from pipeline.data.validate import LARGEST
from pipeline.data.window_spec import WindowSpec, make_window_spec
from pipeline.data.windows import Windows, make_windows
from pipeline.models.heads.registry import head_of

_ROUNDING = 8 * np.finfo(float).eps


def prepare_data(
    config: Config, series: Series | None = None, scaling: Scaling | None = None, origin: int | None = 0
) -> PreparedData:
    """Load and prepare everything a run needs.

    Args:
        config: The configuration of the run.
        series: An already loaded series; by default the one the configuration names is loaded.
        scaling: A scaler fitted before; by default it is fitted as the protocol says: on the training part, or with
            protocol=tutorial on all values.
        origin: Which origin of a rolling one, from 0; None: the end, where all rows are trained on and none is scored.

    Returns:
        The prepared data.

    Raises:
        UserError: If the data and the configuration do not go together.
    """
    if series is None:
        series = load_series(config.dataset)
    if config.reads_text:
        return prepare_text(config, series)
    if Transform.auto in config.dataset.transforms:
        raise ValueError("resolve_transforms comes first: dataset.transforms=auto names no transforms")
    series = leave_out_short(config, series)
    if origin is None:
        split = train_on_all(series)
    else:
        split = split_series(series, config.dataset, config.protocol, origin, config.evaluation.origins)
    if any(name in series.columns for name, _ in series.levels):  # as they were read
        series = encode_categories(config.dataset, series, find_levels(config.dataset, series, split.rows("train")))
    _check_size(config, series)
    _check_log(config, series)
    _check_counts(config, series)
    check_cycles(config.dataset, series, split)
    check_ahead(config.dataset, series)
    transformed = forward_transforms(
        series.values, config.dataset.transforms, config.dataset.period, series.slices(), len(series.untransformed)
    )
    lost = transformed.lost
    spec = make_window_spec(config, series)
    _check_length(config, series, split, spec, lost)
    in_train = split.rows("train")
    train_values = [transformed.values[rows][lost:][in_train[rows][lost:]] for rows in series.slices()]
    raw = [series.values[rows][in_train[rows]] for rows in series.slices()]
    static = series.column_numbers(series.static)
    if series.steps is None or config.dataset.scaler_per_lane:  # what a whole panel has is checked by panel_blocks.py
        _check_constant(config, series, train_values, raw)
    if scaling is None:
        fitted_on = train_values if config.protocol is Protocol.fair else [transformed.values[lost:]]
        scaling = fit_scaling(
            config.dataset.scaler, fitted_on, config.dataset.scaler_per_lane, len(series.unscaled), static
        )
    scaled = _scale(scaling, transformed.values, series, spec)
    windows = make_windows(config.protocol, spec, scaled, series, split, lost)
    if series.steps is None:
        check_windows(config, windows.train.size, windows.validation.size)
        _check_measured(config, series, split)
    lanes = _lanes(config, windows, series, split)
    return PreparedData(series, split, transformed, scaling, windows, lanes, head_of(config), config.protocol)


def check_windows(config: Config, num_train: int, num_validation: int) -> None:
    """Raise a UserError where there is no window to train on, or none to choose by."""
    for part, number in (("train", num_train), ("validation", num_validation)):
        if not number:
            raise UserError(
                f"dataset '{config.dataset.name}' has no {part} window whose targets were all measured, with "
                f"look_back={config.look_back} and horizon={config.horizon}; enlarge that part or lower horizon"
            )


def _scale(scaling: Scaling, transformed: FloatArray, series: Series, spec: WindowSpec) -> FloatArray:
    """Scale the columns, and behind them what rows carry of those after them. Shape (time, columns + carried)."""
    numbers = series.series_of_rows()
    scaled = forward_scaling(scaling, transformed, numbers)
    if not spec.future_columns:
        return scaled
    carried = carry_ahead(series, len(spec.future_steps))
    behind = forward_scaling(scaling.choose(spec.carried_from(series)), carried, numbers)
    return np.concatenate([scaled, behind], axis=1)


def _lanes(config: Config, windows: Windows, series: Series, split: Split) -> Batches | None:
    """Lanes are cut from all windows before the training part ends, so that a filled target leaves no hole."""
    if not config.stateful:
        return None
    if config.training.online and config.batch_size != len(series.slices()):
        raise UserError(
            f"training.online=true reads all {len(series.slices())} series side by side; set "
            f"batch_size={len(series.slices())}, not {config.batch_size}"
        )
    if config.training.online:
        return batch_online(config, series, windows)
    consecutive = consecutive_windows(windows, series, split)
    fewest = min(len(starts) for starts in consecutive)
    if config.dataset.segments > fewest:
        raise UserError(
            f"dataset.segments={config.dataset.segments} needs at least as many training windows, but there are "
            f"{fewest}; lower dataset.segments"
        )
    lanes = cut_lanes(consecutive, config.dataset.order, windows.spec.time_steps, config.dataset.segments)
    if len(lanes) < config.batch_size:
        raise UserError(
            f"batch_size={config.batch_size} needs as many lanes, but the {sum(map(len, consecutive))} training "
            f"windows make only {len(lanes)}; lower batch_size"
        )
    batches = batch_lanes(lanes, config.batch_size, windows.train)
    check_contract(batches, consecutive, windows.train, config.dataset.order, windows.spec.time_steps)
    return batches


def consecutive_windows(windows: Windows, series: Series, split: Split) -> list[IntArray]:
    """Return, for each series of a panel, the starts of all windows whose targets lie in the training part."""
    in_train = split.rows("train")
    each = []
    for rows in series.slices():
        starts = windows.starts[(windows.starts >= rows.start) & (windows.starts < rows.stop)]
        last_targets = windows.spec.last_targets(starts)
        inside = last_targets < rows.stop
        each.append(starts[inside][in_train[last_targets[inside]]])
    return each


def _check_size(config: Config, series: Series) -> None:
    bad = np.argwhere(np.abs(series.values) > LARGEST)
    if bad.size:
        row, column = (int(position) for position in bad[0])
        raise UserError(
            f"dataset '{config.dataset.name}'{series.describe_row(row)}: the column '{series.columns[column]}' holds "
            f"{series.values[row, column]:g}, which is too large to compute with; fix the file or use another unit"
        )


def _check_log(config: Config, series: Series) -> None:
    if Transform.log not in config.dataset.transforms:
        return
    bad = np.argwhere(series.transformable() <= 0)
    if bad.size:
        row, column = (int(position) for position in bad[0])
        raise UserError(
            f"dataset '{config.dataset.name}'{series.describe_row(row)}: the column '{series.columns[column]}' holds "
            f"{series.values[row, column]:g}, which has no logarithm; leave log out of dataset.transforms"
        )


def _check_counts(config: Config, series: Series) -> None:
    if config.head is not HeadName.negative_binomial:
        return
    actual = np.where(series.scorable(), series.actual(), 0.0)
    bad = np.argwhere((actual < 0) | (actual != np.round(actual)))
    if bad.size:
        row, target = (int(position) for position in bad[0])
        raise UserError(
            f"dataset '{config.dataset.name}'{series.describe_row(row)}: the target '{series.targets[target]}' is "
            f"{actual[row, target]:g}, but model.head=negative_binomial is for counts: 0, 1, 2, ...; set "
            "model.head=quantile, which takes any values"
        )


def _check_length(config: Config, series: Series, split: Split, spec: WindowSpec, lost: int) -> None:
    in_train, in_validation = split.rows("train"), split.rows("validation")
    for number, rows in enumerate(series.slices()):
        where = f"dataset '{config.dataset.name}'{series.describe_series(number)}"
        usable = max(int(in_train[rows].sum()) - lost, 0)
        if usable < spec.num_rows:
            gone = f" after {lost} lost to differences" if lost else ""
            may_leave_out = series.series_ids and config.dataset.short_lanes is ShortLanes.error
            remedy = ", or set dataset.short_lanes=leave_out" if may_leave_out else ""
            raise UserError(
                f"{where} has {usable} training steps{gone}, but look_back={config.look_back} and "
                f"horizon={config.horizon} need at least {spec.num_rows}; lower look_back or "
                f"dataset.test_fraction{remedy}"
            )
        if config.dataset.period > in_train[rows].sum():
            raise UserError(
                f"dataset.period={config.dataset.period} is longer than the {in_train[rows].sum()} training steps of "
                f"{where}; the seasonal baseline needs a period inside them; lower dataset.period"
            )
    longest = max(int(in_validation[rows].sum()) for rows in series.slices())
    if 0 < longest < config.horizon and series.steps is None:
        raise UserError(
            f"horizon={config.horizon} is longer than the validation part of {longest} steps; lower horizon or raise "
            "dataset.validation_fraction"
        )


def _check_constant(config: Config, series: Series, trained: list[FloatArray], raw: list[FloatArray]) -> None:
    """Refuse columns that do not change in training: `trained` is that part of each series, `raw` it untransformed.

    Those that are computed are another's to check.
    """
    read = len(series.columns) - len(series.unscaled)
    trained, raw = [values[:, :read] for values in trained], [values[:, :read] for values in raw]
    per_series = config.dataset.scaler_per_lane
    pairs = zip(trained, raw, strict=True) if per_series else [(np.concatenate(trained), np.concatenate(raw))]
    for number, (values, before) in enumerate(pairs):
        constant = np.flatnonzero(np.ptp(values, axis=0) <= rounding_of(config, before))
        constant = np.setdiff1d(constant, series.column_numbers(series.static)) if per_series else constant
        if constant.size:
            name = series.columns[int(constant[0])]
            where = series.describe_series(number) if per_series else ""
            remedy = ", or set dataset.scaler_per_lane=false" if where else ""
            key = "future" if name in series.future else "static" if name in series.static else "features"
            raise UserError(
                f"dataset '{config.dataset.name}'{where}: the column '{name}' is constant in the training part, so "
                f"nothing can be learnt from it; leave it out of dataset.{key}, or change the split or "
                f"dataset.transforms{remedy}"
            )


def rounding_of(config: Config, raw: FloatArray) -> FloatArray:
    """Return how large a difference of transformed values may be that is rounding alone. Shape (columns,)."""
    largest = np.abs(raw).max(axis=0)
    if Transform.log in config.dataset.transforms:
        largest = np.maximum(1.0, np.abs(np.log(raw)).max(axis=0))
    return np.asarray(_ROUNDING * largest)


def _check_measured(config: Config, series: Series, split: Split) -> None:
    for part in ("validation", "test"):
        empty = np.flatnonzero(~series.scorable()[split.rows(part)].any(axis=0))
        if empty.size and split.count(part):
            raise UserError(
                f"dataset '{config.dataset.name}': every {part} value of '{series.targets[int(empty[0])]}' was filled "
                "in, so nothing can be scored; change the split or fix the file"
            )
