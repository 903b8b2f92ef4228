"""Compose the configurations of a command: as Hydra does, but what its jobs share only once."""

import argparse
import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import ClassVar

from hydra import compose, initialize_config_dir
from hydra._internal import config_loader_impl
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf

from pipeline.base.errors import UserError
from pipeline.base.paths import conf_dir
from pipeline.config.keys import GROUPS
from pipeline.config.schema import Config, read_node, schema_keys, typed_node


class Composer:
    """Composes configurations from words of a command line.

    Hydra reads and merges thirty files for one. Words that give a key a value change nothing about which files those
    are, so jobs that differ in such words alone are copies of one configuration, into which Hydra writes their values.

    Args:
        name: The configuration that is composed.
        search: Words that come after those of the command line.
    """

    def __init__(self, name: str, search: Sequence[str]) -> None:
        self._name, self._search = name, search
        self._parser = OverridesParser.create()
        self._parsed: dict[str, Override] = {}
        self._shared: dict[tuple[str, ...], DictConfig | None] = {}  # None: one that names its own keys, `${look_back}`

    def compose(self, words: Sequence[str]) -> DictConfig:
        """Compose one configuration, with Hydra's own node."""
        return compose(self._name, overrides=[*words, *self._search], return_hydra_config=True)

    def compose_job(self, words: Sequence[str]) -> Config:
        """Compose one configuration as a typed record.

        Raises:
            UserError: If a type is wrong or a required value is missing.
            HydraException: If a word cannot be read or names nothing.
        """
        overrides = [self._parse(word) for word in words]
        values = [each for each in overrides if _gives_value(each)]
        rest = [each for each in overrides if not _gives_value(each)]
        shared = self._share([str(each.input_line) for each in rest]) if all(map(_chooses_files, rest)) else None
        if shared is None:
            return read_node(typed_node(self.compose(words)))
        node = copy.deepcopy(shared)
        ConfigLoaderImpl._apply_overrides_to_config(values, node)
        return read_node(node)

    def _parse(self, word: str) -> Override:
        if word not in self._parsed:
            self._parsed[word] = self._parser.parse_override(word)
        return self._parsed[word]

    def _share(self, words: Sequence[str]) -> DictConfig | None:
        key = tuple(words)
        if key not in self._shared:
            whole = self.compose(words)
            own = OmegaConf.masked_copy(whole, [str(each) for each in whole if each != "hydra"])
            self._shared[key] = None if "${" in repr(OmegaConf.to_container(own)) else typed_node(own)
        return self._shared[key]


@contextmanager
def open_composer(arguments: argparse.Namespace) -> Iterator[Composer]:
    """Open the folders that a command names.

    Args:
        arguments: What Hydra's own parser made of the command line.

    Raises:
        UserError: If one is no folder.
    """
    config_dir = Path(arguments.config_path).resolve() if arguments.config_path else conf_dir()
    if not config_dir.is_dir():
        raise UserError(f"--config-path must be a folder, but got {arguments.config_path}")
    search = []
    if arguments.config_dir:
        extra = Path(arguments.config_dir).resolve()
        if not extra.is_dir():
            raise UserError(f"--config-dir must be a folder, but got {arguments.config_dir}")
        search = [f"hydra.searchpath=[file://{extra}]"]
    with initialize_config_dir(version_base="1.3", config_dir=str(config_dir)):
        yield Composer(arguments.config_name or "config", search)


class _ReadOnce(CachingConfigRepository):
    """Keeps what it has read for the next composition from the same folders."""

    read: ClassVar[dict[tuple[str, ...], ConfigResult | None]]

    def load_config(self, config_path: str) -> ConfigResult | None:
        key = (config_path, *(f"{source.provider} {source.full_path()}" for source in self.get_sources()))
        if key not in self.read:
            self.read[key] = super().load_config(config_path)
        return self.read[key]


@contextmanager
def read_once() -> Iterator[None]:
    """Inside the block Hydra reads each file once, not once a job: what was checked is what runs, in half the time."""
    name, usual = CachingConfigRepository.__name__, CachingConfigRepository
    setattr(config_loader_impl, name, type(name, (_ReadOnce,), {"read": {}}))
    try:
        yield
    finally:
        setattr(config_loader_impl, name, usual)


def _gives_value(override: Override) -> bool:
    key, plain = override.key_or_group, override.type is OverrideType.CHANGE and override.package is None
    return plain and key in _keys() and key not in GROUPS and "${" not in str(override.input_line)


def _chooses_files(override: Override) -> bool:
    key, plain = override.key_or_group, override.type is OverrideType.CHANGE
    return plain and (key in GROUPS or key.startswith("hydra")) and isinstance(override.value(), str | None)


@cache
def _keys() -> frozenset[str]:
    return frozenset(schema_keys())
