"""One run from configuration to record: prepare, train, forecast, score, compare with baselines, log."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.config import Config, Engine, flat_config, hash_config
from pipeline.data.notes import count_data, describe_data, name_contract
from pipeline.data.prepare import PreparedData, prepare_data
from pipeline.environment import hushed_stderr, prepare_environment
from pipeline.errors import TrainingError
from pipeline.examination import examine_network
from pipeline.explanation.facts import explain
from pipeline.explanation.files import write_explanations
from pipeline.gates import check_ranges
from pipeline.interrupt import wait_for_safe_point
from pipeline.models.weights import save_weights
from pipeline.record import DIGEST_TAG, HASH_TAG, LENGTH_TAG, SCORED_TAG, RunRecord, Status
from pipeline.report.files import write_history
from pipeline.report.run_files import Losses, write_run_files
from pipeline.scoring import join_origins, score_trainings

if TYPE_CHECKING:
    from pipeline.tracking.live import LiveRun
    from pipeline.training.train import Training


def run_experiment(config: Config, label: str, tell: Callable[[str], None]) -> RunRecord:
    """Train one configuration with all its seeds and log it; or, with resume, read back the run that already did.

    Args:
        config: The typed configuration.
        label: Names the run for people, for example `look_back=3 stateful=false`.
        tell: Shows a sentence to the person who waits.

    Returns:
        The record of the finished run.

    Raises:
        UserError: If configuration and data do not go together; nothing is logged then.
        TrainingError: If a loss is not a finite number; the run is FAILED in MLflow.
    """
    check_ranges(config)
    data = prepare_data(config)
    prepare_environment()
    from pipeline.tracking.live import track_run
    from pipeline.tracking.past import find_finished, note_resumed
    from pipeline.tracking.store import open_store

    store = open_store(config.tracking)
    parent = config.tracking.parent_run_id
    digest = data.series.digest()
    config_hash = hash_config(config, digest)
    finished = find_finished(store, config_hash) if config.resume else None
    if finished is not None:
        if parent is not None:
            note_resumed(store, parent, finished.run_id)
        return finished

    for note in describe_data(config, data):
        tell(f"{label}: {note}")
    tags = {
        HASH_TAG: config_hash,
        DIGEST_TAG: digest,
        LENGTH_TAG: str(len(data.series)),
        "state_contract": name_contract(config),
    }
    params = flat_config(config)
    with track_run(store, label, params, tags, parent) as run, tempfile.TemporaryDirectory() as folder:
        write_explanations(Path(folder), explain(config, data))  # first: a run that fails has them, too
        metrics, per_epoch, network = _train_and_score(config, data, label, Path(folder), run, tell)
        run.log_dataset(_series_frame(data), config.dataset.name, digest, data.series.targets)
        run.log_folder(Path(folder))
        if config.tracking.log_model:
            run.log_model(network, data.windows.num_outputs)
        run.log_metrics(metrics | count_data(data), per_epoch)
    return RunRecord(run.run_id, Status.finished, params, metrics)


def _train_and_score(
    config: Config, data: PreparedData, label: str, folder: Path, run: "LiveRun", tell: Callable[[str], None]
) -> tuple[dict[str, float], dict[str, list[float]], Any]:
    """Train, score and write every file of the run; return final metrics, per-epoch metrics and the best network."""
    later = range(1, config.evaluation.origins)
    origins = [data, *(prepare_data(config, data.series, origin=origin) for origin in later)]
    trainings = [
        _train(config, each, label if not later else f"{label} origin {number + 1}/{len(origins)}")
        for number, each in enumerate(origins)
    ]
    choice, last = trainings[-1].choice, trainings[-1]
    run.set_tags({"engine": choice.engine.value, "engine_reason": choice.reason})
    if config.training.engine is Engine.auto:
        tell(f"{label}: engine {choice.engine.value}: {choice.reason}")
    losses = {seed.seed: (seed.losses, seed.val_losses) for seed in last.seeds}
    _check_failures(trainings, losses, folder, run)
    results = score_trainings(config, origins, trainings, losses)
    weights = last.seeds[results.best].weights
    found = examine_network(
        config, origins[-1], weights, last.forecasts[results.best], folder, run, lambda text: tell(f"{label}: {text}")
    )
    metrics = dict(results.metrics) | found
    scored = write_run_files(folder, label, config, join_origins(config, origins), replace(results, metrics=metrics))
    run.set_tags({SCORED_TAG: scored})
    save_weights(folder, list(losses), results.best, [seed.weights for seed in last.seeds])
    from pipeline.training.train import serving_network

    per_epoch = {
        "loss": _mean_curve([seed.losses for seed in last.seeds]),
        "val_loss": _mean_curve([seed.val_losses for seed in last.seeds]),
    }
    return metrics, per_epoch, serving_network(config, origins[-1], weights)


def _train(config: Config, data: PreparedData, label: str) -> "Training":
    from pipeline.report.progress import show_progress

    with hushed_stderr():  # 10 s and 0.8 GB, and many lines about CPUs and GPUs: only when a run starts
        from pipeline.training.train import start_tensorflow, train_seeds

        start_tensorflow()

    epochs = 1 if config.training.online else config.training.epochs
    with show_progress(label, config.seed, config.seeds, epochs) as report, wait_for_safe_point():
        return train_seeds(config, data, report)


def _check_failures(trainings: Sequence["Training"], losses: Losses, folder: Path, run: "LiveRun") -> None:
    """Fail the run if a seed diverged; what the other seeds learnt is not lost."""
    failures = [seed.failure for training in trainings for seed in training.seeds if seed.failure]
    if not failures:
        return
    write_history(folder / "history.csv", losses)
    run.log_folder(folder)
    others = sum(len(training.seeds) for training in trainings) - len(failures)
    raise TrainingError("\n".join(failures) + (f"; {others} other seed(s) ended well: history.csv" if others else ""))


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Return the mean over the seeds that trained in each epoch; early stopping ends them at different epochs."""
    longest = max(len(curve) for curve in curves)
    return [float(np.mean([curve[epoch] for curve in curves if epoch < len(curve)])) for epoch in range(longest)]


def _series_frame(data: PreparedData) -> pd.DataFrame:
    series = data.series
    frame = pd.DataFrame(series.values, columns=list(series.columns), index=series.timestamps).reset_index()
    if series.lane_names:
        frame.insert(0, "lane", np.array(series.lane_names)[series.lane_of_rows()])
    return frame
