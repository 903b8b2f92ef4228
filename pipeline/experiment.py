"""One run from configuration to record: prepare, train, forecast, score, compare with baselines, log."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.config import Config, Engine, flat_config, hash_config, plain_config
from pipeline.data.notes import count_data, describe_data
from pipeline.data.prepare import PreparedData, prepare_data
from pipeline.data.windows import Samples
from pipeline.environment import hushed_stderr, prepare_environment
from pipeline.errors import TrainingError
from pipeline.evaluation.baselines import align_forecasts, linear_fit, persistence, seasonal_naive
from pipeline.evaluation.scores import Truth, score_run, score_seed
from pipeline.gates import check_ranges
from pipeline.interrupt import wait_for_safe_point
from pipeline.record import RunRecord, Status
from pipeline.report import errors_file
from pipeline.report.files import write_history, write_predictions, write_seeds

if TYPE_CHECKING:
    from pipeline.tracking.live import LiveRun
    from pipeline.training.train import Training

Array = np.ndarray
Losses = Mapping[int, tuple[list[float], list[float]]]  # by seed: training and validation loss of each epoch


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
    tags = {HASH_TAG: config_hash, DIGEST_TAG: digest}
    params = flat_config(config)
    with track_run(store, label, params, tags, parent) as run, tempfile.TemporaryDirectory() as folder:
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
    scored = _score(config, data, training, losses, label, folder)
    run.set_tags({ROWS_TAG: errors_file.read_scored_rows(folder)[0]})
    return scored


def _train(config: Config, data: PreparedData, label: str) -> "Training":
    from pipeline.report.progress import show_progress

    with hushed_stderr():  # 10 s and 0.8 GB, and many lines about CPUs and GPUs: only when a run starts
        from pipeline.training.train import start_tensorflow, train_seeds

        start_tensorflow()

    with show_progress(label, config.seed, config.seeds, config.training.epochs) as report, wait_for_safe_point():
        return train_seeds(config, data, report)


def _score(
    config: Config, data: PreparedData, training: "Training", losses: Losses, label: str, folder: Path
) -> tuple[dict[str, float], dict[str, list[float]], Any]:
    """Score and write every file of the run; return final metrics, per-epoch metrics and the best network."""
    from pipeline.training.train import serving_network

    forecasts = np.stack([_align(data, outputs) for outputs in training.forecasts])
    baselines = forecast_baselines(config, data)
    truth = _truth(data)
    scores = [score_seed(truth, each) for each in forecasts]
    _check_finite(scores, [seed.seed for seed in training.seeds])
    metrics = score_run(truth, scores, baselines) | {"fit_seconds": training.fit_seconds}
    best = int(np.argmin([score["validation_rmse"] for score in scores]))
    facts = [
        {
            "seed": seed.seed,
            "epochs": len(seed.losses),
            "kept_epoch": seed.kept_epoch,
            "seconds": round(seed.seconds, 3),
        }
        for seed in training.seeds
    ]
    _write_files(config, data, folder, label, forecasts, baselines, metrics, scores, facts, losses)
    per_epoch = {
        "loss": _mean_curve([seed.losses for seed in training.seeds]),
        "val_loss": _mean_curve([seed.val_losses for seed in training.seeds]),
    }
    return metrics, per_epoch, serving_network(config, data, training.seeds[best].weights)


def _check_finite(scores: Sequence[Mapping[str, float]], seeds: Sequence[int]) -> None:
    for seed, score in zip(seeds, scores, strict=True):
        bad = [name for name, value in score.items() if not np.isfinite(value)]
        if bad:
            raise TrainingError(
                f"seed {seed}: {bad[0]} is {score[bad[0]]}, although the losses are numbers: the forecasts are too "
                "large; lower training.learning_rate or set training.clip_norm"
            )


def forecast_baselines(config: Config, data: PreparedData) -> dict[str, Array]:
    """Return the forecasts of every baseline, each of shape (time, horizon_steps, targets), in the data's own units.

    The linear fit sees what the network sees: the same windows after the same transforms, fitted on the training part.
    """
    windows, actual = data.windows, data.series.actual()
    linear = linear_fit(
        Samples(windows, windows.train),
        windows.gather_last_targets(windows.train),
        Samples(windows, windows.starts),
    )  # (windows, outputs)
    return {
        "persistence": persistence(actual, windows.horizon_steps),
        "seasonal": seasonal_naive(actual, windows.horizon_steps, config.dataset.period),
        "linear": _align(data, linear),
    }


def _align(data: PreparedData, outputs: Array) -> Array:
    """Turn scaled outputs, one row per window, into forecasts in the data's units, placed at the rows they predict."""
    windows = data.windows
    forecasts = data.in_units(outputs, windows.starts)  # (windows, horizon_steps, targets)
    return align_forecasts(forecasts, windows.origins(windows.starts), windows.horizon_steps, len(data.series))


def _truth(data: PreparedData) -> Truth:
    parts = {part: data.split.rows(part) for part in ("train", "validation", "test")}
    return Truth(data.series.actual(), data.series.scorable(), parts, data.series.targets)


def _mean_curve(curves: list[list[float]]) -> list[float]:
    """Return the mean over the seeds that trained in each epoch; early stopping ends them at different epochs."""
    longest = max(len(curve) for curve in curves)
    return [float(np.mean([curve[epoch] for curve in curves if epoch < len(curve)])) for epoch in range(longest)]


def _write_files(
    config: Config,
    data: PreparedData,
    folder: Path,
    label: str,
    forecasts: Array,
    baselines: Mapping[str, Array],
    metrics: Mapping[str, float],
    scores: list[dict[str, float]],
    facts: list[dict[str, float]],
    losses: Losses,
) -> None:
    from omegaconf import OmegaConf

    from pipeline.report.figures import draw_forecast, draw_learning_curve

    series, windows = data.series, data.windows
    title = f"{config.dataset.name}: {label}"
    actual = np.where(series.scorable(), series.actual(), np.nan)  # (time, targets)
    logged = plain_config(config)
    logged["tracking"] |= {"parent_run_id": None, "sweep_keys": []}  # a rebuilt run is not part of the sweep
    (folder / "config.yaml").write_text(OmegaConf.to_yaml(OmegaConf.create(logged)))
    (folder / "scaling.json").write_text(json.dumps(describe_scaling(config, data), indent=2) + "\n")
    write_predictions(
        folder / "predictions.csv",
        series.timestamps,
        series.targets,
        windows.horizon_steps,
        data.split.part_names(),
        actual,
        forecasts,
        list(losses),
    )
    errors_file.write_test_errors(
        folder / errors_file.NAME,
        series.timestamps,
        series.targets,
        windows.horizon_steps,
        data.split.rows("test"),
        actual,
        forecasts,
        baselines,
        list(losses),
        [score["validation_rmse"] for score in scores],
    )
    write_seeds(folder / "seeds.csv", scores, facts)
    write_history(folder / "history.csv", losses)
    scored = f"test RMSE {metrics['test_rmse']:.4g}, linear fit {metrics['baseline_linear_rmse']:.4g}"
    draw_forecast(
        folder / "forecast.png",
        f"{title}\n{scored} {config.dataset.unit}",
        config.dataset.unit,
        series.timestamps,
        series.targets,
        data.split.validation_end,
        actual,
        forecasts,
        baselines["linear"],
    )
    draw_learning_curve(folder / "learning_curve.png", title, losses)


def describe_scaling(config: Config, data: PreparedData) -> dict[str, Any]:
    """Return what a client of the served model needs: scaled = (transformed - offset) / scale, per column."""
    columns = {
        name: {"offset": float(offset), "scale": float(scale)}
        for name, offset, scale in zip(data.series.columns, data.scaling.offset, data.scaling.scale, strict=True)
    }
    return {
        "features": list(data.series.features),
        "targets": list(data.series.targets),
        "transforms": [step.value for step in config.dataset.transforms],
        "period": config.dataset.period,
        "look_back": config.look_back,
        "horizon_steps": list(data.windows.horizon_steps),
        "lags_as": config.dataset.lags_as.value,
        "stateful": config.stateful,
        "columns": columns,
    }


def _series_frame(data: PreparedData) -> pd.DataFrame:
    return pd.DataFrame(
        data.series.values, columns=list(data.series.columns), index=data.series.timestamps
    ).reset_index()
