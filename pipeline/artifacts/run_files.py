"""Everything a finished run leaves in its folder, from which a person can read it, repeat it and serve it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.artifacts.errors_file import NAME as ERRORS_FILE
from pipeline.artifacts.errors_file import measure_test_errors, write_test_errors
from pipeline.artifacts.interval_file import save_intervals
from pipeline.artifacts.recipe_files import write_config, write_scaling
from pipeline.artifacts.tables import (
    write_calibration,
    write_history,
    write_intervals,
    write_origins,
    write_predictions,
    write_seeds,
    write_series_scores,
)
from pipeline.base.text import show_name, show_number
from pipeline.config.schema import Config
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.evaluation.alignment import take_truth
from pipeline.evaluation.calibration import Calibration
from pipeline.evaluation.intervals import Bounds, Coverage
from pipeline.evaluation.scores import dress
from pipeline.report.figures.calibration import CURVES, Reliability, Shares, draw_calibration
from pipeline.report.figures.run import MAX_PANELS, ForecastPanel, draw_forecast, draw_learning_curve

Array = np.ndarray
Losses = Mapping[int, tuple[list[float], list[float]]]  # by seed: training and validation loss of each epoch


@dataclass(frozen=True)
class Results:
    """What a run found.

    Attributes:
        answers: In the data's own units. Shape (seeds, time, horizon_steps, targets, *shape of an answer).
        forecasts: Their points. Shape (seeds, time, horizon_steps, targets).
        baselines: Of the baselines by name. Each (time, horizon_steps, targets).
        metrics: Final metrics by MLflow name.
        seeds: One row per seed: what it was, then its scores.
        lanes: Scores of each lane; empty for a single series, and for the sample of a panel, which has more lanes.
        origins: Scores of each origin of a rolling one, on its own block of the test part; empty for one origin.
        best: Position of the seed with the best validation score; of a rolling origin, at the last one.
        losses: Loss curves of each seed; of a rolling origin, at the last one.
        scale: What errors of each target are divided by before targets are averaged. Shape (targets,).
        bounds: Intervals around the mean of the forecasts; None without intervals.
        served: Intervals around the forecasts of the best seed; None without intervals.
        coverages: What the intervals of the network and of each baseline are worth, by name.
        coverage_told: The same of the widest interval of the network, in one sentence.
        calibrations: What the quantiles of the network and of each baseline are worth, by name; empty without any.
        calibration_told: The same of the network, in one sentence.
    """

    answers: Array
    forecasts: Array
    baselines: Mapping[str, Array]
    metrics: Mapping[str, float]
    seeds: Sequence[Mapping[str, float]]
    lanes: Sequence[Mapping[str, float]]
    origins: Sequence[Mapping[str, object]]
    best: int
    losses: Losses
    scale: Array
    bounds: Bounds | None = None
    served: Bounds | None = None
    coverages: Mapping[str, Sequence[Coverage]] = field(default_factory=dict)
    coverage_told: str = ""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    calibration_told: str = ""


def write_run_files(folder: Path, config: Config, data: PreparedData, results: Results) -> str:
    """Write config.yaml, scaling.json and the tables of a run: what it can be read, repeated and compared from.

    Args:
        folder: Where they go.
        config: Its configuration.
        data: What it was trained and scored on.
        results: What it found.

    Returns:
        What identifies the rows it was scored on: `TestErrors.rows`.
    """
    series, truth = data.series, take_truth(data)
    actual = _scored_actual(series)
    write_config(folder, config)
    write_scaling(folder, config, data)
    write_predictions(
        folder / "predictions.csv",
        series.timestamps,
        series.targets,
        data.windows.spec.horizon_steps,
        data.split.part_names(),
        actual,
        results.forecasts,
        list(results.losses),
        np.array(series.series_ids)[series.series_of_rows()] if series.series_ids else None,
        results.bounds,
        data.head.levels,
        results.answers,
    )
    if results.coverages:
        write_intervals(folder / "intervals.csv", series.targets, results.coverages)
    if results.calibrations:
        write_calibration(folder / "calibration.csv", results.calibrations)
    if results.served is not None:
        save_intervals(folder, results.served.after, series.series_ids)
    scored_rows = write_test_errors(
        folder / ERRORS_FILE,
        measure_test_errors(
            series.timestamps,
            series.targets,
            data.windows.spec.horizon_steps,
            data.scored_rows("test"),
            actual,
            results.answers,
            {name: dress(truth, each) for name, each in results.baselines.items()},
            list(results.losses),
            [seed[data.head.measure(len(series.targets)).of("validation")] for seed in results.seeds],
            results.scale,
            data.head,
        ),
    )
    write_seeds(folder / "seeds.csv", results.seeds)
    if results.lanes:
        write_series_scores(folder / "lanes.csv", series.series_ids, results.lanes)
    if results.origins:
        write_origins(folder / "origins.csv", results.origins)
    write_history(folder / "history.csv", results.losses)
    return scored_rows


def draw_run_figures(
    label: str, config: Config, data: PreparedData, results: Results
) -> dict[str, Callable[[Path], None]]:
    """Return what draws each figure of a run into a file, by the file's name; arguments are those of write_run_files.

    The label names the run for people.
    """
    title = f"{show_name(config.dataset.name)}: {label}"

    def forecast(path: Path) -> None:
        metrics, unit = results.metrics, config.dataset.unit
        measure = data.head.measure(len(data.series.targets))
        score, fit = metrics[measure.of("test")], metrics[measure.of("baseline_linear")]
        of = f" {show_name(unit, 40)}" if measure.has_unit else ""
        scored = f"test {measure.label} {show_number(score)}, linear fit {show_number(fit)}{of}"
        panels = list(_panels(unit, data, _scored_actual(data.series), results))
        draw_forecast(path, f"{title}\n{scored}", panels)

    def calibration(path: Path) -> None:
        shown = {name: results.calibrations[name] for name in CURVES}
        shares = {}
        for name, found in shown.items():
            ends = np.array([found.interval(float(share)) for share in found.below])  # (levels, 2)
            shares[CURVES[name]] = Shares(found.below, ends[:, 0], ends[:, 1])
        told = results.calibration_told.partition(";")[0]
        draw_calibration(path, f"{title}\n{told}", Reliability(data.head.levels, shares))

    rule = data.head.rule  # of a distribution a likelihood is minimized
    unit = "nats" if rule is not None and rule.below is None else "scaled units"
    figures = {
        "forecast.png": forecast,
        "learning_curve.png": lambda path: draw_learning_curve(path, title, results.losses, unit),
    }
    return figures | ({"calibration.png": calibration} if results.calibrations else {})


def _scored_actual(series: Series) -> Array:
    """Return the targets, NaN where the file had none. Shape (time, targets)."""
    return np.where(series.scorable(), series.actual(), np.nan)


def _panels(unit: str, data: PreparedData, actual: Array, results: Results) -> Iterator[ForecastPanel]:
    """Return the last horizon step of the first few lanes and targets."""
    series, in_test = data.series, data.split.rows("test")
    lanes = [rows for rows in series.slices() if in_test[rows].any()][:MAX_PANELS]
    for rows in lanes:
        lane = series.series_of_rows()[rows.start]
        for column, target in enumerate(series.targets[:MAX_PANELS]):
            shown = f"{show_name(target, 24)} [{show_name(unit, 20)}]"
            yield ForecastPanel(
                name=f"{show_name(series.series_ids[lane], 16)}: {shown}" if series.series_ids else shown,
                timestamps=series.timestamps[rows],
                test_start=int(np.argmax(in_test[rows])),
                actual=actual[rows, column],
                forecasts=results.forecasts[:, rows, -1, column],
                linear=results.baselines["linear"][rows, -1, column],
                levels=results.bounds.levels if results.bounds is not None else (),
                centres=results.bounds.centres[rows, -1, column] if results.bounds is not None else None,
                radii=results.bounds.radii[rows, -1, column] if results.bounds is not None else None,
            )
