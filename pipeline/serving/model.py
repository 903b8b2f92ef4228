"""A finished run, ready to serve: its configuration, its data, its network and what identifies it."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pipeline.artifacts.interval_file import NAME as INTERVALS_FILE
from pipeline.artifacts.interval_file import load_intervals
from pipeline.artifacts.recipe_files import CONFIG_NAME
from pipeline.artifacts.weights import ALL_ROWS_NAME, FILE_NAME, load_weights
from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, LENGTH_TAG
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config, DatasetConfig, Source, Token, typed_config
from pipeline.data.future_file import add_beyond
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.data.short_lanes import leave_out_short
from pipeline.data.sources import load_series
from pipeline.data.text_files import PACKAGED
from pipeline.evaluation.conformal import Conformal
from pipeline.models.numpy_network import NumpyNetwork, build_numpy_network
from pipeline.models.plan import plan_layers

FILES = (CONFIG_NAME, FILE_NAME)  # what is needed of a run
MORE_FILES = (INTERVALS_FILE, ALL_ROWS_NAME)  # what is read where it is there


@dataclass(frozen=True)
class ServedModel:
    """One seed of a run, the best one unless another was asked for.

    Attributes:
        config: The run's configuration.
        data: The run's data, prepared as it was for the training.
        network: The network, in NumPy.
        digest: Names network, scaler and configuration: equal digests give equal forecasts. Empty in a run.
        weights: Of the network, as Keras' `get_weights` gives them.
        seed: The number of the seed.
        conformal: What the intervals around its forecasts have learnt up to the end of the data; None without any.
        bounded: Names of the lanes that they know, in their order; empty for a single series.
        scored: The network that was scored, where this one was trained again on all rows (training.all_rows).
    """

    config: Config
    data: PreparedData
    network: NumpyNetwork
    digest: str = ""
    weights: Sequence[np.ndarray] = ()
    seed: int = 0
    conformal: Conformal | None = None
    bounded: tuple[str, ...] = ()
    scored: "ServedModel | None" = None

    @property
    def measured(self) -> "ServedModel":
        """The network whose errors tell of rows that it was not trained on: this one, or the one that was scored."""
        return self if self.scored is None else self.scored

    def output_names(self) -> list[str]:
        """Return the names of the forecast columns: `forecast`, with step and target where there are several."""
        steps, targets = self.data.windows.spec.horizon_steps, self.data.series.targets
        return [
            "forecast" + (f"_{step}" if len(steps) > 1 else "") + (f".{target}" if len(targets) > 1 else "")
            for step in steps
            for target in targets
        ]


def load_model(
    folder: Path,
    tags: Mapping[str, str],
    home: Path | None = None,
    table: pd.DataFrame | None = None,
    seed: int | None = None,
    future: Path | pd.DataFrame | None = None,
) -> ServedModel:
    """Load a run.

    Args:
        folder: Holds its config.yaml, its weights.npz, and with training.all_rows its weights_all_rows.npz.
        tags: Its MLflow tags: the digest of its data, and how many rows the data had.
        home: The folder of its store, where a data file may lie that was moved with it.
        table: What it was trained on, if that was a table of Python.
        seed: The number of the seed; None: the best by validation.
        future: What is known ahead of the rows after its data; None: what its own file holds of them.

    Raises:
        UserError: If a file is damaged, the data have changed, network and weights do not fit each other, or the run
            has no such seed.
    """
    config = load_config(folder / CONFIG_NAME)
    history = load_history(config, tags, home, table)
    if future is not None:
        history = add_beyond(history, config.dataset, future)
    last = config.evaluation.origins - 1  # of a rolling origin the networks that have seen most
    data = prepare_data(config, history, origin=last)
    if config.reads_text:
        _check_history(config, data.series, tags)
    scored = _load_seed(config, data, folder / FILE_NAME, seed)
    if seed is None:
        scored = add_intervals(scored, folder)
    if not config.training.all_rows:
        return scored
    again = _load_seed(config, prepare_data(config, history, origin=None), folder / ALL_ROWS_NAME, seed)
    return replace(again, conformal=scored.conformal, bounded=scored.bounded, scored=scored)


def _load_seed(config: Config, data: PreparedData, path: Path, seed: int | None) -> ServedModel:
    """Return a seed, or the best one, with the data that it was trained on, and what identifies it."""
    saved = load_weights(path)
    if seed is not None:
        saved = saved.of_seed(seed)
    identity = hashlib.sha256(saved.digest().encode())
    for array in (data.scaling.offset, data.scaling.scale):
        identity.update(np.ascontiguousarray(array).tobytes())
    dataset = config.dataset
    reading = (config.look_back, config.horizon_steps, config.stateful, config.wiring, data.series.columns)
    identity.update(repr((reading, dataset.lags_as, dataset.order, dataset.transforms, dataset.period)).encode())
    if data.windows.spec.carried:
        identity.update(repr(data.windows.spec.carried).encode())
    if config.normalises:
        identity.update(dataset.normalise.value.encode())
    if config.skips:
        identity.update(config.model.skip.value.encode())
    if data.head.levels:
        identity.update(repr((config.head, data.head.levels)).encode())
    return make_model(config, data, int(saved.seeds[saved.best]), saved.of_best(), identity.hexdigest())


def add_intervals(model: ServedModel, folder: Path) -> ServedModel:
    """Return the best seed with what its intervals have learnt, where the folder has them.

    Raises:
        UserError: If the file is damaged.
    """
    if not (folder / INTERVALS_FILE).exists():
        return model
    conformal, names = load_intervals(folder / INTERVALS_FILE)
    return replace(model, conformal=conformal, bounded=names)


def make_model(
    config: Config, data: PreparedData, seed: int, weights: Sequence[np.ndarray], digest: str = ""
) -> ServedModel:
    """Return a seed with its network; for the arguments see `ServedModel`.

    Raises:
        UserError: If network and weights do not fit each other.
    """
    return ServedModel(config, data, make_network(config, data, weights), digest, weights, seed)


def make_network(config: Config, data: PreparedData, weights: Sequence[np.ndarray]) -> NumpyNetwork:
    """Put the weights of one seed into the network of a configuration.

    Raises:
        UserError: If they do not fit each other.
    """
    layers = plan_layers(config, *data.windows.interface)
    try:
        return build_numpy_network(layers, weights)
    except ValueError as error:
        raise UserError(f"{FILE_NAME} of the run does not fit its configuration: {error}") from error


def load_config(path: Path) -> Config:
    """Read the logged configuration of a run.

    Raises:
        UserError: If the file is damaged, or not one that this version can run.
    """
    try:
        loaded = OmegaConf.load(path)
        if not isinstance(loaded, DictConfig):
            raise ValueError("it is not a configuration")
        config = typed_config(loaded)
    except (OSError, OmegaConfBaseException, YAMLError, ValueError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path.name} of the run cannot be read: {reason}; train the run again") from error
    check_ranges(config)
    return config


def find_file(dataset: DatasetConfig, home: Path | None) -> DatasetConfig:
    """Return where the file is now; that it holds the values of the training is checked after it was read."""
    if dataset.source not in (Source.file, Source.text) or dataset.path is None or home is None:
        return dataset
    path = Path(dataset.path).expanduser()
    found = next((each for each in (path, home / path, home / path.name) if each.exists()), None)
    is_pattern = dataset.path.startswith(PACKAGED) or any(sign in dataset.path for sign in "*?[")
    if found is None and dataset.source is Source.text and is_pattern:
        return dataset
    if found is None:
        raise UserError(
            f"the run was trained on dataset.path={dataset.path}, which is neither in {Path.cwd()} nor beside the "
            f"store in {home}; copy it there"
        )
    return replace(dataset, path=str(found))


def load_history(
    config: Config, tags: Mapping[str, str], home: Path | None = None, table: pd.DataFrame | None = None
) -> Series:
    """Load what the run was trained on, also when the file has grown since, or was moved together with the store.

    Args:
        config: Of the run.
        tags: Of the run.
        home: The folder of the store: there a file is looked for that is not where the configuration says.
        table: What the run was trained on, if that was a table of Python; rows may have been added at its end.

    Raises:
        UserError: If those values are no longer there.
    """
    if config.dataset.source is Source.frame and table is None:
        raise UserError(
            "the run was trained on a table that only Python has; give it again: forecast(run, data=frame). "
            "load(run).predict(frame) and the logged model need no history"
        )
    if config.dataset.lane_block is not None:
        raise UserError(
            f"the run was trained with dataset.lane_block={config.dataset.lane_block}, so the past of all lanes is not "
            "loaded; forecast the lanes you want from a table of their last rows: load(run).predict(frame), or the "
            "logged model"
        )
    config = replace(config, dataset=find_file(config.dataset, home))
    rows = int(tags[LENGTH_TAG]) if tags.get(LENGTH_TAG, "").isdigit() else None
    series = leave_out_short(config, load_series(config.dataset, first_rows=rows, data=table))
    if not config.reads_text:  # what a text holds is compared once it has its ids
        _check_history(config, series, tags)
    return series


def _check_history(config: Config, series: Series, tags: Mapping[str, str]) -> None:
    if series.digest() != tags.get(DIGEST_TAG):
        words = config.reads_text and config.dataset.token is Token.word  # the last one may have become a longer one
        where = "at the end, behind a line break" if words else "at the end"
        raise UserError(
            f"{series.origin} no longer holds the values that the run was trained on; restore them (new ones may be "
            f"added {where}), or train the run again"
        )
