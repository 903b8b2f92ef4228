"""The space of a search: which keys it may set, to what, in the words of Hydra's grammar.

model.units: choice([4],[8])                            one of these
look_back: range(1,13,3)                                1, 4, 7, 10
training.learning_rate: tag(log,interval(0.001,0.03))   any number between, as many below 0.005 as above
training.epochs: 200                                    set, not searched
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, IntervalSweep, Override, RangeSweep
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError, safe_load

from pipeline.base.errors import UserError
from pipeline.base.paths import conf_dir
from pipeline.base.text import show_value, suggest
from pipeline.config.keys import Role, role_of
from pipeline.config.schema import Config, typed_config

SIZES = {"small": 500, "medium": 5000}  # time steps before the test part, at most; above: large
LARGE = "large"
_LOADED = {"dataset.features": "which columns are read"}  # once, for all trials
_MODES = ("training.online", "evaluation.origins")  # one value of each is what a search goes with
_SEARCHED = re.compile(r"^\s*(choice|range|interval|tag|int|float|sort|shuffle)\(")


@dataclass(frozen=True)
class Options:
    """One of several values, each as it is written on the command line."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Between:
    """A number from `low` to `high`, whole or not; `log`: evenly in its logarithm."""

    low: float
    high: float
    log: bool = False
    whole: bool = False


Axis = Options | Between
Values = Mapping[str, str]  # a point of the space: the text of each key


@dataclass(frozen=True)
class Space:
    """What a search may choose, and what it sets.

    Attributes:
        axes: Of each key that is searched.
        fixed: The text of each key that is only set.
    """

    axes: Mapping[str, Axis]
    fixed: Mapping[str, str]


def read_space(name: str, num_steps: int, period: int, words: Sequence[str], taken: Sequence[str]) -> Space:
    """Read the space of a search.

    Args:
        name: `auto`: by the length of the series; small, medium, large; or a YAML file.
        num_steps: Time steps before the test part.
        period: Time steps of a season, 1 without one: a packaged space looks back over it as well.
        words: `key=choice(...)` of the command line: added to the space, or instead of what it says.
        taken: Keys that the command line sets: they are not searched.

    Raises:
        UserError: If there is no such space, or it cannot be read.
    """
    if name == "auto":
        name = next((size for size, most in SIZES.items() if num_steps <= most), LARGE)
    axes: dict[str, Axis] = {}
    fixed: dict[str, str] = {}
    given = [f"{key}={value}" for key, value in _read_file(name).items() if key not in taken]
    for place, override in enumerate(parse_words([*given, *words])):
        key = str(override.key_or_group)
        fixed.pop(key, None)
        axes.pop(key, None)
        if not override.is_sweep_override():
            fixed[key] = str(override.input_line).partition("=")[2]
            continue
        axis = _axis(override)
        if key == "look_back" and period > 1 and name in _packaged() and place < len(given):
            axis = _with_option(axis, str(period))
        axes[key] = axis
    if not axes:
        raise UserError("there is nothing to search: give choices, e.g. 'look_back=choice(3,6,12)', or another search=")
    return Space(axes, fixed)


def check_keys(space: Space) -> None:
    """Refuse keys that all trials must share: their scores would not compare, or the test part would move.

    Raises:
        UserError: If the space searches or sets one.
    """
    for key in (*space.axes, *space.fixed):
        role = role_of(key)
        if role not in (Role.recipe, Role.engine) or key in _LOADED:
            raise UserError(
                f"search: {key} says {_LOADED.get(key, role.value)}, so all trials share it; set it on the command "
                "line to one value, and leave it out of search=FILE"
            )
        if key in space.axes and (role is Role.engine or key in _MODES):
            raise UserError(f"search: {key} is the same for all trials; set it on the command line to one value")


def is_searched(word: str) -> bool:
    """Return whether a word of the command line gives choices.

    Example:
        >>> is_searched("look_back=choice(3,6)"), is_searched("look_back=3,6"), is_searched("look_back=3")
        (True, True, False)
    """
    key, _, value = word.partition("=")
    return bool(_SEARCHED.match(value)) or (bool(key) and parse_words([word])[0].is_sweep_override())


def parse_words(words: Sequence[str]) -> list[Override]:
    """Parse words of Hydra's grammar.

    Raises:
        UserError: If one cannot be read.
    """
    parser, parsed = OverridesParser.create(), []
    for word in words:
        try:
            parsed.append(parser.parse_override(word))
        except HydraException as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"{word} cannot be read: {reason}; write 'KEY=choice(a,b)' or KEY=VALUE") from error
    return parsed


def set_values(config: Config, values: Values) -> Config:
    """Return a configuration with some keys set.

    Args:
        config: A typed configuration; it stays as it is.
        values: The text of each key, as on the command line.

    Raises:
        UserError: If a key is unknown, or a value has the wrong type.
    """
    node = OmegaConf.structured(config)
    OmegaConf.set_struct(node, True)
    for override in parse_words([f"{key}={text}" for key, text in values.items()]):
        key = str(override.key_or_group)
        try:
            OmegaConf.update(node, key, override.value(), merge=False)
        except OmegaConfBaseException as error:
            raise UserError(f"search: {key}: {str(error).strip().splitlines()[0]}") from error
    return typed_config(node)


def write_value(value: Any) -> str:
    """Return the text of a number that was drawn: as many digits as give the same number again.

    Example:
        >>> write_value(0.1), write_value(3), write_value("[4,4]")
        ('0.1', '3', '[4,4]')
    """
    return value if isinstance(value, str) else repr(value)


def _packaged() -> dict[str, Path]:
    return {path.stem: path for path in sorted((conf_dir() / "search").glob("*.yaml"))}


def _with_option(axis: Axis, text: str) -> Axis:
    return Options(tuple(dict.fromkeys([*axis.texts, text]))) if isinstance(axis, Options) else axis


def _read_file(name: str) -> dict[str, Any]:
    known = _packaged()
    path = known.get(name, Path(name))
    if not path.is_file():
        raise UserError(
            f"unknown search '{name}'; {suggest(name, ['auto', *known], 'choose from auto, ' + ', '.join(known))}, or "
            "give a YAML file"
        )
    try:
        read = safe_load(path.read_text(encoding="utf-8"))
    except (OSError, YAMLError, UnicodeError) as error:
        raise UserError(f"search={name} cannot be read: {str(error).strip().splitlines()[0]}") from error
    if not isinstance(read, dict) or not read:
        raise UserError(f"search={name} must hold lines such as look_back: choice(3,6,12)")
    return dict(_flat(read))


def _flat(node: Mapping[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Give every leaf with its dotted key; dots and levels of a file mean the same."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", _write_yaml(value)


def _write_yaml(value: Any) -> str:
    if isinstance(value, list):
        return f"[{','.join(map(_write_yaml, value))}]"
    return show_value(value)


def _axis(override: Override) -> Axis:
    key, value = override.key_or_group, override.value()
    if isinstance(value, IntervalSweep):
        low, high = value.start, value.end
        if low is None or high is None or not low < high:
            raise UserError(f"search: {override.input_line}: an interval goes from a lower number to a higher one")
        log = "log" in value.tags
        if log and low <= 0:
            raise UserError(f"search: {override.input_line}: with log it begins above 0")
        return Between(low, high, log, isinstance(low, int) and isinstance(high, int))
    if isinstance(value, ChoiceSweep | RangeSweep):
        texts = tuple(dict.fromkeys(str(text) for text in override.sweep_string_iterator()))
        if texts:
            return Options(texts)
    raise UserError(f"search: {key}: give choice(a,b), range(1,10), interval(0.1,0.9) or tag(log,interval(...))")
