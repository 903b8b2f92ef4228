"""The jobs of a command, each checked by all three gates before the first one starts."""

import argparse
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, OverrideParseException
from hydra.plugins.sweeper import Sweeper
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.base.errors import UserError
from pipeline.base.text import show_setting, suggest
from pipeline.config.gates import check_address, check_ranges
from pipeline.config.keys import GROUPS, LABELS, varying_keys
from pipeline.config.schema import Config, flat_config, schema_keys, typed_config
from pipeline.experiment.composing import open_composer

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.data.series import Series

_BASIC_SWEEPER = f"{BasicSweeper.__module__}.{BasicSweeper.__qualname__}"
_BASIC_LAUNCHER = f"{BasicLauncher.__module__}.{BasicLauncher.__qualname__}"
_TRUSTED_TARGETS = ("hydra.", "hydra_plugins.")
_MANY = 500  # jobs that take seconds to check: one costs 5 ms here


@dataclass(frozen=True)
class Plan:
    """What a command is going to do.

    Attributes:
        is_sweep: Whether Hydra's sweeper runs it.
        jobs: The configuration of every job. When a sweeper other than Hydra's basic one chooses the values as
            it goes, only the configuration it starts from.
        series: What was read for them, by the dataset of the job.
        in_turn: Whether they are run in this process, in this order.
    """

    is_sweep: bool
    jobs: list[Config]
    series: "Mapping[str, Series]"
    in_turn: bool = True

    def series_of(self, job: Config) -> "Series":
        """Return the series of a job as it was read when the job was checked."""
        return self.series[_key(job)]

    def differing_keys(self) -> list[str]:
        """Return the keys in which the jobs differ, which name them."""
        return varying_keys([flat_config(job) for job in self.jobs], LABELS)


def plan_jobs(
    arguments: argparse.Namespace,
    tell: Callable[[str], None] | None = None,
    data: "pd.DataFrame | None" = None,
) -> Plan:
    """Compose every job of a command as Hydra will, and check it.

    Args:
        arguments: What Hydra's own parser made of the command line.
        tell: Told how many jobs are checked, when that takes seconds.
        data: The table, with dataset.source=frame.

    Returns:
        The plan; every job in it passed the gates of types, ranges and data.

    Raises:
        UserError: For the first job that does not pass.
    """
    with explained(), open_composer(arguments) as composer:
        overrides = OverridesParser.create().parse_overrides(arguments.overrides)
        _refuse_odd(overrides)
        fixed = [override for override in overrides if not override.is_sweep_override()]
        base = composer.compose([str(override.input_line) for override in fixed])
        is_sweep = arguments.multirun or (
            OmegaConf.select(base, "hydra.mode") is not None and base.hydra.mode.name == "MULTIRUN"
        )
        _check_targets(base)
        if not is_sweep:
            _refuse_lists(overrides)
            configs = [typed_config(base)]
        elif base.hydra.sweeper._target_ == _BASIC_SWEEPER:
            split = _split(base, arguments.overrides)
            if tell is not None and len(split) >= _MANY:
                tell(f"checking {len(split)} jobs before the first one starts")
            configs = [composer.compose_job(words) for words in split]
        else:
            configs = [typed_config(base)]
    for config in configs:
        check_ranges(config)
        check_address(config.tracking.uri)
    basic = [base.hydra.sweeper._target_ == _BASIC_SWEEPER, base.hydra.launcher._target_ == _BASIC_LAUNCHER]
    return Plan(is_sweep, configs, _check_data(configs, data), all(basic))


@contextmanager
def explained() -> Iterator[None]:
    """Turn Hydra's and OmegaConf's errors inside the block into a UserError of one or two lines."""
    try:
        yield
    except HydraException as error:
        raise UserError(_explain_hydra(error)) from error
    except OmegaConfBaseException as error:
        raise UserError(str(error).strip().splitlines()[0]) from error


@contextmanager
def planned() -> Iterator[None]:
    """Inside the block Hydra's sweeper does not compose every job once more before it starts the first one."""
    name = "validate_batch_is_legal"
    whole = getattr(Sweeper, name)
    setattr(Sweeper, name, lambda sweeper, batch: None)  # each job is one of a plan, and has passed all gates
    try:
        yield
    finally:
        setattr(Sweeper, name, whole)


def _split(base: DictConfig, overrides: Sequence[str]) -> list[list[str]]:
    """Return the overrides of every job, in the order in which Hydra's basic sweeper runs them."""
    from_presets = [f"{key}={values}" for key, values in (base.hydra.sweeper.params or {}).items()]
    parsed = OverridesParser.create().parse_overrides([*from_presets, *overrides])
    (jobs,) = BasicSweeper.split_arguments(parsed, max_batch_size=None)
    return jobs


def _refuse_lists(overrides: Sequence[Override]) -> None:
    for override in overrides:
        if override.is_sweep_override():
            raise UserError(f"{override.input_line} gives several values; add -m to run one job for each")


def _refuse_odd(overrides: Sequence[Override]) -> None:
    for override in overrides:
        if not override.key_or_group:
            raise UserError(f"'{override.input_line}' names no key; write key=value")
        if override.key_or_group in GROUPS and isinstance(override.value(), list):
            raise UserError(f"{override.input_line} names several options; give one, or several with -m and commas")


def _check_targets(base: DictConfig) -> None:
    """Hydra calls what `_target_` names: only its own classes and its plugins may be named by a configuration."""

    def targets(node: Any) -> Iterator[str]:
        if isinstance(node, dict):
            if "_target_" in node:
                yield str(node["_target_"])
            for value in node.values():
                yield from targets(value)

    for key in ("launcher", "sweeper", "callbacks"):
        for target in targets(OmegaConf.to_container(base.hydra[key], resolve=False)):
            if not target.startswith(_TRUSTED_TARGETS):
                raise UserError(
                    f"hydra.{key} names _target_={target}; only Hydra's own classes and its plugins may be run"
                )


def _check_data(configs: Sequence[Config], data: "pd.DataFrame | None") -> "dict[str, Series]":
    """Prepare the data of every job, reading each file once; return what was read."""
    from pipeline.data.auto_transforms import resolve_transforms
    from pipeline.data.prepare import prepare_data  # pandas takes a second: an unknown key must not wait for it
    from pipeline.data.sources import load_series

    loaded: dict[str, Series] = {}
    for config in configs:
        key = _key(config)
        if key not in loaded:
            loaded[key] = load_series(config.dataset, data=data)
        prepare_data(resolve_transforms(config, loaded[key])[0], loaded[key])
    return loaded


def _key(config: Config) -> str:
    return repr(config.dataset)


def _explain_hydra(error: HydraException) -> str:
    if isinstance(error, OverrideParseException):
        return _explain_grammar(error)
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    text = "\n".join(lines)
    unknown = re.search(r"Could not override '([^']+)'", text)
    if unknown:
        return _explain_unknown_key(unknown.group(1), lines)
    if "is not a ListConfig" in text:
        return f"{lines[0].removeprefix('Error merging override ')}: a list is needed, in brackets: key=[value]"
    cause = error.__cause__
    if isinstance(cause, OmegaConfBaseException):
        reason = str(cause).strip().splitlines()[0]
        return lines[0] if reason in lines[0] else f"{lines[0].removeprefix('Error merging override ')}: {reason}"
    choice = re.search(r"Could not find '([^']+)/([^']+)'", text)
    if choice:
        options = [
            line for line in lines if line not in lines[:2] and not line.startswith(("Config search", "provider="))
        ]
        options = [option for option in options if not option.startswith("_")]
        known = f"choose from {', '.join(sorted(options))}" if options else "see --help"
        searches = (
            "; to let a sampler choose the values: python -m pipeline.search" if choice[1] == "hydra/sweeper" else ""
        )
        return f"unknown {choice[1]} '{choice[2]}'; {known}{searches}"
    return " ".join(lines[:2])


def _explain_grammar(error: OverrideParseException) -> str:
    """Say how a value is quoted: names of columns hold blanks, brackets and signs that mean something to Hydra."""
    reason = str(error).strip().splitlines()[0].split(" when parsing")[0]
    key, equals, value = error.override.partition("=")
    if not equals or not value:
        return f"'{error.override}' cannot be read: {reason}; write key=value"
    inside = value[1:-1] if value.startswith("[") and value.endswith("]") else None
    items = value if inside is None else [item.strip().strip("'\"") for item in inside.split(",")]
    commas = "; a comma inside a name stays inside its quotes" if inside is not None and "," in inside else ""
    why = "" if reason.startswith("Error parsing") else f" ({reason})"
    return f"{error.override} cannot be read{why}; quote it: {show_setting(key, items)}{commas}"


def _explain_unknown_key(key: str, lines: Sequence[str]) -> str:
    known = list(schema_keys())
    reason = next((line for line in lines[1:] if "not in" in line or "not found" in line), "")
    if key in known and reason:
        return f"{key}: {reason}"
    return f"unknown key '{key}'; {suggest(key, known, '`--cfg job` lists every key.')}"
