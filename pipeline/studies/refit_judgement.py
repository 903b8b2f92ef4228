"""What a recipe that was trained again is worth beside the run it was of: both scored on rows that neither has seen."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from pipeline.artifacts.errors_file import NAME as ERRORS_FILE
from pipeline.artifacts.errors_file import measure_test_errors, read_test_errors
from pipeline.artifacts.weights import FILE_NAME, SavedWeights, load_weights
from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun, TestErrors
from pipeline.base.text import show_number
from pipeline.comparison.challenge import LEVEL, Challenge, weigh
from pipeline.config.schema import Config
from pipeline.data.categories import encode_categories
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.scaling import Scaling
from pipeline.data.series import Series, plain_times
from pipeline.evaluation.alignment import align_outputs
from pipeline.models.heads.registry import head_of_run
from pipeline.serving.model import make_network
from pipeline.serving.windows import forecast_windows
from pipeline.studies.refit import Refit

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


@dataclass(frozen=True)
class Judgement:
    """What is known of a recipe that was trained again.

    Attributes:
        found: The comparison on the rows that both can be scored on; None where there is nothing to compare.
        told: What came out, in a sentence.
    """

    found: Challenge | None
    told: str

    @property
    def is_better(self) -> bool:
        """Whether it is shown to be better."""
        return self.found is not None and self.found.is_better


def judge_refit(store: "Store", plan: Refit, run: LoggedRun) -> Judgement:
    """Compare the recipe, trained before the new test part, with the run as it was scored.

    Args:
        store: Where both are.
        plan: What was trained again.
        run: The new run.
    """
    from pipeline.tracking.artifacts import whole_folders

    with whole_folders(store, [run], (ERRORS_FILE,), read_test_errors, None) as folders:
        mine = read_test_errors(folders[run.record.run_id])
    if plan.is_same:
        return Judgement(None, _say_same(plan, _read_weights(store, run.record.run_id)))
    try:
        theirs = _score_before(plan, mine)
    except UserError as error:
        return Judgement(None, f"It cannot be compared with run {plan.run_id}: {error}.")
    if mine.rows != theirs.rows:
        told = f"It cannot be compared with run {plan.run_id}: they were scored on {mine.span} and {theirs.span}."
        return Judgement(None, told)
    found = weigh(head_of_run(run.record.params), run.record.measure, mine, theirs)
    return Judgement(found, _say_found(plan, found))


def _score_before(plan: Refit, mine: TestErrors) -> TestErrors:
    """Return the errors of the run's networks that were scored, on the test part of the new run."""
    config = replace(plan.config, evaluation=replace(plan.config.evaluation, origins=1))  # of all its blocks
    known, series = plan.known, plan.series
    if known.series.levels:
        series = encode_categories(config.dataset, series, known.series.levels)
    data = prepare_data(config, series, _spread_scaling(config, known, series))
    series, test = data.series, data.scored_rows("test")
    first, seen = series.timestamps[test], known.series.timestamps[known.split.rows("test")]
    if plain_times(first).min() < plain_times(seen).min():
        raise UserError(
            f"the new test part begins at {first.min()}, and that run was trained and chosen by rows up to {seen.min()}"
        )
    return measure_test_errors(
        series.timestamps,
        series.targets,
        data.windows.spec.horizon_steps,
        test,
        np.where(series.scorable(), series.actual(), np.nan),
        np.stack([align_outputs(data, outputs) for outputs in _forecast(config, data, plan.saved)]),
        {},
        plan.saved.seeds.tolist(),
        np.full(len(plan.saved.seeds), np.nan).tolist(),
        mine.scale,
        data.head,
    )


def _spread_scaling(config: Config, known: PreparedData, series: Series) -> Scaling:
    """Return the scaler of the run for the lanes there are now."""
    scaling, lanes = known.scaling, series.series_ids
    if lanes == known.series.series_ids:
        return scaling
    if config.dataset.scaler_per_lane:
        raise UserError("the lanes are not those that its scaler knows (dataset.scaler_per_lane=true)")
    rows = [0] * max(len(lanes), 1)
    return Scaling(scaling.kind, scaling.offset[rows], scaling.scale[rows])


def _forecast(config: Config, data: PreparedData, saved: SavedWeights) -> Sequence[np.ndarray]:
    """Forecast every window with every seed. Each (windows, outputs)."""
    networks = [make_network(config, data, [array[seed] for array in saved.arrays]) for seed in range(len(saved.seeds))]
    return [forecast_windows(config, data.windows, network) for network in networks]


def _read_weights(store: "Store", run_id: str) -> SavedWeights:
    from pipeline.tracking.past import fetch_files

    with TemporaryDirectory() as folder:
        fetch_files(store, run_id, (FILE_NAME,), Path(folder))
        return load_weights(Path(folder) / FILE_NAME)


def _say_same(plan: Refit, weights: SavedWeights) -> str:
    pairs = zip(weights.arrays, plan.saved.arrays, strict=True)
    equal = all(np.array_equal(mine, theirs) for mine, theirs in pairs)
    how = "is, to the bit, that of" if equal else "repeats, on this machine not to the bit, that of"
    return (
        f"Nothing can say whether it is better: no row arrived since, and the training that was scored {how} run "
        f"{plan.run_id}. What it gains are the rows that were held out."
    )


def _say_found(plan: Refit, found: Challenge) -> str:
    verdict = "Better" if found.is_better else "Not shown to be better"
    why = ""
    if not found.is_better:
        why = f"; each p must be below {LEVEL}" if found.is_lower else "; its score is not the better one"
    return (
        f"{verdict}: test {found.label} {show_number(found.score)} against {show_number(found.other)} of run "
        f"{plan.run_id}, on the same {found.span}, which neither was trained on: {found.say_tests()}{why}."
    )
