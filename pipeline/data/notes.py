"""What a person should know about the data of a run before trusting its scores."""

from collections.abc import Iterator

import numpy as np

from pipeline.config.schema import Config, HeadName, Missing, Normalise, Order, Protocol
from pipeline.data.prepared import PreparedData
from pipeline.data.scaling import forward_scaling
from pipeline.data.text import describe_text

_FEW_LOST = 0.01  # of the changes of a column
_MANY_OUTSIDE = 0.5  # of the validation values of a target


def describe_data(config: Config, data: PreparedData) -> Iterator[str]:
    """Say what was filled in, how the lanes of a stateful network lie, and what is known to mislead.

    Args:
        config: The configuration of the run.
        data: Its prepared data.

    Returns:
        Sentences without a final stop, none when there is nothing to say.
    """
    yield from data.series.notes
    if data.vocabulary is not None:
        yield from describe_text(config, data)
        return
    yield from _describe_single(data)
    yield from _describe_range(config, data)
    if data.series.series_ids:
        sizes = [rows.stop - rows.start for rows in data.series.slices()]
        scaled = "each lane by itself" if config.dataset.scaler_per_lane else "one for all lanes"
        if (panel := data.series.panel) is None:
            yield f"{len(sizes)} lanes of {min(sizes)} to {max(sizes)} rows share the network; scaler: {scaled}"
        else:
            yield (
                f"{panel.num_lanes} lanes of {panel.num_rows} rows share the network, {config.dataset.lane_block} of "
                f"them in memory at a time; scaler: {scaled}; metrics and lanes.csv are of all lanes, "
                f"predictions.csv, test_errors.npz, intervals and figures of {len(sizes)} at equal distances"
            )
    if config.normalises:
        yield describe_normalise(config)
    if config.model.embedding is not None and data.series.levels:
        yield describe_embedding(config, data)
    if config.skips:
        yield describe_skip()
    if data.head.levels:
        yield describe_head(config, data)
    if config.protocol is Protocol.tutorial:
        yield (
            "protocol=tutorial: the scaler has seen the test part, one sample per part is dropped, the test begins "
            "with a cold state, and the validation RMSE is that of the training part; protocol=fair is the honest way"
        )
    elif data.split.judge == "train":
        yield (
            "dataset.validation_fraction=0: every step before the test part is trained on, so nothing stops a training "
            "early, and the validation RMSE is that of the training part; do not choose by it"
        )
    if config.evaluation.origins > 1:
        yield (
            f"evaluation.origins={config.evaluation.origins}: before each block of the test part scaler and networks "
            "are fitted anew on what came before; the validation RMSE is that of the first origin"
        )
    if config.training.online:
        yield (
            "online: one pass in time order, so training.epochs and training.patience do not apply; each forecast, "
            "also of the test part, comes from a network that has learnt from every target before it"
        )
    filled = int(data.series.filled.sum())
    if filled:
        where = "" if data.series.panel is None else " in the lanes that are shown"
        how = config.dataset.missing.value
        yield f"{filled} missing values were filled{where} (dataset.missing={how}) and are not scored"
    if filled and config.dataset.missing is Missing.interpolate:
        yield "interpolate draws a line to the next known value: inputs in a gap know the future; forward_fill does not"
    if data.lanes is not None and not config.training.online:
        lanes = data.lanes
        yield (
            f"{lanes.num_windows} windows in {len(lanes.starts)} batches of {config.batch_size} lanes an epoch, "
            f"{lanes.num_padded} places are padding of weight 0, resets of the state: {int(lanes.resets.sum())}"
        )
    if config.dataset.order is Order.overlapping and config.look_back > 1:
        yield (
            "dataset.order=overlapping carries the state over windows that overlap, so the network reads 1,2,3, 2,3,4, "
            "3,4,5 as one sequence; dataset.order=phases continues it properly"
        )


def describe_normalise(config: Config) -> str:
    """Say what each window is measured by, and what follows for the forecast."""
    how = config.dataset.normalise
    measure = {
        Normalise.window_last: "is read minus its last value",
        Normalise.window_mean: "is read minus its mean",
        Normalise.window_standard: "is read minus its mean, over its standard deviation",
        Normalise.window_scale: "is read over 1 + its mean",
    }[how]
    return (
        f"dataset.normalise={how.value}: each window {measure}, each feature by itself, and the forecast is brought "
        "back by what its target measures there; loss and scores are as without"
    )


def describe_embedding(config: Config, data: PreparedData) -> str:
    """Say what stands for a value of a category."""
    width = config.model.embedding
    each = ", ".join(f"{name} ({len(values)} values)" for name, values in data.series.levels)
    return (
        f"model.embedding={width}: {width} learnt number(s) stand for each value of {each}, the same at every row; a "
        "value that is none of them is zeros"
    )


def describe_skip() -> str:
    """Say what is added to what the network says."""
    return (
        "model.skip=linear: the forecast is that of the recurrent layers plus a linear map of the same window; both "
        "are learnt together"
    )


def describe_head(config: Config, data: PreparedData) -> str:
    """Say what the numbers of a head with quantiles are, and which of them is the forecast."""
    levels = ", ".join(f"{level:g}" for level in data.head.levels)
    said = {
        HeadName.quantile: f"the quantiles {levels}, learnt by the pinball loss",
        HeadName.gaussian: "mean and standard deviation",
        HeadName.student_t: "location, scale and degrees of freedom",
        HeadName.negative_binomial: "mean and dispersion of counts",
    }[config.head]
    of_likelihood = f", learnt by their likelihood; the quantiles {levels} follow from them"
    made = "" if config.head is HeadName.quantile else of_likelihood
    return f"model.head={config.head.value}: of each target the network says {said}{made}; the forecast is the median"


def _describe_single(data: PreparedData) -> Iterator[str]:
    """Say which columns change by less than a 32-bit float holds after scaling: what the network computes in."""
    series = data.series
    scaled = forward_scaling(data.scaling, data.transformed.values, series.series_of_rows())  # (time, columns)
    changes = np.concatenate([np.diff(scaled[rows], axis=0) for rows in series.slices()])
    single = scaled.astype(np.float32)
    kept = np.concatenate([np.diff(single[rows], axis=0) for rows in series.slices()])
    for position, name in enumerate(series.columns[: len(series.columns) - len(series.computed)]):
        changed = np.abs(changes[:, position]) > 0  # False where a difference has no value
        lost = int((changed & (kept[:, position] == 0)).sum())
        if lost > _FEW_LOST * changed.sum():
            yield (
                f"the column '{name}' changes {int(changed.sum())} times, {lost} of them by less than 32-bit floats "
                "hold (what networks use); set dataset.scaler=standard or minmax, or dataset.transforms=[difference]"
            )


def _describe_range(config: Config, data: PreparedData) -> Iterator[str]:
    """Say which targets leave what the network learns from before the test part begins, and what can be done."""
    if config.normalises or config.training.online or data.split.judge == "train":
        return
    learnt, judged = (data.windows.targets[data.split.rows(part)] for part in ("train", "validation"))
    outside = (judged < np.nanmin(learnt, axis=0)) | (judged > np.nanmax(learnt, axis=0))  # (time, targets)
    has_windows = not config.stateful and not config.answers_every_step and config.look_back > 1
    remedies = [
        *(["dataset.normalise=window_standard"] if has_windows and data.windows.spec.target_inputs else []),
        *(["dataset.transforms=auto"] if not config.dataset.transforms else []),
    ]
    for name, count in zip(data.series.targets, outside.sum(axis=0).tolist(), strict=True):
        if count >= _MANY_OUTSIDE * len(judged) and remedies:
            yield (
                f"{count} of {len(judged)} validation values of '{name}' lie outside the range of the training part, "
                f"where the network learns nothing; {' or '.join(remedies)} may help"
            )


def name_contract(config: Config) -> str:
    """Say for MLflow what holds for the state: `kept`, `overlapping` (asked for, with a warning) or `stateless`."""
    if not config.stateful:
        return "stateless"
    return "overlapping" if config.dataset.order is Order.overlapping else "kept"


def count_data(data: PreparedData) -> dict[str, float]:
    """Return the counts of a run's data by MLflow metric name."""
    windows = data.windows
    return {
        "num_train_windows": float(windows.train.size),
        "num_validation_windows": float(windows.validation.size),
        "num_filled_values": float(data.series.filled.sum()),
        "num_padded_places": float(data.lanes.num_padded) if data.lanes is not None else 0.0,
    }
