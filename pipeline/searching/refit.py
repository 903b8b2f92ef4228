"""The refit: the champion trained again on all that lies before the test part, the validation part included."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.base.record import RunRecord
from pipeline.config.schema import Config
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.past import count_past, count_steps
from pipeline.data.series import Series
from pipeline.data.short_lanes import leave_out_short
from pipeline.searching.champion import Champion

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


@dataclass(frozen=True)
class Refit:
    """The champion, trained on more.

    Attributes:
        record: The run that was trained.
        epochs: How long: the median of the epochs that the champion's seeds kept, because nothing is left to stop by.
    """

    record: RunRecord
    epochs: int

    @property
    def ensemble(self) -> float:
        """Test score of the mean forecast of all seeds."""
        return self.record.metrics[self.record.measure.of("mean_forecast")]


def train_refit(champion: Champion, store: "Store", train: Callable[[Config, int], RunRecord]) -> Refit:
    """Train the champion again, with the same seeds, on its training and validation part together.

    Scaler and dataset.transforms=auto are decided anew by both parts; the test part is the champion's.

    Args:
        champion: It has been trained.
        store: Where it is recorded.
        train: Trains the `refit_job` of a configuration for so many epochs.

    Raises:
        PipelineError: If it cannot be trained, although the champion could.
    """
    from pipeline.tracking.search import tag_refit

    epochs = _median_epoch(store, champion.record.run_id)
    record = train(champion.config, epochs)
    tag_refit(store, record.run_id, champion.record.run_id)
    return Refit(record, epochs)


def refit_job(config: Config, series: Series, epochs: int) -> tuple[Config, Series]:
    """Return what a refit trains: the configuration without a validation part, and the lanes that it is scored on.

    Args:
        config: The champion's.
        series: The whole series.
        epochs: How long.
    """
    whole = leave_out_short(resolve_transforms(config, series)[0], series)  # the same lanes are scored
    return refit_config(config, whole, epochs), whole


def refit_config(config: Config, series: Series, epochs: int) -> Config:
    """Return the configuration without a validation part, trained for a fixed number of epochs.

    Args:
        config: The champion's.
        series: What it is trained on, short lanes left out: dates of the parts become shares of its time steps.
        epochs: How long.
    """
    length = count_steps(series)
    dates = config.dataset.test_start is not None
    dataset = replace(
        config.dataset,
        validation_fraction=0.0,
        test_fraction=1 - count_past(config, series) / length if dates else config.dataset.test_fraction,
        validation_start=None,
        test_start=None,
    )
    keys = [*config.tracking.sweep_keys, "dataset.validation_fraction"]
    return replace(
        config,
        dataset=dataset,
        training=replace(config.training, epochs=epochs, patience=None),
        tracking=replace(config.tracking, sweep_keys=keys),
    )


def _median_epoch(store: "Store", run_id: str) -> int:
    from pipeline.tracking.past import fetch_files

    with TemporaryDirectory() as folder:
        fetch_files(store, run_id, ["seeds.csv"], Path(folder))
        kept = pd.read_csv(Path(folder) / "seeds.csv")["kept_epoch"]
    return max(1, round(statistics.median(kept.tolist())))
