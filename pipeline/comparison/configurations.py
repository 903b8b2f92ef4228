"""What is compared: one configuration, or with `by` the average over several, with its scores and their intervals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.document import Summary
from pipeline.base.moments import standard_deviation
from pipeline.base.record import Measure
from pipeline.comparison.intervals import bootstrap_means
from pipeline.comparison.pooling import Cell

Array = np.ndarray


@dataclass(frozen=True)
class Configuration:
    """One row of a comparison.

    Attributes:
        parameters: What sets it apart.
        cells: The configurations it averages over; one, unless `by` left keys out.
        validation_rmse: By which one may choose.
        test_rmse: What the choice is worth.
        test_mae: The same as mean absolute error.
        losses: Loss at every test timestamp. Shape (time,).
    """

    parameters: Mapping[str, str]
    cells: tuple[Cell, ...]
    validation_rmse: Summary
    test_rmse: Summary
    test_mae: Summary
    losses: Array

    @property
    def measure(self) -> Measure:
        """What it is judged by, `validation_rmse` and `test_rmse` hold."""
        return self.cells[0].runs[0].record.measure

    @property
    def scores(self) -> Array:
        """Test score of every seed of every cell."""
        return np.concatenate([cell.test_rmse for cell in self.cells])


def group_cells(cells: Sequence[Cell], by: Sequence[str]) -> list[Configuration]:
    """Average over the keys that `by` leaves out; every cell weighs the same in the losses, every seed in the scores.

    Returns:
        The configurations, the best on the validation part first.
    """
    groups: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(tuple(cell.parameters[key] for key in by), []).append(cell)
    members = list(groups.values())
    summaries = {
        name: _summarize([np.concatenate([getattr(cell, name) for cell in group]) for group in members])
        for name in ("validation_rmse", "test_rmse", "test_mae")
    }
    configurations = [
        Configuration(
            parameters=dict(zip(by, values, strict=True)),
            cells=tuple(group),
            **{name: found[number] for name, found in summaries.items()},
            losses=np.mean([cell.losses for cell in group], axis=0),
        )
        for number, (values, group) in enumerate(groups.items())
    ]
    return sorted(configurations, key=lambda each: each.measure.rank(each.validation_rmse.mean))


def _summarize(samples: Sequence[Array]) -> list[Summary]:
    return [
        Summary(
            mean=float(sample.mean()),
            std=float(standard_deviation(sample, ddof=1)) if len(sample) > 1 else float("nan"),
            low=float(low),
            high=float(high),
        )
        for sample, (low, high) in zip(samples, bootstrap_means(samples), strict=True)
    ]
