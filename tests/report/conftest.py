"""Records of runs as tracking gives them."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.base.record import RunRecord, Status
from pipeline.models.heads.registry import measure_of_run

MakeRecord = Callable[..., RunRecord]

_PARAMS = {
    "look_back": "3",
    "horizon": "1",
    "stateful": "false",
    "seeds": "3",
    "resume": "false",
    "dataset.name": "airline",
    "dataset.unit": "thousand passengers",
    "dataset.horizons": "one",
    "model.cell": "lstm",
}
_METRICS = {
    "validation_rmse": 20.0,
    "test_rmse": 50.0,
    "test_rmse_std": 1.5,
    "test_rmse_low": 49.0,
    "test_rmse_high": 51.0,
    "test_mae": 40.0,
    "test_mase": 1.25,
    "skill_persistence": -0.04,
    "skill_seasonal": 0.25,
    "skill_linear": -0.5,
    "baseline_persistence_rmse": 100.0,
    "baseline_seasonal_rmse": 90.0,
    "baseline_linear_rmse": 60.0,
    "fit_seconds": 12.34,
}


@pytest.fixture
def make_record() -> MakeRecord:
    """A finished run with test_rmse and its interval; `one_seed` leaves out what one seed cannot say."""

    def make(
        test_rmse: float = 50.0,
        interval: float = 1.0,
        params: dict[str, str] | None = None,
        one_seed: bool = False,
        status: Status = Status.finished,
        resumed: bool = False,
        **metrics: float,
    ) -> RunRecord:
        told: dict[str, Any] = _METRICS | {
            "test_rmse": test_rmse,
            "test_rmse_low": test_rmse - interval,
            "test_rmse_high": test_rmse + interval,
        }
        told |= metrics
        if one_seed:
            told = {name: value for name, value in told.items() if not name.endswith(("_std", "_low", "_high"))}
        settings = _PARAMS | ({"seeds": "1"} if one_seed else {}) | (params or {})
        told = told if status is Status.finished else {}
        return RunRecord("id", status, settings, told, measure_of_run(settings, told), resumed=resumed)

    return make
