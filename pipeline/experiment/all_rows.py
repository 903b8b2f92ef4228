"""training.all_rows: once a run is scored, each seed is trained again on all rows, and that network forecasts.

    |------- train -------|-- validation --|-- test --|     scored: what every number of the run is about
    |---------------------- train --------------------|     trained again: what forecasts the rows after the end

Nothing is left to stop the second training by: each seed has as many epochs as it kept of the first. More rows are more
batches in each of them; counting epochs and not batches is one of the two usual ways (Goodfellow, Bengio and Courville,
Deep Learning, 2016, section 7.8). Scaler, and values of categories, are those of all rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.artifacts.recipe_files import ALL_ROWS_SCALING, write_scaling
from pipeline.artifacts.weights import ALL_ROWS_NAME, save_weights
from pipeline.base.errors import TrainingError
from pipeline.config.schema import Config
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.serving.model import ServedModel, make_model

if TYPE_CHECKING:
    from pipeline.training.record import SeedTraining, Training

Train = Callable[[Sequence[Config], PreparedData], "list[Training]"]


@dataclass(frozen=True)
class Kept:
    """How long a seed was trained before it was scored."""

    seed: int
    epochs: int


@dataclass(frozen=True)
class Again:
    """The networks of all rows.

    Attributes:
        model: The best seed, as it is served.
        metrics: Final metrics by MLflow name.
        told: What was done, in a sentence.
    """

    model: ServedModel
    metrics: dict[str, float]
    told: str


def train_on_all_rows(
    config: Config, series: Series, kept: Sequence[Kept], scored: ServedModel, folder: Path, train: Train
) -> Again:
    """Train the seeds of a run again, and keep what serves its best one.

    Args:
        config: Of the run.
        series: All that it has read.
        kept: Its seeds.
        scored: The best of them.
        folder: Takes weights_all_rows.npz and scaling_all_rows.json.
        train: Trains configurations that differ in seeds and epochs, on some data.

    Raises:
        UserError: If all rows cannot be trained on, although the training part could.
        TrainingError: If a loss or a forecast is not a finite number.
    """
    data = prepare_data(config, series, origin=None)
    try:
        trainings = train([_of_seed(config, each) for each in kept], data)
        seeds = [seed for training in trainings for seed in training.seeds]
        _check_finite(seeds, trainings)
    except TrainingError as error:
        raise TrainingError(f"the training on all rows (training.all_rows=true) failed: {error}") from error
    place = [seed.seed for seed in seeds].index(scored.seed)
    best = seeds[place]
    save_weights(folder, [seed.seed for seed in seeds], place, [seed.weights for seed in seeds], ALL_ROWS_NAME)
    write_scaling(folder, config, data, ALL_ROWS_SCALING)
    model = make_model(config, data, best.seed, [np.asarray(weight) for weight in best.weights])
    shortest, longest = (choose(each.epochs for each in kept) for choose in (min, max))
    lasted = str(longest) if shortest == longest else f"{shortest} to {longest}"
    return Again(
        replace(model, scored=scored),
        {"all_rows_fit_seconds": sum(training.fit_seconds for training in trainings)},
        f"trained again on all {len(data.series)} rows, each seed for the {lasted} epochs that it kept: forecasts come "
        "from that, scores, intervals and alarms from the training before",
    )


def _of_seed(config: Config, kept: Kept) -> Config:
    training = replace(config.training, epochs=kept.epochs, patience=None)
    return replace(config, seed=kept.seed, seeds=1, training=training)


def _check_finite(seeds: Sequence["SeedTraining"], trainings: Sequence["Training"]) -> None:
    failures = [seed.failure for seed in seeds if seed.failure]
    if failures:
        raise TrainingError("; ".join(failures))
    for seed, training in zip(seeds, trainings, strict=True):
        if not np.isfinite(training.forecasts).all():
            raise TrainingError(
                f"seed {seed.seed}: a forecast is not a finite number, although the losses are; lower "
                "training.learning_rate or set training.clip_norm"
            )
