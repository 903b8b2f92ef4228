"""Fit a space to the data: values that do not go with them are left out, and where to begin is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, flat_config
from pipeline.searching.folds import Fold, prepare_fold
from pipeline.searching.space import Axis, Between, Options, Space, Values, set_values, write_value

_TRIED_FIRST = ("dataset.transforms", "dataset.normalise")  # what decides most: each value is tried at the beginning


def narrow_space(config: Config, space: Space, folds: Sequence[Fold]) -> tuple[Space, list[str]]:
    """Leave out what does not go with the data, each value looked at by itself.

    Args:
        config: What all trials share, with what the space sets.
        space: The space as it was read.
        folds: Of the past; what comes later decides nothing.

    Returns:
        The space, and what a person should know of it.

    Raises:
        UserError: If of a key no value is left.
    """
    axes: dict[str, Axis] = {}
    fixed, notes = dict(space.fixed), []
    for key, axis in space.axes.items():
        if isinstance(axis, Between):
            set_values(config, {key: _text(axis, axis.low)})  # refuses a key that is none
            axes[key] = axis
            continue
        reasons = {text: _complaint(config, key, text, folds) for text in axis.texts}
        kept = tuple(text for text, reason in reasons.items() if not reason)
        left_out = [text for text in axis.texts if text not in kept]
        if not kept:
            raise UserError(f"search: no value of {key} goes with the data: {reasons[axis.texts[0]]}")
        if left_out:
            notes.append(f"{key}: {show_names(left_out)} left out: {reasons[left_out[0]]}")
        if len(kept) == 1:
            fixed[key] = kept[0]
        else:
            axes[key] = Options(kept)
    if not axes:
        raise UserError("search: every key has one value that goes with the data, so there is nothing to search")
    return replace(space, axes=axes, fixed=fixed), notes


def choose_starts(config: Config, space: Space) -> list[Values]:
    """Return the points that are tried first: the configuration as it is, and with other ways to prepare the data."""
    base = {key: _nearest(config, key, axis) for key, axis in space.axes.items()}
    starts: list[Mapping[str, str]] = [base]
    for key in _TRIED_FIRST:
        axis = space.axes.get(key)
        if isinstance(axis, Options):
            starts += [base | {key: text} for text in axis.texts if text != base[key]]
    return starts


def _complaint(config: Config, key: str, text: str, folds: Sequence[Fold]) -> str:
    changed = set_values(config, {key: text})  # a wrong key or type is an error of the space
    try:
        check_ranges(changed)
        for fold in folds:
            prepare_fold(changed, fold)
    except UserError as error:
        return str(error)
    return ""


def _nearest(config: Config, key: str, axis: Axis) -> str:
    """Return the configuration's own value, or one of the space where it is not in it."""
    if isinstance(axis, Options):
        return next((text for text in axis.texts if set_values(config, {key: text}) == config), axis.texts[0])
    try:
        own = float(flat_config(config)[key])
    except ValueError:  # null
        own = axis.low
    return _text(axis, min(max(own, axis.low), axis.high))


def _text(axis: Between, value: float) -> str:
    return write_value(int(value) if axis.whole else float(value))
