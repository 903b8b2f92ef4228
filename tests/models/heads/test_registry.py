"""The head and the measure of a logged run."""

import pytest

from pipeline.base.errors import UserError
from pipeline.models.heads.point import POINT, RMSE, RMSSE
from pipeline.models.heads.registry import head_of_run, measure_of_run


def test_a_run_of_before_there_were_heads_has_points() -> None:
    """Runs of earlier versions can no longer be compared."""
    assert head_of_run({}) is POINT
    assert measure_of_run({}, {"test_rmse": 1.0, "test_rmsse": 1.0}) is RMSE


def test_several_targets_are_judged_without_a_unit() -> None:
    """Runs with several targets are read back without the score they are chosen by."""
    assert measure_of_run({"model.head": "point"}, {"test_rmse.gdp": 1.0, "test_rmsse": 1.0}) is RMSSE


def test_an_unknown_head_is_told() -> None:
    """A run of a later version ends compare with a KeyError, or a list of runs that it stands in."""
    with pytest.raises(UserError, match=r"knows no model\.head=poisson, .* where=\[model\.head=point\]"):
        head_of_run({"model.head": "poisson"})
    assert measure_of_run({"model.head": "poisson"}, {}) is RMSE
