"""A small configuration for every kind of network."""

from collections.abc import Callable

import pytest

from pipeline.config.schema import Cell, Config, ModelConfig


@pytest.fixture(scope="session")
def make_config() -> Callable[..., Config]:
    def make(cell: Cell = Cell.lstm, units: tuple[int, ...] = (3,), **changes: object) -> Config:
        defaults = {"look_back": 4, "batch_size": 2}
        return Config(**(defaults | changes), model=ModelConfig(cell=cell, units=list(units)))

    return make
