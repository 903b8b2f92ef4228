"""Choose and understand an LSTM for a time series: configure, train, sweep, log, compare.

In Python: `from pipeline import compose, train, sweep, compare, forecast, load`. Importing them costs nothing; what a
function needs is imported when it is first used.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipeline.api.comparing import compare
    from pipeline.api.forecasting import forecast, load
    from pipeline.api.settings import compose
    from pipeline.api.training import sweep, train

__version__ = "0.1.0"
__all__ = ["compare", "compose", "forecast", "load", "sweep", "train"]

_HOMES = {
    "compare": "pipeline.api.comparing",
    "compose": "pipeline.api.settings",
    "forecast": "pipeline.api.forecasting",
    "load": "pipeline.api.forecasting",
    "sweep": "pipeline.api.training",
    "train": "pipeline.api.training",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'pipeline' has no attribute '{name}'")
    return getattr(import_module(_HOMES[name]), name)


class _Package(ModuleType):
    """Keeps a function where a door has its name: importing `pipeline.compare` would put that module in its place."""

    def __setattr__(self, name: str, value: object) -> None:
        if name not in _HOMES or not isinstance(value, ModuleType):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
