"""The recipe of a run, trained again on all rows that there are now, and what that is worth beside the run.

    rows of the run     |------ train ------|- validation -|-- test --|
    rows now            |--------- train --------|- validation -|--- test ---|     newer rows move all parts on
                                                                |------------|     neither has learnt from these

What serves the new run is trained on all rows (training.all_rows), so no row is left that could score it. What can be
scored is the recipe, trained before the new test part, beside the network of the run that was scored.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pipeline.artifacts.recipe_files import CONFIG_NAME
from pipeline.artifacts.weights import FILE_NAME, SavedWeights, load_weights
from pipeline.base.errors import UserError
from pipeline.base.text import show_time
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, Launcher, Source, TrackingConfig
from pipeline.data.past import count_steps
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series, plain_times
from pipeline.data.sources import load_series
from pipeline.data.split import PARTS, split_series
from pipeline.serving.model import find_file, load_config, load_history

if TYPE_CHECKING:
    from pipeline.tracking.store import Store


@dataclass(frozen=True)
class Refit:
    """What is trained again.

    Attributes:
        run_id: The run whose recipe it is.
        config: As it is trained now.
        series: All rows there are now.
        before: The configuration of the run.
        known: Its data, as the networks that were scored saw them.
        saved: These networks.
        newer: How many of the rows came after its end.
        is_same: Whether the rows are the very same, and so the training that is scored is, too.
    """

    run_id: str
    config: Config
    series: Series
    before: Config
    known: PreparedData
    saved: SavedWeights
    newer: int
    is_same: bool

    @property
    def is_done(self) -> bool:
        """Whether the run itself was trained on all these rows."""
        return self.is_same and self.before.training.all_rows


def plan_refit(store: "Store", run_id: str, given: Path | None, tracking: TrackingConfig) -> Refit:
    """Read the recipe of a run, and all rows that there are now.

    Args:
        store: Where the run is.
        run_id: The run, of a series.
        given: A file with all rows, those of the run and newer ones; None: the run's own data, which may have grown.
        tracking: Where the new run is recorded.

    Raises:
        UserError: If the rows, or those of the run, cannot be read, or this recipe cannot be trained on all rows.
    """
    from pipeline.tracking.past import fetch_files

    with TemporaryDirectory() as name:
        folder = Path(name)
        tags = fetch_files(store, run_id, (CONFIG_NAME, FILE_NAME), folder)
        before, saved = load_config(folder / CONFIG_NAME), load_weights(folder / FILE_NAME)
    if before.dataset.source is Source.frame:
        raise UserError(
            f"run {run_id} was trained on a table that only Python has; train it again there: train(..., data=frame, "
            "training={'all_rows': True})"
        )
    check_ranges(replace(before, training=replace(before.training, all_rows=True)))
    dataset = _find_rows(before.dataset, given, store.folder)
    history = _find_history(before, tags, store.folder, dataset, given)
    series = load_series(dataset)
    newer = _count_newer(history, series, run_id)
    known = prepare_data(before, history, origin=before.evaluation.origins - 1)
    moved = dataset if not newer else _move_parts(before, dataset, history)
    config = replace(
        before,
        dataset=moved,
        resume=False,
        launcher=Launcher.local,
        workers=None,
        training=replace(before.training, all_rows=True),
        tracking=replace(tracking, log_model=before.tracking.log_model),
    )
    is_same = prepare_data(config, series).series.digest() == known.series.digest()
    return Refit(run_id, config, series, before, known, saved, newer, is_same)


def _count_newer(history: Series, series: Series, run_id: str) -> int:
    """Count the rows that came after the end of a run's data.

    Raises:
        UserError: If there are not all of its rows.
    """
    then, now = plain_times(history.timestamps), plain_times(series.timestamps)
    if now.min() > then.min() or now.max() < then.max():
        raise UserError(
            f"{series.origin} holds rows from {show_time(series.timestamps.min())} to "
            f"{show_time(series.timestamps.max())}, but the data of run {run_id} go from "
            f"{show_time(history.timestamps.min())} to {show_time(history.timestamps.max())}; give a file with all "
            "rows, those of the run and newer ones"
        )
    return int((now > then.max()).sum())


def _find_rows(dataset: DatasetConfig, given: Path | None, home: Path | None) -> DatasetConfig:
    """Return the dataset with the file that is read now."""
    if given is None:
        return find_file(dataset, home)
    if dataset.source not in (Source.file, Source.packaged):
        raise UserError(f"data={given} is a file, but the run was trained on dataset={dataset.name}; leave data= out")
    if not given.exists():
        raise UserError(f"data={given} does not exist; give a file with all rows, those of the run and newer ones")
    return replace(dataset, source=Source.file, path=str(given))


def _find_history(
    before: Config, tags: dict[str, str], home: Path | None, dataset: DatasetConfig, given: Path | None
) -> Series:
    """Return what the run was trained on: from its own file, or from the beginning of the one that is given."""
    try:
        return load_history(before, tags, home)
    except UserError:
        if given is None:
            raise
    return load_history(replace(before, dataset=dataset), tags)


def _move_parts(before: Config, dataset: DatasetConfig, history: Series) -> DatasetConfig:
    """Return the dataset with parts that move on when it grows: dates become their shares of what the run has read."""
    if dataset.test_start is None:
        return dataset
    split, steps = split_series(history, before.dataset, before.protocol), count_steps(history)
    shares = {part: history.timestamps[split.rows(part)].nunique() / steps for part in PARTS}
    return replace(
        dataset,
        validation_start=None,
        test_start=None,
        validation_fraction=shares["validation"],
        test_fraction=shares["test"],
    )
