"""Runs that differ only in their seeds become one configuration with all those seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.base.record import LoggedRun, TestErrors
from pipeline.comparison.significance import loss_series
from pipeline.evaluation.metrics import score_errors
from pipeline.models.heads.head import Head
from pipeline.models.heads.registry import head_of_run

Array = np.ndarray


@dataclass(frozen=True)
class Cell:
    """One configuration with the seeds of all its runs.

    Attributes:
        parameters: The keys in which the compared runs differ.
        runs: The runs, the newest first.
        seeds: Number of each seed.
        validation_rmse: Of each seed, in the data's own units; with several targets the RMSSE. Shape (seeds,).
        test_rmse: The same on the test part. Shape (seeds,).
        test_mae: Mean absolute error on the test part. Shape (seeds,).
        losses: Loss at every test timestamp, see `loss_series`, in units of `scale`. Shape (time,).
        baselines: The same score of every baseline that was logged.
        scale: What errors were divided by before they were squared, the same for all cells that are compared: a typical
            error of each target, so that squares neither vanish nor overflow. Shape (targets,).
    """

    parameters: Mapping[str, str]
    runs: tuple[LoggedRun, ...]
    seeds: tuple[int, ...]
    validation_rmse: Array
    test_rmse: Array
    test_mae: Array
    losses: Array
    baselines: Mapping[str, float]
    scale: Array

    @cached_property
    def mean_rmse(self) -> float:
        """Mean of `test_rmse` over the seeds."""
        return float(self.test_rmse.mean())


def pool_seeds(
    runs: Sequence[LoggedRun], read_errors: Callable[[LoggedRun], TestErrors], keys: Sequence[str]
) -> list[Cell]:
    """Pool runs that are equal in all keys.

    A seed that was trained twice counts once, by its newest run: a copy is no new evidence.

    Args:
        runs: Finished runs, scored on the same rows.
        read_errors: Gives the errors of a run; they are kept only until its configuration is done.
        keys: Keys in which the runs differ, seeds aside.

    Returns:
        One cell per configuration, in the order of the oldest run of each.
    """
    members: dict[tuple[str, ...], list[LoggedRun]] = {}
    for run in sorted(runs, key=lambda run: run.started):
        members.setdefault(tuple(run.record.params.get(key, "-") for key in keys), []).append(run)
    first = read_errors(runs[0])  # its scale for all: otherwise losses of two configurations could not be subtracted
    head = head_of_run(runs[0].record.params)  # of all: what another head says is not scored on the same values
    typical = first.scale * (float(score_errors(head, first.errors, first.scale).mean()) or 1.0)
    cells = []
    scored: dict[bytes, float] = {}  # a forecast that needs no network is the same in most runs

    def score_baseline(errors: Array) -> float:
        content = errors.tobytes()
        if content not in scored:
            scored[content] = float(score_errors(head, errors[None], first.scale)[0])
        return scored[content]

    for values, alike in members.items():
        newest_first = [(run, read_errors(run)) for run in alike[::-1]]
        parameters = dict(zip(keys, values, strict=True))
        cells.append(_pool(head, parameters, newest_first, first.scale, typical, score_baseline))
    return cells


def _pool(
    head: Head,
    parameters: Mapping[str, str],
    newest_first: Sequence[tuple[LoggedRun, TestErrors]],
    scale: Array,
    typical: Array,
    score_baseline: Callable[[Array], float],
) -> Cell:
    seeds: list[int] = []
    chosen: list[Array] = []
    validation: list[float] = []
    runs = []
    for run, found in newest_first:
        new = [position for position, seed in enumerate(found.seeds) if seed not in seeds]
        if not new:
            continue
        runs.append(run)
        seeds += [found.seeds[position] for position in new]
        chosen.append(found.errors[new])
        validation += found.validation_rmse[new].tolist()
    errors = np.concatenate(chosen).astype(float)  # (seeds, time, horizon_steps, targets, *shape of an answer)
    newest = newest_first[0][1]
    known = next((found.baselines for _, found in newest_first if found.baselines), {})  # older runs logged none
    return Cell(
        parameters=parameters,
        runs=tuple(runs),
        seeds=tuple(seeds),
        validation_rmse=np.array(validation),
        test_rmse=score_errors(head, errors, scale),
        test_mae=np.nanmean(np.nanmean(np.abs(head.points(errors)), axis=(1, 2)) / scale, axis=1),
        losses=loss_series(errors, newest.times, typical, head),
        baselines={name: score_baseline(each) for name, each in known.items()},
        scale=typical,
    )
