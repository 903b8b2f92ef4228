"""The blocks of a panel prepared for one configuration: one scaler for all, and on disk what a training reads of each.

A training goes over the blocks once an epoch and holds one of them at a time. All have the same shapes, filled up with
zeros, because one compiled program reads them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Scaler
from pipeline.data.arrays import FloatArray
from pipeline.data.panel import Panel
from pipeline.data.prepare import check_windows, prepare_data, rounding_of
from pipeline.data.prepared import PreparedData
from pipeline.data.scaling import Scaling
from pipeline.data.series import Series
from pipeline.data.windows import Windows


@dataclass(frozen=True)
class PanelBlocks:
    """A panel, prepared.

    Attributes:
        config: For what.
        panel: The panel.
        folder: Holds what a training reads of each block.
        scaling: Shape (1, columns), or with dataset.scaler_per_lane (lanes, columns).
        lanes: Names of the lanes that are trained on, in the order of the blocks.
        like: How windows lie, without a row.
        num_train: Training windows of all blocks.
        num_validation: Validation windows of all blocks.
        num_filled: Values that were filled in.
        most_rows: Of a block.
        most_windows: The same.
        most_train: The same.
        most_validation: The same.
    """

    config: Config
    panel: Panel
    folder: Path
    scaling: Scaling
    lanes: tuple[str, ...]
    like: Windows
    num_train: int
    num_validation: int
    num_filled: int
    most_rows: int
    most_windows: int
    most_train: int
    most_validation: int

    def prepare(self, series: Series) -> PreparedData:
        """Prepare a block, or the sample, with the scaler of the panel."""
        if not self.config.dataset.scaler_per_lane:
            return prepare_data(self.config, series, _for_lanes(self.scaling, series))
        return prepare_data(self.config, series)

    def with_all_lanes(self, sample: PreparedData) -> PreparedData:
        """Return the sample with the names and the scaler of all lanes, for whoever reads nothing else of it."""
        if not self.config.dataset.scaler_per_lane:
            return sample
        return replace(sample, series=replace(sample.series, series_ids=self.lanes), scaling=self.scaling)

    def prepare_all(self) -> Iterator[PreparedData]:
        """Prepare one block after another."""
        return map(self.prepare, self.panel)

    def load(self, number: int) -> Windows:
        """Return the windows of a block that are trained on and that are judged, and the rows they read."""
        with np.load(self.folder / f"{number}.npz", allow_pickle=False) as file:
            return replace(self.like, **{name: file[name] for name in file.files})


def prepare_blocks(config: Config, panel: Panel, folder: Path) -> PanelBlocks:
    """Prepare every block of a panel.

    Args:
        config: The configuration of the run.
        panel: The panel.
        folder: Where to write what a training reads.

    Raises:
        UserError: If the data and the configuration do not go together.
    """
    scaling = None if config.dataset.scaler_per_lane else _fit(config, panel)
    lanes: list[str] = []
    fitted, sizes, filled = list[Scaling](), list[tuple[int, int, int, int]](), 0
    for number, series in enumerate(panel):
        data = prepare_data(config, series, None if scaling is None else _for_lanes(scaling, series))
        windows = data.windows
        fitted.append(data.scaling)
        lanes += data.series.series_ids
        filled += int(data.series.filled.sum())
        sizes.append((len(windows.inputs), len(windows.starts), len(windows.train), len(windows.validation)))
        arrays = {name: getattr(windows, name) for name in ("inputs", "targets", "train", "validation")}
        np.savez(folder / f"{number}.npz", allow_pickle=False, **arrays)
    check_windows(config, sum(size[2] for size in sizes), sum(size[3] for size in sizes))
    if scaling is None:
        joined = (np.concatenate([getattr(each, name) for each in fitted]) for name in ("offset", "scale"))
        scaling = Scaling(config.dataset.scaler, *joined)
    most = [max(size) for size in zip(*sizes, strict=True)]
    return PanelBlocks(
        config, panel, folder, scaling, tuple(lanes), windows.without_rows(), sum(size[2] for size in sizes),
        sum(size[3] for size in sizes), filled, *most,
    )  # fmt: skip


def _for_lanes(scaling: Scaling, series: Series) -> Scaling:
    shape = (len(series.series_ids), scaling.offset.shape[1])
    return replace(scaling, offset=np.broadcast_to(scaling.offset, shape), scale=np.broadcast_to(scaling.scale, shape))


@dataclass(frozen=True)
class _Moments:
    """What a scaler is fitted from: of each column its extremes, count, mean and sum of squares around it."""

    low: FloatArray
    high: FloatArray
    count: int
    mean: FloatArray
    squares: FloatArray
    rounding: FloatArray  # what may be rounding alone

    def join(self, other: "_Moments") -> "_Moments":
        """Return those of both. Source: Chan, Golub and LeVeque, "Updating formulae ... sample variances", 1979."""
        count, apart = self.count + other.count, other.mean - self.mean
        return _Moments(
            np.minimum(self.low, other.low),
            np.maximum(self.high, other.high),
            count,
            self.mean + apart * other.count / count,
            self.squares + other.squares + apart**2 * self.count * other.count / count,
            np.maximum(self.rounding, other.rounding),
        )


def _fit(config: Config, panel: Panel) -> Scaling:
    """Fit one scaler to the training part of all lanes."""
    found: _Moments | None = None
    for series in panel:
        columns = len(series.columns)
        neutral = Scaling(Scaler.none, np.zeros((1, columns)), np.ones((1, columns)))
        data = prepare_data(config, series, _for_lanes(neutral, series))
        own = _measure(config, data)
        found = own if found is None else found.join(own)
    assert found is not None, "a panel has a block"
    read = len(series.columns) - len(series.computed)
    constant = np.flatnonzero((found.high - found.low <= found.rounding)[:read])
    if constant.size:
        raise UserError(
            f"dataset '{config.dataset.name}': the column '{series.columns[int(constant[0])]}' is constant in the "
            "training part, so nothing can be learnt from it; leave it out of dataset.features, or change the split or "
            "dataset.transforms"
        )
    offset, scale = {
        Scaler.minmax: (found.low, found.high - found.low),
        Scaler.standard: (found.mean, np.sqrt(found.squares / found.count)),
        Scaler.none: (np.zeros(len(found.low)), np.ones(len(found.low))),
    }[config.dataset.scaler]
    offset[read:], scale[read:] = 0.0, 1.0
    return Scaling(config.dataset.scaler, offset[None], scale[None])


def _measure(config: Config, data: PreparedData) -> _Moments:
    train = data.split.rows("train")
    values = data.transformed.values[train]
    values = values[~np.isnan(values).any(axis=1)]  # without the rows that differences lose
    mean = values.mean(axis=0)
    return _Moments(
        values.min(axis=0),
        values.max(axis=0),
        len(values),
        mean,
        np.square(values - mean).sum(axis=0),
        rounding_of(config, data.series.values[train]),
    )
