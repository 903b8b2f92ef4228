"""The story of `make tutorial`, after the training: runs of the five presets -> places of the published numbers."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.moments import standard_deviation
from pipeline.base.record import LoggedRun, Status
from pipeline.base.study import PlacedScore, TutorialDocument, Variant
from pipeline.studies.published import (
    PUBLISHED,
    WHY,
    Place,
    describe_baselines,
    describe_place,
    expected_outside,
)

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

_FILE = "seeds.csv"
_BASELINES = {
    "repeating the last value": "baseline_persistence_rmse",
    "the value of a year ago": "baseline_seasonal_rmse",
    "a linear fit on the same lags": "baseline_linear_rmse",
}


def place_published(store: "Store", runs: Sequence[LoggedRun], changed: Sequence[str] = ()) -> TutorialDocument:
    """Place every published number among our seeds.

    Args:
        store: Where the runs are.
        runs: One finished run of each preset.
        changed: Overrides with which our runs differ from the recipes, seeds aside.

    Raises:
        UserError: If a preset has no finished run, or several.
    """
    from pipeline.tracking.artifacts import run_folders

    by_preset = [_run_of(preset, runs) for preset in PUBLISHED]
    with run_folders(store, by_preset, (_FILE,)) as folders:
        tables = [pd.read_csv(folder / _FILE) for folder in folders]
    variants: list[Variant] = []
    places: list[Place] = []
    for (preset, published), run, table in zip(PUBLISHED.items(), by_preset, tables, strict=True):
        train = Place(published.train, table["train_rmse"].to_numpy(dtype=float))
        test = Place(published.test, table["test_rmse"].to_numpy(dtype=float))
        places += [train, test]
        variants.append(
            Variant(
                name=preset,
                train=_describe(train),
                test=_describe(test),
                persistence_rmse=run.record.metrics["baseline_persistence_rmse"],
                sentence=describe_place(preset, train, test),
            )
        )
    baselines = [(name, [run.record.metrics[metric] for run in by_preset]) for name, metric in _BASELINES.items()]
    tests, ours = [each.test for each in PUBLISHED.values()], [each.test.mean for each in variants]
    sentences = (_count_outside(places, changed), describe_baselines(tests, ours, baselines))
    return TutorialDocument(tuple(variants), sentences)


def _run_of(preset: str, runs: Sequence[LoggedRun]) -> LoggedRun:
    mine = [
        run for run in runs if run.record.params.get("experiment") == preset and run.record.status is Status.finished
    ]
    if len(mine) != 1:
        raise UserError(f"{preset} has {len(mine)} finished runs in the sweep, but one is needed")
    return mine[0]


def _describe(place: Place) -> PlacedScore:
    scores = place.scores
    return PlacedScore(
        published=place.published,
        mean=float(scores.mean()),
        std=float(standard_deviation(scores, ddof=1)) if len(scores) > 1 else None,
        lowest=float(scores.min()),
        highest=float(scores.max()),
        percentile=place.percentile,
        num_seeds=len(scores),
    )


def _count_outside(places: Sequence[Place], changed: Sequence[str]) -> str:
    """Say how many published numbers lie outside, how many would by chance, and why."""
    outside, seeds = sum(not place.inside for place in places), len(places[0].scores)
    told = (
        f"{outside} of the {len(places)} published numbers lie outside our {seeds} seeds; "
        f"{expected_outside(len(places), seeds):.1f} would by chance alone."
    )
    if changed:
        return (
            f"{told} Our runs do not follow the recipes ({' '.join(changed)}), so that says nothing about the tutorial."
        )
    return f"{told} {WHY}" if outside else told
