"""Main effects: levels in order, matched cells only, worked by hand."""

import numpy as np
import pytest

from pipeline.comparison.axes import sort_levels, take_steps, tied_keys
from pipeline.comparison.pooling import Cell


def cell(scores: list[float], seeds: tuple[int, ...] = (1, 2), **parameters: str) -> Cell:
    rmse = np.array(scores)
    losses = np.full(3, (rmse**2).mean())
    return Cell(parameters, (), seeds, rmse, rmse, rmse, losses, {}, np.ones(1))


GRID = [
    cell([10.0, 12.0], look_back="1", stateful="true"),
    cell([20.0, 24.0], look_back="1", stateful="false"),
    cell([7.0, 8.0], look_back="3", stateful="true"),
    cell([15.0, 18.0], look_back="3", stateful="false"),
    cell([99.0, 99.0], look_back="6", stateful="false"),
]


def test_a_worked_example() -> None:
    """The main effect is not the mean difference over the cells that both levels have.

    1 -> 3: true 7.5 - 11, false 16.5 - 22, mean -4.5; of seed 1 (7 - 10 + 15 - 20) / 2 = -4, of seed 2 it is -5.
    """
    first, second = take_steps(GRID, "look_back")
    assert (first.before, first.after, first.matched) == ("1", "3", 2)
    assert first.difference == pytest.approx(-4.5)
    assert first.before_rmse == pytest.approx((11 + 22) / 2)
    assert first.per_seed.tolist() == [-4, -5]
    assert first.losses == pytest.approx(((56.5 - 122) + (274.5 - 488)) / 2)
    assert (second.before, second.after, second.matched) == ("3", "6", 1)  # stateful=true has no look_back=6
    assert second.difference == pytest.approx(99 - 16.5)


def test_an_unbalanced_grid_does_not_mix_axes() -> None:
    """look_back=6, trained only with the worse stateful, is blamed for it; or the other way round."""
    (step,) = take_steps(GRID, "stateful")
    assert (step.before, step.after, step.matched) == ("false", "true", 2)  # without look_back=6
    assert step.difference == pytest.approx(((11 - 22) + (7.5 - 16.5)) / 2)


def test_seeds_are_paired_by_number() -> None:
    """The interval of an effect compares different seeds, or seeds that only one side has."""
    cells = [cell([1.0, 2.0, 3.0], (1, 2, 3), a="1"), cell([30.0, 20.0], (3, 2), a="2")]
    (step,) = take_steps(cells, "a")
    assert step.per_seed.tolist() == [18, 27]
    (apart,) = take_steps([cell([1.0], (1,), a="1"), cell([2.0], (2,), a="2")], "a")
    assert apart.per_seed.size == 0
    assert apart.difference == 1


def test_axes_that_change_together_are_one() -> None:
    """`model=lstm,gru` changes several keys at once; then no two cells differ in one key only."""
    cells = [
        cell([1.0, 1.0], cell="lstm", units="[4]", look_back="1"),
        cell([2.0, 2.0], cell="gru", units="[8]", look_back="1"),
        cell([1.0, 1.0], cell="lstm", units="[4]", look_back="3"),
    ]
    assert tied_keys(cells, "cell") == ["units"]
    assert tied_keys(cells, "look_back") == []
    (step,) = take_steps(cells, "cell")
    assert (step.before, step.after, step.difference) == ("lstm", "gru", 1)


def test_without_matched_cells_there_is_no_step() -> None:
    """An effect is made up from cells that differ in everything."""
    cells = [cell([1.0], a="1", b="1"), cell([2.0], a="2", b="2"), cell([3.0], a="3", b="1")]
    assert [(step.before, step.after) for step in take_steps(cells, "a")] == []


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        (["12", "1", "6"], ["1", "6", "12"]),
        (["0.01", "1e-05"], ["1e-05", "0.01"]),
        (["true", "false", "true"], ["false", "true"]),
        (["[16]", "[4]", "[8, 4]"], ["[4]", "[8, 4]", "[16]"]),
        (["lstm", "gru", "lstm"], ["lstm", "gru"]),
        (["None", "3"], ["None", "3"]),
        (['["a"]', '["b"]'], ['["a"]', '["b"]']),
    ],
)
def test_levels_stand_in_order(levels: list[str], expected: list[str]) -> None:
    """12 comes before 6, and adjacent levels are not adjacent."""
    assert sort_levels(levels) == expected
