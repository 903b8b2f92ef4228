"""Runs that differ only in seed become one configuration; nothing else does."""

import numpy as np
import pytest

from pipeline.comparison.pooling import pool_seeds
from pipeline.config.keys import varying_keys


def test_runs_that_differ_only_in_seed_are_one_configuration(make_run, make_errors) -> None:
    """The same configuration stands in two rows, and each row says less than both together."""
    runs = [make_run(look_back="3", seed="1"), make_run(look_back="6", seed="1"), make_run(look_back="3", seed="5")]
    errors = [make_errors((1, 2), 2.0), make_errors((1, 2), 1.0), make_errors((5, 6), 4.0)]
    found = pool_seeds(runs, lambda run: errors[runs.index(run)], varying_keys([run.record.params for run in runs]))
    assert [cell.parameters for cell in found] == [{"look_back": "3"}, {"look_back": "6"}]
    assert dict(zip(found[0].seeds, found[0].test_rmse.round(6).tolist(), strict=True)) == {1: 2, 2: 2, 5: 4, 6: 4}
    assert found[0].scale == pytest.approx([2.0])  # the error of the first run
    assert found[0].losses.mean() * found[0].scale ** 2 == pytest.approx([(2**2 + 4**2) / 2])


def test_a_seed_that_was_trained_twice_counts_once(make_run, make_errors) -> None:
    """Repeating a command doubles the evidence; or the older of two results counts."""
    runs = [make_run(look_back="3"), make_run(look_back="3")]
    errors = [make_errors((1, 2, 3), 2.0), make_errors((1, 2), 1.0)]
    (cell,) = pool_seeds(runs, lambda run: errors[runs.index(run)], [])
    scores = dict(zip(cell.seeds, cell.test_rmse.round(6).tolist(), strict=True))
    assert scores == {1: 1.0, 2: 1.0, 3: 2.0}
    assert cell.validation_rmse.tolist() == pytest.approx([1.01, 1.02, 2.06])
    (again,) = pool_seeds([*runs, make_run(look_back="3")], lambda run: errors[1], [])
    assert len(again.runs) == 1  # older runs without a seed of their own are not part of it


def test_scores_are_those_of_the_errors(make_run, make_errors) -> None:
    """The table of the comparison and the table of the sweep show different scores."""
    errors = make_errors((1, 2), 3.0)
    (cell,) = pool_seeds([make_run()], lambda _: errors, [])
    assert cell.test_rmse == pytest.approx(np.sqrt((errors.errors**2).mean(axis=(1, 2, 3))))
    assert cell.test_mae == pytest.approx(np.abs(errors.errors).mean(axis=(1, 2, 3)))


def test_what_decides_no_result_is_no_axis(make_run) -> None:
    """Every row differs from every other one, by its seed or by the path of the same file."""
    same = {"look_back": "3", "model__units": "[4]"}
    other = {"look_back": "6", "model__units": "[8]"}
    runs = [make_run(model__cell="lstm", seed="1", seeds="4", resume="false", dataset__path="a.csv", **same)]
    runs += [make_run(model__cell="lstm", seed="5", seeds="8", resume="true", dataset__path="b.csv", **other)]
    assert varying_keys([run.record.params for run in runs]) == ["look_back", "model.units"]


@pytest.mark.parametrize("unit", [1e-200, 1.0, 1e150])
def test_losses_do_not_depend_on_the_unit(unit: float, make_run, make_errors) -> None:
    """Squares of tiny errors are zero, and two configurations that differ are called equal."""
    runs = [make_run(look_back="3"), make_run(look_back="6")]
    errors = [make_errors(scale=unit * scale) for scale in (1.0, 1.3)]
    cells = pool_seeds(runs, lambda run: errors[runs.index(run)], ["look_back"])
    assert [cell.losses.mean() for cell in cells] == pytest.approx([1.0, 1.3**2])
    assert [cell.test_rmse.mean() / unit for cell in cells] == pytest.approx([1.0, 1.3])
