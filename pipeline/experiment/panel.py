"""A run on a panel in blocks of lanes: trained block by block, and scored over all lanes in the same way."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.artifacts.recipe_files import write_scaling
from pipeline.artifacts.tables import write_series_scores
from pipeline.base.environment import hushed_stderr
from pipeline.base.interrupt import check_interrupt, wait_for_safe_point
from pipeline.baselines.registry import BASELINES
from pipeline.baselines.ridge import find_coefficients
from pipeline.config.schema import Config
from pipeline.data.panel import Panel
from pipeline.data.panel_blocks import PanelBlocks, prepare_blocks
from pipeline.data.prepared import PreparedData
from pipeline.data.windows import Samples
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.lane_sums import (
    ErrorSums,
    NaiveSums,
    PanelScores,
    join_naive,
    join_sums,
    score_lanes,
    score_panel,
    score_sums,
    sum_errors,
    sum_naive,
)
from pipeline.experiment.scoring import forecast_baselines
from pipeline.report.terminal.progress import show_progress

if TYPE_CHECKING:
    from pipeline.training.blocks import BlockTraining
    from pipeline.training.record import Training

_MEAN = ""  # of the seeds, beside the names of baselines


@contextmanager
def open_blocks(config: Config, panel: Panel | None) -> Iterator[PanelBlocks | None]:
    """Prepare the blocks of a panel, and remove what was written of them in the end; without a panel do nothing.

    Raises:
        UserError: If the data and the configuration do not go together.
    """
    if panel is None:
        yield None
        return
    with tempfile.TemporaryDirectory(dir=panel.folder, ignore_cleanup_errors=True) as folder:
        yield prepare_blocks(config, panel, Path(folder))


def train_panel(
    blocks: PanelBlocks, sample: PreparedData, label: str, tell: Callable[[str], None]
) -> tuple["Training", PanelScores | None]:
    """Train all seeds on the blocks of a panel, and score them.

    Args:
        blocks: The panel, prepared.
        sample: The lanes that are shown, scaled as the panel is.
        label: Names the run for people.
        tell: Shows a sentence to the person who waits.

    Returns:
        The seeds with their forecasts of the sample; and the scores over all lanes, None if a seed failed.
    """
    with wait_for_safe_point(), hushed_stderr():
        from pipeline.training.blocks import BlockTraining
        from pipeline.training.train import start_tensorflow

        start_tensorflow()
    config = blocks.config
    with BlockTraining(blocks, sample) as block_training:
        with show_progress(label, config.seed, config.seeds, config.training.epochs) as show, wait_for_safe_point():
            training = block_training.train(show)
        if any(seed.failure for seed in training.seeds):
            return training, None
        tell(f"{label}: scoring {len(blocks.lanes)} lanes")
        return training, _score(blocks, block_training)


def write_panel_files(folder: Path, blocks: PanelBlocks, sample: PreparedData, scores: PanelScores) -> None:
    """Write what is of all lanes: lanes.csv, and scaling.json with the scaler of each if it has its own."""
    write_series_scores(folder / "lanes.csv", blocks.lanes, scores.lanes)
    write_scaling(folder, blocks.config, blocks.with_all_lanes(sample))


def count_blocks(blocks: PanelBlocks) -> dict[str, float]:
    """Return the counts of a panel by MLflow metric name."""
    return {
        "num_train_windows": float(blocks.num_train),
        "num_validation_windows": float(blocks.num_validation),
        "num_filled_values": float(blocks.num_filled),
        "num_lanes": float(len(blocks.lanes)),
    }


def _score(blocks: PanelBlocks, training: "BlockTraining") -> PanelScores:
    coefficients = find_coefficients(_samples(blocks, "train"), _samples(blocks, "validation"))
    seeds: list[list[ErrorSums]] = []
    others: dict[str, list[ErrorSums]] = {name: [] for name in (_MEAN, *BASELINES)}
    naive: list[NaiveSums] = []
    for data in blocks.prepare_all():
        check_interrupt()
        truth = take_truth(data)
        outputs = training.forecast(data)  # (seeds, windows, outputs)
        forecasts = truth.head.points(np.stack([align_outputs(data, each) for each in outputs]))
        seeds.append([sum_errors(truth, each) for each in forecasts])
        others[_MEAN].append(sum_errors(truth, forecasts.mean(axis=0)))
        for name, each in forecast_baselines(blocks.config, data, coefficients).items():
            others[name].append(sum_errors(truth, each))
        naive.append(sum_naive(truth))
    whole, targets = join_naive(naive), truth.targets
    of_seeds = [join_sums(each) for each in zip(*seeds, strict=True)]
    joined = {name: join_sums(each) for name, each in others.items()}
    mean = joined.pop(_MEAN)
    scores = [score_sums(each, whole, targets) for each in of_seeds]
    metrics = score_panel(scores, mean, joined, whole, targets, truth.measure)
    return PanelScores(scores, metrics, score_lanes(of_seeds, joined, whole, targets), coefficients)


def _samples(blocks: PanelBlocks, part: str) -> Iterator[tuple[Samples, np.ndarray]]:
    """Return the windows of a part, block by block, with their targets."""
    for number in range(blocks.panel.num_blocks):
        check_interrupt()
        windows = blocks.load(number)
        starts = getattr(windows, part)
        yield Samples(windows, starts), windows.gather_last_targets(starts)
