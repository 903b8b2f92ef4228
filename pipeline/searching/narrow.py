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
# or by a difference; the season by its average in earlier years, or by many lags. Beside each how many lags it reads.
_FEW, _SEASON, _MANY = "few", "season", "many"
_PREPARATIONS = (
    (("[log,seasonal_average]", "window_last", "features"), _FEW),
    (("[]", "window_last", "features"), _MANY),
    (("[log]", "window_last", "features"), _FEW),
    (("[log,seasonal_average]", "window_last", "features"), _SEASON),
    (("[log]", "window_last", "features"), _MANY),
    (("[log,seasonal_average]", "window_standard", "features"), _SEASON),
    (("[seasonal_average]", "none", "features"), _SEASON),
    (("[log,seasonal_average]", "window_last", "time_steps"), _SEASON),
    (("[log,seasonal_average]", "none", "features"), _FEW),
    (("[seasonal_average]", "window_last", "features"), _SEASON),
    (("[]", "window_last", "time_steps"), _SEASON),
    (("[seasonal_average]", "window_last", "features"), _FEW),
    (("[seasonal_average]", "window_mean", "features"), _MANY),
    (("[]", "window_standard", "features"), _SEASON),
    (("[difference]", "none", "time_steps"), _SEASON),
    (("[]", "window_last", "features"), _FEW),
    (("[]", "none", "features"), _SEASON),
    (("[log]", "window_last", "time_steps"), _SEASON),
    (("auto", "none", "time_steps"), _SEASON),  # mostly one of these
)
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
    for texts, lags in _PREPARATIONS:
        chosen = {key: text for key, text in zip(_PREPARED_BY, texts, strict=True) if key in prepared_by}
        if all(text in prepared_by[key].texts for key, text in chosen.items()):
            starts.append(base | chosen | _choose_lags(config, space, lags))
    starts = starts or [base]
    for key, axis in prepared_by.items():
        seen = {start[key] for start in starts}
        plain = base | _without_normalise(prepared_by) if key == "dataset.transforms" else base
        starts += [plain | {key: text} for text in axis.texts if text not in seen]
    return [start for place, start in enumerate(starts) if start not in starts[:place]]


def _choose_lags(config: Config, space: Space, lags: str) -> dict[str, str]:
    """Return the look-back of a start: 3 rows, those of a season, or 24, two seasons if they are more."""
    axis = space.axes.get("look_back")
    if lags == _SEASON or not isinstance(axis, Options):
        return {}
    most = {_FEW: 3, _MANY: max(24, 2 * config.dataset.period)}[lags]
    return {"look_back": min(axis.texts, key=lambda text: (int(text) > most, abs(int(text) - most)))}


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
