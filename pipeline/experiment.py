"""One run from configuration to record: prepare, train, forecast, score, compare with baselines, log."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.config import Config, Engine, flat_config, hash_config
from pipeline.data.notes import count_data, describe_data, name_contract
from pipeline.data.prepare import PreparedData, prepare_data
from pipeline.data.windows import Samples
from pipeline.environment import hushed_stderr, prepare_environment
from pipeline.errors import TrainingError
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.baselines import linear_fit, persistence, seasonal_naive
from pipeline.evaluation.memory import describe_memory, measure_memory
from pipeline.evaluation.scores import score_all, score_lanes, score_run, score_seed
from pipeline.evaluation.statistics import summarize_seeds
from pipeline.explanation.facts import explain
from pipeline.explanation.files import write_explanations
from pipeline.gates import check_ranges
from pipeline.interrupt import wait_for_safe_point
from pipeline.models.plain import make_plain
from pipeline.models.plan import plan_layers
from pipeline.models.weights import save_weights
from pipeline.record import RunRecord, Status
from pipeline.report.errors_file import read_scored_rows
from pipeline.report.figures import draw_memory
from pipeline.report.files import write_history, write_memory, write_parity
from pipeline.report.run_files import Losses, Results, write_run_files

if TYPE_CHECKING:
    from pipeline.tracking.live import LiveRun
    from pipeline.training.train import Training

Array = np.ndarray


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
    from pipeline.tracking.live import DIGEST_TAG, HASH_TAG, track_run
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
        "dataset_rows": str(len(data.series)),
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
    from pipeline.tracking.live import ROWS_TAG

    training = _train(config, data, label)
    engine, reason = training.choice.engine.value, training.choice.reason
    run.set_tags({"engine": engine, "engine_reason": reason})
    if config.training.engine is Engine.auto:
        tell(f"{label}: engine {engine}: {reason}")
    losses = {seed.seed: (seed.losses, seed.val_losses) for seed in training.seeds}
    failures = [seed.failure for seed in training.seeds if seed.failure]
    if failures:  # what the other seeds learnt is not lost
        write_history(folder / "history.csv", losses)
        run.log_folder(folder)
        others = len(losses) - len(failures)
        raise TrainingError(
            "\n".join(failures) + (f"; {others} other seed(s) ended well: history.csv" if others else "")
        )
    scores, results = _score(config, data, training, losses)
    best = int(np.argmin([score["validation_rmse"] for score in scores]))
    metrics = dict(results.metrics) | _examine(
        config, data, training, best, folder, run, lambda text: tell(f"{label}: {text}")
    )
    write_run_files(folder, label, config, data, replace(results, metrics=metrics))
    run.set_tags({ROWS_TAG: read_scored_rows(folder)[0]})
    save_weights(folder, [seed.seed for seed in training.seeds], best, [seed.weights for seed in training.seeds])
    from pipeline.training.train import serving_network

    per_epoch = {
        "loss": _mean_curve([seed.losses for seed in training.seeds]),
        "val_loss": _mean_curve([seed.val_losses for seed in training.seeds]),
    }
    return metrics, per_epoch, serving_network(config, data, training.seeds[best].weights)


def _train(config: Config, data: PreparedData, label: str) -> "Training":
    from pipeline.report.progress import show_progress

    with hushed_stderr():  # 10 s and 0.8 GB, and many lines about CPUs and GPUs: only when a run starts
        from pipeline.training.train import start_tensorflow, train_seeds

        start_tensorflow()

    epochs = 1 if config.training.online else config.training.epochs
    with show_progress(label, config.seed, config.seeds, epochs) as report, wait_for_safe_point():
        return train_seeds(config, data, report)


def _score(
    config: Config, data: PreparedData, training: "Training", losses: Losses
) -> tuple[list[dict[str, float]], Results]:
    """Score every seed and every baseline on the same timestamps."""
    forecasts = np.stack([align_outputs(data, outputs) for outputs in training.forecasts])
    baselines = forecast_baselines(config, data)
    truth = take_truth(data)
    scores = [score_seed(truth, each) for each in forecasts]
    _check_finite(scores, [seed.seed for seed in training.seeds])
    metrics = score_run(truth, scores, baselines) | {"fit_seconds": training.fit_seconds}
    if config.training.online:
        metrics |= summarize_seeds("prequential_rmse", [score_all(truth, each) for each in forecasts])
    rows = [
        {
            "seed": seed.seed,
            "epochs": len(seed.losses),
            "kept_epoch": seed.kept_epoch,
            "seconds": round(seed.seconds, 3),
        }
        | score
        for seed, score in zip(training.seeds, scores, strict=True)
    ]
    lanes = score_lanes(truth, list(forecasts), baselines) if data.series.lane_names else []
    return scores, Results(forecasts, baselines, metrics, rows, lanes, losses)


def _check_finite(scores: Sequence[Mapping[str, float]], seeds: Sequence[int]) -> None:
    for seed, score in zip(seeds, scores, strict=True):
        bad = [name for name, value in score.items() if not np.isfinite(value)]
        if bad:
            raise TrainingError(
                f"seed {seed}: {bad[0]} is {score[bad[0]]}, although the losses are numbers: the forecasts are too "
                "large; lower training.learning_rate or set training.clip_norm"
            )


def _examine(
    config: Config,
    data: PreparedData,
    training: "Training",
    best: int,
    folder: Path,
    run: "LiveRun",
    tell: Callable[[str], None],
) -> dict[str, float]:
    """Certify that the best network answers alike however it is read, and measure how far back it remembers.

    Raises:
        TrainingError: If it does not answer alike.
    """
    if not config.can_carry:
        run.set_tags({"parity": f"not applicable: {config.wiring.value} carries no state"})
        return {}
    from pipeline.training.parity import certify_parity

    weights, outputs = training.seeds[best].weights, training.forecasts[best]
    certificate = certify_parity(config, data, weights, outputs)
    write_parity(folder / "parity.csv", certificate.differences)
    run.set_tags({"parity": f"certified over {certificate.steps} steps"})
    metrics = {"parity_difference": certificate.largest}
    layers = plan_layers(config, data.windows.num_features, data.windows.num_outputs)
    memory = None if config.training.online else measure_memory(config, data, make_plain(layers, weights), outputs)
    if memory is not None:
        sentence = describe_memory(config, memory)
        run.set_tags({"memory": sentence})
        tell(sentence)
        write_memory(folder / "memory.csv", memory.warm_up, memory.zeroed)
        draw_memory(folder / "memory.png", sentence, config.dataset.unit, memory.warm_up, memory.zeroed, memory.whole)
        metrics["memory_steps"] = float(memory.memory_steps)
    return metrics


def forecast_baselines(config: Config, data: PreparedData) -> dict[str, Array]:
    """Return the forecasts of every baseline, each of shape (time, horizon_steps, targets), in the data's own units.

    The linear fit sees what the network sees: the same windows after the same transforms, fitted on the training part.
    """
    windows, actual, lanes = data.windows, data.series.actual(), data.series.lanes()
    linear = linear_fit(
        Samples(windows, windows.train),
        windows.gather_last_targets(windows.train),
        Samples(windows, windows.starts),
    )  # (windows, outputs)
    return {
        "persistence": persistence(actual, windows.horizon_steps, lanes),
        "seasonal": seasonal_naive(actual, windows.horizon_steps, config.dataset.period, lanes),
        "linear": align_outputs(data, linear),
    }


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
