"""The main effect of a swept axis: what changes from one level to the next while every other axis stays as it is."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pipeline.comparison.pooling import Cell

Array = np.ndarray


@dataclass(frozen=True)
class Step:
    """From one level of an axis to the next, over the matched cells: those that exist on both levels.

        look_back      1    3        the step 1 -> 3 has two matched cells:
        stateful=true  x    x        (true, 1) with (true, 3) and (false, 1) with (false, 3)
        stateful=false x    x

    Attributes:
        axis: The key.
        before: The first level.
        after: The next one.
        matched: How many pairs of cells there are.
        difference: Test RMSE of `after` minus that of `before`, mean over matched cells, in the data's own units.
        before_rmse: Test RMSE of `before`, mean over matched cells.
        per_seed: The difference of every seed that all matched cells have. Shape (seeds,); may be empty.
        losses: Loss of `after` minus that of `before` at every timestamp, mean over matched cells. Shape (time,).
    """

    axis: str
    before: str
    after: str
    matched: int
    difference: float
    before_rmse: float
    per_seed: Array
    losses: Array


def sort_levels(levels: Sequence[str]) -> list[str]:
    """Order the levels of an axis: numbers and lists of numbers by size, anything else as it came.

    Example:
        >>> sort_levels(["12", "3", "1e-3"]), sort_levels(["[16]", "[8, 4]"]), sort_levels(["lstm", "gru"])
        (['1e-3', '3', '12'], ['[8, 4]', '[16]'], ['lstm', 'gru'])
    """
    distinct = list(dict.fromkeys(levels))
    for number in (float, _numbers):
        try:
            return sorted(distinct, key=number)
        except ValueError:
            continue
    return sorted(distinct) if set(distinct) == {"false", "true"} else distinct


def take_steps(cells: Sequence[Cell], axis: str) -> list[Step]:
    """Return the steps between adjacent levels of an axis that have at least one matched cell.

    Keys that change together with the axis, one level with one level, are not held fixed: they belong to it.
    """
    levels = sort_levels([cell.parameters[axis] for cell in cells])
    others = [key for key in cells[0].parameters if key != axis and key not in tied_keys(cells, axis)]
    places = {(cell.parameters[axis], *(cell.parameters[key] for key in others)): cell for cell in cells}
    steps = []
    for before, after in pairwise(levels):
        pairs = [
            (cell, places[after, *rest])
            for (level, *rest), cell in places.items()
            if level == before and (after, *rest) in places
        ]
        if pairs:
            steps.append(_take_step(axis, before, after, pairs))
    return steps


def tied_keys(cells: Sequence[Cell], axis: str) -> list[str]:
    """Return the keys whose levels change together with those of the axis, one with one."""

    def distinct(*keys: str) -> int:
        return len({tuple(cell.parameters[key] for key in keys) for cell in cells})

    others = [key for key in cells[0].parameters if key != axis]
    return [key for key in others if distinct(axis, key) == distinct(axis) == distinct(key)]


def _take_step(axis: str, before: str, after: str, pairs: Sequence[tuple[Cell, Cell]]) -> Step:
    common = tuple(sorted(set.intersection(*(set(cell.seeds) for pair in pairs for cell in pair))))
    per_seed = [_scores_of(second, common) - _scores_of(first, common) for first, second in pairs]  # (matched, seeds)
    return Step(
        axis=axis,
        before=before,
        after=after,
        matched=len(pairs),
        difference=float(np.mean([second.mean_rmse - first.mean_rmse for first, second in pairs])),
        before_rmse=float(np.mean([first.mean_rmse for first, _ in pairs])),
        per_seed=np.mean(per_seed, axis=0),
        losses=np.mean([second.losses - first.losses for first, second in pairs], axis=0),
    )


def _scores_of(cell: Cell, seeds: tuple[int, ...]) -> Array:
    if cell.seeds == seeds:  # nearly always
        return cell.test_rmse
    return cell.test_rmse[[cell.seeds.index(seed) for seed in seeds]]


def _numbers(level: str) -> list[float]:
    """Read `[16, 8]`; a list of fewer layers comes first only if its first numbers are not larger."""
    found = json.loads(level)
    if not isinstance(found, list) or not all(isinstance(each, int | float) for each in found):
        raise ValueError(level)
    return [float(each) for each in found]
