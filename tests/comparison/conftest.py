"""Runs and their errors as tracking gives them, without training anything."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from pipeline.base.record import LoggedRun, RunRecord, Status, TestErrors
from pipeline.models.heads.point import RMSE

MakeRun = Callable[..., LoggedRun]
MakeErrors = Callable[..., TestErrors]


@pytest.fixture
def make_run() -> MakeRun:
    """A finished run; later ones start later."""
    number = 0

    def make(**params: str) -> LoggedRun:
        nonlocal number
        number += 1
        dotted = {key.replace("__", "."): value for key, value in params.items()}
        return LoggedRun(RunRecord(f"run{number}", Status.finished, dotted, {}, RMSE), "digest", "", number)

    return make


@pytest.fixture
def make_errors() -> MakeErrors:
    """Errors of normal noise around zero: `scale` is the RMSE. Shape (seeds, time, 1, 1)."""

    def make(seeds: Sequence[int] = (1, 2, 3, 4), scale: float = 1.0, time: int = 48, state: int = 0) -> TestErrors:
        noise = np.random.default_rng([state, *seeds]).standard_normal((len(seeds), time, 1, 1))
        noise /= np.sqrt((noise**2).mean(axis=1, keepdims=True))
        validation = scale * (1 + 0.01 * np.asarray(seeds))
        return TestErrors(scale * noise, tuple(seeds), validation, {}, np.arange(time), np.ones(1), "rows", "span", 1)

    return make
