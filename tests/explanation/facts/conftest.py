"""Configurations that differ in how an epoch is made of the series, each with its explanation."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.config.schema import Horizons, LagsAs, Order, Transform

CASES: dict[str, dict[str, Any]] = {
    "plain": {},
    "large batches": {"look_back": 5, "batch_size": 16},
    "one lane": {"look_back": 1, "stateful": True},
    "lanes": {"look_back": 6, "stateful": True, "batch_size": 4},
    "segments": {"look_back": 3, "stateful": True, "segments": 3, "batch_size": 5},
    "all lanes at once": {"look_back": 4, "stateful": True, "batch_size": 4, "return_sequences": True},
    "overlapping": {"stateful": True, "order": Order.overlapping},
    "lags as features": {"look_back": 4, "stateful": True, "lags_as": LagsAs.features},
    "holes": {"stateful": True, "holes": (20, 21, 33), "batch_size": 2},
    "holes at the ends": {"stateful": True, "holes": (3, 4, 5, 46, 47, 48, 49), "batch_size": 2},
    "holes, many-to-many": {"return_sequences": True, "holes": (20,), "look_back": 5, "horizon": 2},
    "lost rows": {"transforms": [Transform.difference, Transform.seasonal_difference], "period": 12, "look_back": 4},
    "far ahead": {"horizon": 5, "horizons": Horizons.all, "stateful": True},
}


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest, make_explained: Callable[..., Any]) -> Any:
    """One of the configurations after the other."""
    return make_explained(**CASES[request.param])
