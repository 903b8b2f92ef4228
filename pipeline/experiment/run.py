"""One run from configuration to record: prepare, train, forecast, score, compare with baselines, log."""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.artifacts.run_files import Losses, Results, draw_run_figures, write_run_files
from pipeline.artifacts.tables import write_history
from pipeline.artifacts.text_files import TextResults, draw_text_figures, write_text_files
from pipeline.artifacts.weights import save_weights
from pipeline.base.environment import prepare_environment
from pipeline.base.errors import PipelineError, TrainingError
from pipeline.base.interrupt import check_interrupt
from pipeline.base.record import (
    ALL_ROWS_TAG,
    AUTO_TAG,
    DIGEST_TAG,
    HASH_TAG,
    LENGTH_TAG,
    SCORED_TAG,
    SURE_TAGS,
    RunRecord,
    Status,
)
from pipeline.base.salvage import INCOMPLETE_TAG, Salvage
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, Engine, flat_config, hash_config
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.notes import count_data, describe_data, name_contract
from pipeline.data.panel_blocks import PanelBlocks
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.data.sources import load_series
from pipeline.evaluation.lane_sums import PanelScores
from pipeline.experiment.all_rows import Kept, Train, train_on_all_rows
from pipeline.experiment.diagnostics import log_certificate, log_gates, study_memory
from pipeline.experiment.panel import count_blocks, open_blocks, train_panel, write_panel_files
from pipeline.experiment.resumed import essential_files, find_resumed
from pipeline.experiment.scoring import describe_weak_fit, join_origins, score_trainings
from pipeline.experiment.text_scoring import describe_order, score_text
from pipeline.experiment.trainer import Trainer, TrainsJobs
from pipeline.explanation.facts.explanation import explain
from pipeline.explanation.files import OF_A_RUN, write_explanation
from pipeline.report.page.gates import PAGE as GATES_PAGE
from pipeline.serving.frames import value_columns
from pipeline.serving.model import ServedModel, make_model
from pipeline.serving.packed import pack_model
from pipeline.training.record import Certificate, Training

if TYPE_CHECKING:
    from pipeline.tracking.live import LiveRun


def run_experiment(
    config: Config,
    label: str,
    tell: Callable[[str], None],
    series: Series | None = None,
    trainer: TrainsJobs | None = None,
) -> RunRecord:
    """Train one configuration with all its seeds and log it; or, with resume, read back the run that already did.

    Args:
        config: The typed configuration.
        label: Names the run for people, for example `look_back=3 stateful=false`.
        tell: Shows a sentence to the person who waits.
        series: What the configuration names, already loaded; None: it is loaded.
        trainer: Trains the jobs of the same sweep; None: this one is trained alone.

    Returns:
        The record of the finished run.

    Raises:
        UserError: If configuration and data do not go together; nothing is logged then.
        TrainingError: If a loss is not a finite number; the run is FAILED in MLflow.
    """
    check_interrupt()
    check_ranges(config)
    if series is None:
        series = load_series(config.dataset)
    job = config
    config, choice = resolve_transforms(config, series)  # from here on the configuration names what was chosen
    data = prepare_data(config, series)
    if choice is not None:
        tell(f"{label}: {choice.tell()}")
    prepare_environment()
    from pipeline.tracking.live import track_run
    from pipeline.tracking.resume import fail_damaged, find_finished
    from pipeline.tracking.spool import log_spool
    from pipeline.tracking.store import open_store

    store = open_store(config.tracking, wait=True)
    log_spool(store, tell)
    parent = config.tracking.parent_run_id
    digest = data.series.digest()
    config_hash = hash_config(config, digest)
    finished = find_resumed(config, config_hash, label, store, tell) if config.resume else None
    if finished is not None:
        return finished

    salvage = Salvage(lambda text: tell(f"{label}: {text}"))
    for note in describe_data(config, data):
        tell(f"{label}: {note}")
    tags = {
        HASH_TAG: config_hash,
        DIGEST_TAG: digest,
        LENGTH_TAG: str(len(data.series) if data.series.rows_read is None else data.series.rows_read),
        "state_contract": name_contract(config),
    } | ({AUTO_TAG: choice.tell()} if choice is not None else {})
    params = flat_config(config)

    def is_done(other: Config) -> bool:
        if not other.resume:
            return False
        return find_finished(store, hash_config(other, digest), essential_files(other), lambda text: None) is not None

    def train(each: PreparedData, origin: int, name: str) -> Training:
        with Trainer() if trainer is None else nullcontext(trainer) as own:
            return own.train(job, config, each, name, tell, is_done, origin)

    def train_again(configs: Sequence[Config], each: PreparedData) -> list[Training]:
        with Trainer() if trainer is None else nullcontext(trainer) as own:
            return own.train_again(configs, each, f"{label}, all rows", tell)

    def certify(best: ServedModel, outputs: np.ndarray) -> Certificate:
        return (Trainer() if trainer is None else trainer).certify(job, best, outputs)

    with (
        open_blocks(config, data.series.panel) as blocks,  # before the run: what is refused is not logged
        track_run(store, label, params, tags, parent) as run,
        tempfile.TemporaryDirectory() as folder,
    ):
        if blocks is not None:
            data = blocks.prepare(data.series)
        _explain(config, data, Path(folder), salvage)  # first: a run that fails has them, too
        outcome = _train_and_score(config, data, label, Path(folder), run, tell, train, certify, blocks)
        if config.training.all_rows:
            outcome = _add_all_rows(config, series, outcome, Path(folder), run, train_again)
            tell(f"{label}: {outcome.told}")
        metrics = outcome.metrics | count_data(data) | ({} if blocks is None else count_blocks(blocks))
        run.log_metrics(metrics, outcome.per_epoch)
        run.log_folder(Path(folder))
        metrics |= _log_extras(config, data, label, outcome, run, salvage, tell)
        if salvage.lost:
            run.set_tags({INCOMPLETE_TAG: ", ".join(salvage.lost)})
    if config.resume:  # not before: until here the damaged run was all there was
        with salvage.attempt("the mark of damaged runs"):
            fail_damaged(store, config_hash, essential_files(config), run.run_id, tell)
    return RunRecord(run.run_id, Status.finished, params, metrics, data.head.measure(len(data.series.targets)))


@dataclass(frozen=True)
class _Outcome:
    """A training that is done and scored.

    Attributes:
        best: The best seed, with the data as the last origin saw them.
        packed: What forecasts from now on: the same with the scaler of every lane of a panel, or trained on all rows.
        whole: With the whole test part, as one origin would have them.
        results: What was found.
        metrics: Final metrics by MLflow name.
        per_epoch: Metrics of every epoch by MLflow name.
        outputs: Scaled outputs of the best seed at every window. Shape (windows, outputs).
        told: What was trained again, in a sentence.
    """

    best: ServedModel
    packed: ServedModel
    whole: PreparedData
    results: Results | TextResults
    metrics: dict[str, float]
    per_epoch: dict[str, list[float]]
    outputs: np.ndarray
    told: str = ""


def _explain(config: Config, data: PreparedData, folder: Path, salvage: Salvage) -> None:
    for name in OF_A_RUN:
        with salvage.attempt(name):
            write_explanation(folder / name, explain(config, data))


def _train_and_score(
    config: Config,
    data: PreparedData,
    label: str,
    folder: Path,
    run: "LiveRun",
    tell: Callable[[str], None],
    train: Callable[[PreparedData, int, str], Training],
    certify: Callable[[ServedModel, np.ndarray], Certificate],
    blocks: PanelBlocks | None,
) -> _Outcome:
    """Train, score, certify, and write every file without which the run is worth nothing."""
    later = range(1, config.evaluation.origins)
    origins = [data, *(prepare_data(config, data.series, origin=origin) for origin in later)]
    panel: PanelScores | None = None
    if blocks is None:
        trainings = [
            train(each, number, label if not later else f"{label} origin {number + 1}/{len(origins)}")
            for number, each in enumerate(origins)
        ]
    else:
        training, panel = train_panel(blocks, data, label, tell)
        trainings = [training]
    last = trainings[-1]
    run.set_tags({"engine": last.engine.value, "engine_reason": last.reason, "device": last.device})
    if config.training.engine is Engine.auto:
        tell(f"{label}: engine {last.engine.value}: {last.reason}")
    losses = {seed.seed: (seed.losses, seed.val_losses) for seed in last.seeds}
    _check_failures(trainings, losses, folder, run)
    results: Results | TextResults
    if config.reads_text:
        results = score_text(config, data, last, losses)
        notes = describe_order(results)
    else:
        results = score_trainings(config, origins, trainings, losses, panel)
        notes = describe_weak_fit(data, results)
    if isinstance(results, Results):
        told = dict(zip(SURE_TAGS, (results.coverage_told, results.calibration_told), strict=True))
        told = {tag: sentence for tag, sentence in told.items() if sentence}
        notes = [*notes, *told.values()]
        run.set_tags(told)
    for note in notes:
        tell(f"{label}: {note}")
    chosen, outputs = last.seeds[results.best], last.forecasts[results.best]
    best = make_model(config, origins[-1], chosen.seed, [np.asarray(weight) for weight in chosen.weights])
    found = log_certificate(config, certify(best, outputs), folder, run)
    whole = join_origins(config, origins)
    if isinstance(results, TextResults):
        scored_rows = write_text_files(folder, config, whole, results)
    else:
        scored_rows = write_run_files(folder, config, whole, results)
    packed = best
    if blocks is not None and panel is not None:
        write_panel_files(folder, blocks, data, panel)
        packed = replace(best, data=blocks.with_all_lanes(best.data))
    run.set_tags({SCORED_TAG: scored_rows})
    save_weights(folder, list(losses), results.best, [seed.weights for seed in last.seeds])
    per_epoch = {
        "loss": _mean_curve([seed.losses for seed in last.seeds]),
        "val_loss": _mean_curve([seed.val_losses for seed in last.seeds]),
    }
    return _Outcome(best, packed, whole, results, dict(results.metrics) | found, per_epoch, outputs)


def _add_all_rows(
    config: Config, series: Series, outcome: _Outcome, folder: Path, run: "LiveRun", train: Train
) -> _Outcome:
    """Train the seeds again on all rows; a run of which that fails keeps the files of what was scored."""
    kept = [Kept(int(seed["seed"]), int(seed["kept_epoch"])) for seed in outcome.results.seeds]
    try:
        again = train_on_all_rows(config, series, kept, outcome.best, folder, train)
    except PipelineError:
        run.log_folder(folder)
        raise
    run.set_tags({ALL_ROWS_TAG: again.told})
    return replace(outcome, packed=again.model, metrics=outcome.metrics | again.metrics, told=again.told)


def _log_extras(
    config: Config,
    data: PreparedData,
    label: str,
    outcome: _Outcome,
    run: "LiveRun",
    salvage: Salvage,
    tell: Callable[[str], None],
) -> dict[str, float]:
    """Log what people like to have beside the numbers, each on its own; return metrics that were found on the way."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        metrics = study_memory(
            outcome.best, outcome.outputs, folder, run, salvage, lambda text: tell(f"{label}: {text}")
        )
        for name, draw in _figures(label, config, outcome).items():
            with salvage.attempt(name):
                draw(folder / name)
                run.log_file(folder / name)
        with salvage.attempt(GATES_PAGE):
            log_gates(label, outcome.best, folder, run)
    with salvage.attempt("dataset"):
        run.log_dataset(_series_frame(data), config.dataset.name, data.series.digest(), data.series.targets)
    if config.tracking.log_model and not config.reads_text:  # a text is continued by pipeline.write
        with salvage.attempt("model"):
            _log_model(_with_intervals(outcome), run)
    return metrics


def _figures(label: str, config: Config, outcome: _Outcome) -> dict[str, Callable[[Path], None]]:
    if isinstance(outcome.results, TextResults):
        return draw_text_figures(label, config, outcome.whole, outcome.results)
    return draw_run_figures(label, config, outcome.whole, outcome.results)


def _with_intervals(outcome: _Outcome) -> ServedModel:
    """Return the packed model with what its intervals have learnt, of the lanes that were scored."""
    served = outcome.results.served if isinstance(outcome.results, Results) else None
    if served is None:
        return outcome.packed
    return replace(outcome.packed, conformal=served.after, bounded=outcome.best.data.series.series_ids)


def _log_model(best: ServedModel, run: "LiveRun") -> None:
    """Log the best seed as a model that reads raw rows: transforms, scaling and state are inside."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "network"
        folder.mkdir()
        pack_model(folder, best)
        dataset = best.config.dataset
        named = [name for name in (dataset.time_column, dataset.lane_column) if name is not None]
        run.log_model(folder, [*named, *value_columns(best.config, best.data.series)])


def _check_failures(trainings: Sequence[Training], losses: Losses, folder: Path, run: "LiveRun") -> None:
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
    if series.series_ids:
        frame.insert(0, "lane", np.array(series.series_ids)[series.series_of_rows()])
    return frame
