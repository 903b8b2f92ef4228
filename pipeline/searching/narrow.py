"""Fit a space to the data: values that do not go with them are left out, and where to begin is chosen."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from pipeline.base.errors import UserError
from pipeline.base.text import show_names
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, flat_config
from pipeline.searching.folds import Fold, prepare_fold
from pipeline.searching.space import Axis, Between, Options, Space, Values, set_values, write_value

# Ways to prepare the data, the most promising first: each takes out a level that moves once, by the past of the window
# or by a difference; the season by the lags of the window or by a seasonal difference.
_PREPARATIONS = (
    ("[]", "window_last", "time_steps"),
    ("[]", "window_last", "features"),
    ("[seasonal_difference]", "none", "time_steps"),
    ("[seasonal_difference]", "none", "features"),
    ("[log]", "window_last", "features"),
    ("[log]", "window_last", "time_steps"),
    ("[log,seasonal_difference]", "none", "time_steps"),
    ("[difference]", "none", "time_steps"),
    ("[]", "none", "time_steps"),
    ("auto", "none", "time_steps"),  # mostly one of these
)
_LAGS = 24
_PREPARED_BY = ("dataset.transforms", "dataset.normalise", "dataset.lags_as")


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
    """Return the points that are tried first: the first value of each choice, with every way to prepare the data."""
    base = {key: _first(config, key, axis) for key, axis in space.axes.items()}
    starts: list[Mapping[str, str]] = []
    prepared_by = {key: axis for key, axis in space.axes.items() if key in _PREPARED_BY and isinstance(axis, Options)}
    for texts in _PREPARATIONS:
        chosen = {key: text for key, text in zip(_PREPARED_BY, texts, strict=True) if key in prepared_by}
        if all(text in prepared_by[key].texts for key, text in chosen.items()):
            starts.append(base | chosen | (_more_lags(config, space) if "features" in chosen.values() else {}))
    starts = starts or [base]
    for key, axis in prepared_by.items():
        seen = {start[key] for start in starts}
        plain = base | _without_normalise(prepared_by) if key == "dataset.transforms" else base
        starts += [plain | {key: text} for text in axis.texts if text not in seen]
    return [start for place, start in enumerate(starts) if start not in starts[:place]]


def _more_lags(config: Config, space: Space) -> dict[str, str]:
    """Return the look-back of lags that are features, which cost no time step: 24, or two seasons if they are more."""
    axis = space.axes.get("look_back")
    if not isinstance(axis, Options):
        return {}
    most = max(_LAGS, 2 * config.dataset.period)
    fitting = [text for text in axis.texts if int(text) <= most]
    return {"look_back": max(fitting, key=int)} if fitting else {}


def _without_normalise(prepared_by: Mapping[str, Options]) -> dict[str, str]:
    """Return what goes with one more of the transforms: most of them take the level out themselves."""
    normalise = prepared_by.get("dataset.normalise")
    return {"dataset.normalise": "none"} if normalise is not None and "none" in normalise.texts else {}


def _complaint(config: Config, key: str, text: str, folds: Sequence[Fold]) -> str:
    changed = set_values(config, {key: text})  # a wrong key or type is an error of the space
    try:
        check_ranges(changed)
        for fold in folds:
            prepare_fold(changed, fold)
    except UserError as error:
        return str(error)
    return ""


def _first(config: Config, key: str, axis: Axis) -> str:
    """Return the first choice, a look-back that holds a season; of an interval what the configuration has."""
    if isinstance(axis, Options):
        seasons = [text for text in axis.texts if text == str(config.dataset.period)] if key == "look_back" else []
        return seasons[0] if seasons and int(axis.texts[0]) < int(seasons[0]) else axis.texts[0]
    try:
        own = float(flat_config(config)[key])
    except ValueError:  # null
        own = axis.low
    return _text(axis, min(max(own, axis.low), axis.high))


def _text(axis: Between, value: float) -> str:
    return write_value(int(value) if axis.whole else float(value))
