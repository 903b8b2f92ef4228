"""From trained seeds to scores: every seed and every baseline on the same rows, in the data's own units."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.artifacts.run_files import Losses, Results
from pipeline.base.errors import TrainingError
from pipeline.base.moments import standard_deviation
from pipeline.base.text import show_number
from pipeline.baselines.registry import BASELINES
from pipeline.baselines.task import Task, WindowTask
from pipeline.config.schema import Config
from pipeline.data.prepared import PreparedData
from pipeline.data.split import split_series
from pipeline.data.windows import Samples
from pipeline.evaluation.alignment import align_outputs, align_points, find_best, take_truth
from pipeline.evaluation.calibration import (
    Calibration,
    calibration_metrics,
    describe_calibration,
    measure_calibration,
)
from pipeline.evaluation.intervals import (
    Bounds,
    Coverage,
    bound_forecasts,
    describe_coverage,
    find_middle,
    interval_metrics,
    measure_coverage,
)
from pipeline.evaluation.lane_sums import PanelScores
from pipeline.evaluation.scores import Truth, dress, score_all, score_part, score_run, score_seed, score_series
from pipeline.evaluation.statistics import summarize_seeds
from pipeline.models.heads.point import POINT

if TYPE_CHECKING:
    from pipeline.training.record import SeedTraining, Training

Array = np.ndarray
Scores = list[dict[str, float]]
_NETWORK = "network"  # in intervals.csv, beside the names of baselines
_SERVED = "best seed"
_WEAK = 1.05  # times the validation error of persistence


def score_trainings(
    config: Config,
    origins: Sequence[PreparedData],
    trainings: Sequence["Training"],
    losses: Losses,
    panel: PanelScores | None = None,
) -> Results:
    """Score the seeds of a run.

    Args:
        config: The configuration of the run.
        origins: The data as each origin of a rolling one saw them; usually there is one.
        trainings: All seeds, trained at each origin.
        losses: Loss curves of each seed, for the files.
        panel: The scores of the panel that the data are a sample of; None: of the data themselves.

    Returns:
        Forecasts, metrics and scores. Each test row is forecast by the networks of its own origin; validation and
        training scores are those of the first one, which has seen no test row: one may choose by them.

    Raises:
        TrainingError: If a score is not a finite number.
    """
    last = trainings[-1]
    each = [
        np.stack([align_outputs(data, outputs) for outputs in training.forecasts])
        for data, training in zip(origins, trainings, strict=True)
    ]  # of each origin (seeds, time, horizon_steps, targets, *shape of an answer)
    coefficients = None if panel is None else panel.coefficients
    baselines = [forecast_baselines(config, data, coefficients) for data in origins]
    answers = _join(origins, each, axis=1)
    joined = {name: _join(origins, [some[name] for some in baselines], axis=0) for name in baselines[0]}
    whole = join_origins(config, origins)
    truth = take_truth(whole)
    measure, forecasts = truth.measure, truth.head.points(answers)
    scores = [score_seed(truth, some) for some in answers] if panel is None else panel.seeds
    check_finite(scores, [seed.seed for seed in last.seeds])
    if panel is None:
        metrics = score_run(truth, scores, joined)
        metrics[measure.of("mean_forecast")] = score_part(truth, answers.mean(axis=0), truth.scored("test"))
    else:
        metrics = dict(panel.metrics)
    metrics["fit_seconds"] = sum(training.fit_seconds for training in trainings)
    if config.training.online:
        metrics |= summarize_seeds(measure.of("prequential"), [score_all(truth, some) for some in answers])
    blocks = _score_origins(origins, each, baselines) if len(origins) > 1 else []
    if blocks:
        by_origin = [block[measure.of("test")] for block in blocks]
        metrics |= {
            f"{measure.of('origin')}_mean": float(np.mean(by_origin)),
            f"{measure.of('origin')}_std": float(standard_deviation(np.array(by_origin), ddof=1)),
        }
    if panel is None:
        best = find_best(origins[-1], last.forecasts)
    else:
        best = int(np.argmin([measure.rank(score[measure.of("validation")]) for score in scores]))
    bounds, served, coverages, told = _bound_all(config, whole, truth, answers, best, joined)
    metrics |= interval_metrics(
        truth, coverages.get(_NETWORK, []), {name: coverages[name] for name in joined if name in coverages}
    )
    calibrations = _calibrate(whole, truth, answers.mean(axis=0), joined)
    told_of_quantiles = ""
    if calibrations:
        network, *others = calibrations
        metrics |= calibration_metrics(calibrations[network], {name: calibrations[name] for name in others})
        told_of_quantiles = describe_calibration(calibrations[network])
    return Results(
        answers=answers,
        forecasts=forecasts,
        baselines=joined,
        metrics=metrics,
        seeds=[describe_seed(seed) | score for seed, score in zip(last.seeds, scores, strict=True)],
        lanes=score_series(truth, list(forecasts), joined) if whole.series.series_ids and panel is None else [],
        origins=blocks,
        best=best,
        losses=losses,
        scale=truth.divisors,
        bounds=bounds,
        served=served,
        coverages=coverages,
        coverage_told=told,
        calibrations=calibrations,
        calibration_told=told_of_quantiles,
    )


def _calibrate(
    data: PreparedData, truth: Truth, answers: Array, baselines: Mapping[str, Array]
) -> dict[str, Calibration]:
    """Return what the quantiles of the network and of each baseline are worth, by name; the network's first."""
    if not truth.head.levels:
        return {}
    named = {_NETWORK: answers} | {name: dress(truth, each) for name, each in baselines.items()}
    return {name: measure_calibration(truth, data.series.timestamps, each) for name, each in named.items()}


def _bound_all(
    config: Config, data: PreparedData, truth: Truth, answers: Array, best: int, baselines: Mapping[str, Array]
) -> tuple[Bounds | None, Bounds | None, dict[str, list[Coverage]], str]:
    """Put intervals around the mean of the seeds, the best seed and every baseline, and measure those of the test part.

    Returns:
        Intervals around the mean and around the best seed; what they are worth by name; and that in a sentence.
    """
    levels, adaptive, timestamps = config.evaluation.coverage, config.evaluation.adaptive, data.series.timestamps

    own = {_NETWORK: answers.mean(axis=0), _SERVED: answers[best]}
    middles = {name: find_middle(truth.head, each) for name, each in own.items()}
    middles |= {name: find_middle(POINT, each) for name, each in baselines.items()}
    found = bound_forecasts(data, truth, middles, levels, adaptive)
    if not found:
        return None, None, {}, ""
    bounds, served = found[_NETWORK], found.pop(_SERVED)
    coverages = {name: measure_coverage(truth, timestamps, around) for name, around in found.items()}
    if not coverages[_NETWORK]:
        return bounds, served, {}, ""
    return bounds, served, coverages, describe_coverage(coverages[_NETWORK][-1])


def describe_seed(seed: "SeedTraining") -> dict[str, float]:
    """Return what a seed was, for seeds.csv."""
    return {
        "seed": seed.seed,
        "epochs": len(seed.losses),
        "kept_epoch": seed.kept_epoch,
        "seconds": round(seed.seconds, 3),
    }


def join_origins(config: Config, origins: Sequence[PreparedData]) -> PreparedData:
    """Return the data of the last origin with the whole test part, as one origin would have it."""
    last = origins[-1]
    if len(origins) == 1:
        return last
    return replace(last, split=split_series(last.series, config.dataset, config.protocol))


def forecast_baselines(config: Config, data: PreparedData, coefficients: Array | None = None) -> dict[str, Array]:
    """Return the forecasts of every baseline, each of shape (time, horizon_steps, targets), in the data's own units.

    The linear fit sees what the network sees: the same windows after the same transforms, fitted on the training part;
    with its coefficients, of shape (1 + lags, outputs), it was fitted before.
    """
    windows = data.windows
    task = Task(
        actual=data.series.actual(),
        horizon_steps=windows.spec.horizon_steps,
        slices=data.series.slices(),
        period=config.dataset.period,
        windows=WindowTask(
            train_inputs=Samples(windows, windows.train),
            train_targets=windows.gather_last_targets(windows.train),
            validation_inputs=Samples(windows, windows.validation),
            validation_targets=windows.gather_last_targets(windows.validation),
            inputs=Samples(windows, windows.starts),
            align=lambda scaled: align_points(data, scaled),
            coefficients=coefficients,
        ),
    )
    return {name: baseline.forecast(task) for name, baseline in BASELINES.items()}


def describe_weak_fit(data: PreparedData, results: Results) -> list[str]:
    """Say that the linear fit is no strong baseline on this data; nothing if it is one.

    Its penalty and the networks are chosen by the validation part, and so it is judged there.
    """
    truth = take_truth(data)
    scored = truth.scored("validation")
    linear, repeated = (
        score_part(truth, dress(truth, results.baselines[name]), scored) for name in ("linear", "persistence")
    )
    if linear <= _WEAK * repeated:
        return []
    return [
        f"the linear fit on the same lags is a weak baseline here: on the validation part its error is "
        f"{show_number(linear / repeated, 3)} times that of repeating the last value; fewer lags or "
        "dataset.transforms=[difference] often help it, and the network as well"
    ]


def _join(origins: Sequence[PreparedData], forecasts: Sequence[Array], axis: int) -> Array:
    """Take the rows before the test from the first origin, and each block of the test from its own."""
    joined = forecasts[0].copy()
    for data, own in zip(origins[1:], forecasts[1:], strict=True):
        rows = (slice(None),) * axis + (data.split.rows("test"),)
        joined[rows] = own[rows]
    return joined


def _score_origins(
    origins: Sequence[PreparedData], each: Sequence[Array], baselines: Sequence[Mapping[str, Array]]
) -> list[dict[str, Any]]:
    """Score each origin on its own block of the test part: means over the seeds, and their spread."""
    blocks: list[dict[str, Any]] = []
    for number, (data, own, naive) in enumerate(zip(origins, each, baselines, strict=True)):
        truth, rows = take_truth(data), np.flatnonzero(data.split.rows("test"))
        metrics = score_run(truth, [score_seed(truth, some) for some in own], naive)
        kept_names = ("test_rmse", "test_rmsse", truth.measure.of("test"), "baseline_")
        kept = {name: value for name, value in metrics.items() if name.startswith(kept_names)}
        times = data.series.timestamps[rows]
        blocks.append({"origin": number, "first": times.min(), "last": times.max(), "rows": len(rows)} | kept)
    return blocks


def check_finite(scores: Scores, seeds: Sequence[int]) -> None:
    """Raise TrainingError where a score is not a finite number."""
    for seed, score in zip(seeds, scores, strict=True):
        bad = [name for name, value in score.items() if not np.isfinite(value)]
        if bad:
            raise TrainingError(
                f"seed {seed}: {bad[0]} is {score[bad[0]]}, although the losses are numbers: the forecasts are too "
                "large; lower training.learning_rate or set training.clip_norm"
            )
