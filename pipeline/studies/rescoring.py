"""The story of `compare protocol`: finished runs -> weights of every seed -> both protocols -> one document."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from pipeline.artifacts.recipe_files import CONFIG_NAME
from pipeline.artifacts.weights import FILE_NAME, SavedWeights, load_weights
from pipeline.base.errors import UserError
from pipeline.base.moments import standard_deviation
from pipeline.base.record import LoggedRun, Status
from pipeline.base.study import ProtocolDocument, ProtocolScore, RefusedRun, RescoredRun
from pipeline.base.text import show_number
from pipeline.comparison.document import typed_parameters
from pipeline.config.gates import check_ranges
from pipeline.config.keys import RESULT, label_run, varying_keys
from pipeline.config.schema import Config, Protocol
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.serving.model import FILES, load_config, load_history, make_network
from pipeline.serving.windows import forecast_windows
from pipeline.studies.protocol_scores import ProtocolScores, describe_protocols, score_protocols

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

TOLERANCE = 1e-3  # relative; NumPy and XLA add in another order
CHANGES = (
    "What the protocol changes: the points scored (the tutorial drops the first look_back test rows and the last "
    "one), the state before the test (cold instead of warm), and the windows (no test window reaches back into the "
    "training part). Each run keeps the scaler that it was trained with."
)
LEAK = (
    "were trained under protocol=tutorial: their scaler has seen the test part, and they were trained on the rows of "
    "the validation part. No re-scoring undoes either; train them with protocol=fair for an honest score."
)


def rescore_runs(store: "Store", runs: Sequence[LoggedRun], selection: str = "") -> ProtocolDocument:
    """Score the weights of every finished run under both protocols.

    Args:
        store: Where the runs are.
        runs: Any runs of one configuration each; those that did not finish are left out.
        selection: What was chosen, in words.

    Raises:
        UserError: If no run finished.
    """
    finished = [run for run in runs if run.record.status is Status.finished]
    if not finished:
        raise UserError(f"none of the {len(runs)} runs {selection} finished, so there is nothing to re-score")
    rows, refused, mismatches = [], [], []
    for run, name in zip(finished, name_runs(finished), strict=True):
        try:
            config, seeds, scores = rescore_run(store, run)
        except UserError as error:
            refused.append(RefusedRun(run.record.run_id, name, str(error)))
            continue
        row = _describe(run, name, config, seeds, scores)
        rows.append(row)
        logged, found = row.logged_test_rmse, scores.under(config.protocol)
        if logged is not None and not abs(found - logged) <= TOLERANCE * logged:
            mismatches.append(
                f"{name}: under its own protocol={config.protocol.value} the weights score {show_number(found, 6)}, "
                f"but MLflow has {show_number(logged, 6)}: another version trained run {run.record.run_id}, or its "
                "files were changed"
            )
    sentences = (*_summarize(rows), CHANGES)
    return ProtocolDocument(selection, tuple(rows), tuple(refused), tuple(mismatches), sentences)


def _summarize(rows: Sequence[RescoredRun]) -> list[str]:
    """Say how much of all scores is protocol, and what re-scoring cannot tell."""
    if not rows:
        return []
    shares = sorted(row.share * 100 for row in rows)
    worse = sum(row.tutorial.test_rmse > row.tutorial.persistence_rmse for row in rows)
    unfair = sum(row.fair.test_rmse > row.fair.persistence_rmse for row in rows)
    span = f"{shares[0]:+.1f} %" if len(rows) == 1 else f"{shares[0]:+.1f} % to {shares[-1]:+.1f} %"
    leaky = sum(row.trained_under == Protocol.tutorial.value for row in rows)
    return [
        f"Of the test RMSE under protocol=tutorial, {span} is protocol. Worse than repeating the last value on the "
        f"same points: {worse} of {len(rows)} under tutorial, {unfair} under fair.",
        *([f"{leaky} of {len(rows)} {LEAK}"] if leaky else []),
    ]


def name_runs(runs: Sequence[LoggedRun]) -> list[str]:
    """Name runs by their preset where that tells them apart, otherwise by the keys in which they differ."""
    presets = [run.record.params.get("experiment", "None") for run in runs]
    if "None" not in presets and len(set(presets)) == len(runs):
        return presets
    params = [run.record.params for run in runs]
    keys = varying_keys(params, RESULT)
    return [label_run(each, keys) for each in params]


def rescore_run(store: "Store", run: LoggedRun) -> tuple[Config, Sequence[int], ProtocolScores]:
    """Load a run, forecast under both protocols with the scaler it was trained with, and score.

    Returns:
        Its configuration, the number of each seed, and the scores.

    Raises:
        UserError: If a file is missing or damaged, the data have changed, or the tutorial's protocol does not go with
            the configuration.
    """
    from pipeline.tracking.past import fetch_files

    with TemporaryDirectory() as folder:
        tags = fetch_files(store, run.record.run_id, FILES, Path(folder))
        config = load_config(Path(folder) / CONFIG_NAME)
        saved = load_weights(Path(folder) / FILE_NAME)
    tutorial_config = replace(config, protocol=Protocol.tutorial)
    check_ranges(replace(tutorial_config, training=replace(config.training, patience=None)))  # nothing is trained
    series = load_history(config, tags, store.folder)
    trained = prepare_data(config, series)
    fair = prepare_data(replace(config, protocol=Protocol.fair), series, trained.scaling)
    tutorial = prepare_data(tutorial_config, series, trained.scaling)
    scores = score_protocols(fair, _forecast(config, fair, saved), tutorial, _forecast(config, tutorial, saved))
    return config, saved.seeds.tolist(), scores


def _forecast(config: Config, data: PreparedData, saved: SavedWeights) -> np.ndarray:
    """Forecast every window with every seed. Shape (seeds, windows, outputs)."""
    networks = [make_network(config, data, [array[seed] for array in saved.arrays]) for seed in range(len(saved.seeds))]
    return np.stack([forecast_windows(config, data.windows, network) for network in networks])


def _describe(run: LoggedRun, name: str, config: Config, seeds: Sequence[int], scores: ProtocolScores) -> RescoredRun:
    return RescoredRun(
        run=run.record.run_id,
        label=name,
        parameters=typed_parameters(run.record.params),
        unit=config.dataset.unit,
        trained_under=config.protocol.value,
        seeds=tuple(seeds),
        logged_test_rmse=run.record.metrics.get("test_rmse"),
        fair=_score(scores.fair, scores.fair_points, scores.fair_persistence),
        tutorial=_score(scores.tutorial, scores.tutorial_points, scores.tutorial_persistence),
        difference=scores.difference,
        by_points=scores.by_points,
        by_state=scores.by_state,
        share=scores.share,
        sentence=describe_protocols(name, scores, config.stateful),
    )


def _score(rmse: np.ndarray, points: int, persistence: float) -> ProtocolScore:
    return ProtocolScore(
        test_rmse=float(rmse.mean()),
        std=float(standard_deviation(rmse, ddof=1)) if len(rmse) > 1 else None,
        per_seed=tuple(rmse.tolist()),
        points=points,
        persistence_rmse=persistence,
    )
