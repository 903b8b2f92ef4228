"""A panel on disk, in blocks of lanes: what is trained on when all lanes at once do not fit into memory.

    block 0    lanes 0 .. 999      panel-0.npz     each a series of its own, checked, with its gaps treated
    block 1    lanes 1000 .. 1999  panel-1.npz
    sample     100 lanes at equal distances        in memory: what tables and figures show

The blocks share the time steps of the whole panel, and so its split.
"""

import hashlib
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.data.series import Series, plain_times
from pipeline.data.series_file import read_series, write_series

SHOWN = 100  # lanes of the sample
_KEY = "block"


@dataclass(frozen=True, eq=False)
class Panel:
    """A panel on disk. Its files are removed when nothing refers to it any more.

    Attributes:
        folder: Holds a file for each block.
        num_blocks: How many there are.
        num_lanes: Lanes of all blocks.
        num_rows: Rows of all blocks.
        steps: All time steps, ascending.
        digest: sha256 of names, timestamps and values that were read, whatever the blocks.
    """

    folder: Path
    num_blocks: int
    num_lanes: int
    num_rows: int
    steps: pd.Index = field(repr=False)
    digest: str

    def __post_init__(self) -> None:
        """Remove the files in the end, also when the process ends by an error."""
        weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def read(self, number: int) -> Series:
        """Return a block."""
        return replace(_read(self.folder, number), steps=self.steps)

    def __iter__(self) -> Iterator[Series]:
        """Return the blocks one after another."""
        return map(self.read, range(self.num_blocks))


def make_scratch(needed: int) -> Path:
    """Make a folder for a panel.

    Args:
        needed: Bytes that it will hold.

    Raises:
        UserError: If the disk has not so much room.
    """
    free = shutil.disk_usage(tempfile.gettempdir()).free
    if free < needed:
        raise UserError(
            f"the blocks of the panel need {needed / 1e9:.1f} GB of disk, but {tempfile.gettempdir()} has "
            f"{free / 1e9:.1f} GB free; set the environment variable TMPDIR to a folder with more room"
        )
    return Path(tempfile.mkdtemp(prefix="lstm-panel-"))


def cut_panel(series: Series, lane_block: int) -> Series:
    """Cut a panel that is in memory into blocks, and return the sample of it."""
    lanes = range(len(series.series_ids))
    blocks = (choose_lanes(series, lanes[first : first + lane_block]) for first in lanes[::lane_block])
    return keep_blocks(make_scratch(2 * series.values.nbytes), blocks, len(lanes), series)


def keep_blocks(folder: Path, blocks: Iterable[Series], num_lanes: int, whole: Series | None = None) -> Series:
    """Write the blocks of a panel, and return the sample of it.

    Args:
        folder: From `make_scratch`; it becomes the panel's.
        blocks: In the order of their lanes.
        num_lanes: Of all of them.
        whole: The panel in memory, if it is there: its rows were read once.
    """
    try:
        return _keep(folder, blocks, num_lanes, whole)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _keep(folder: Path, blocks: Iterable[Series], num_lanes: int, whole: Series | None) -> Series:
    shown = np.unique(np.linspace(0, num_lanes - 1, min(SHOWN, num_lanes)).round().astype(int))
    identity, steps, sample = hashlib.sha256(), pd.Index([]), list[Series]()
    count, num_rows, num_read, first = 0, 0, 0, 0
    for count, block in enumerate(blocks, start=1):
        _write(folder, count - 1, block)
        _identify(identity, block, is_first=count == 1)
        steps = block.timestamps.unique() if count == 1 else steps.append(block.timestamps.unique()).unique()
        inside = shown[(shown >= first) & (shown < first + len(block.series_ids))] - first
        if inside.size:
            sample.append(choose_lanes(block, inside.tolist()))
        first += len(block.series_ids)
        num_rows, num_read = num_rows + len(block), num_read + (block.rows_read or 0)
    panel = Panel(folder, count, num_lanes, num_rows, steps.sort_values(), identity.hexdigest())
    if whole is not None:
        num_read = whole.rows_read or 0
    return replace(join_lanes(sample), rows_read=num_read, steps=panel.steps, panel=panel)


def _write(folder: Path, number: int, block: Series) -> None:
    (folder / f"panel-{number}.npz").write_bytes(write_series({_KEY: block}))


def _read(folder: Path, number: int) -> Series:
    return read_series((folder / f"panel-{number}.npz").read_bytes())[_KEY]


def _identify(identity: "hashlib._Hash", block: Series, is_first: bool) -> None:
    """Add the lanes of a block, one after another."""
    read = len(block.columns) - len(block.computed)
    if is_first:
        features = block.features[: len(block.features) - len(block.computed)]
        identity.update(repr((block.columns[:read], features, block.targets)).encode())
    times, values, filled = plain_times(block.timestamps), block.values[:, :read], block.filled[:, :read]
    for name, rows in zip(block.series_ids, block.slices(), strict=True):
        identity.update(repr((name, rows.stop - rows.start)).encode())
        for part in (times[rows], values[rows], filled[rows]):
            identity.update(np.ascontiguousarray(part).tobytes())


def choose_lanes(series: Series, kept: Sequence[int]) -> Series:
    """Return the panel of some of its lanes, by their number."""
    slices = series.slices()
    chosen = [slices[number] for number in kept]
    rows = np.concatenate([np.arange(each.start, each.stop) for each in chosen]) if chosen else np.arange(0)
    return replace(
        series,
        timestamps=series.timestamps[rows],
        values=series.values[rows],
        filled=series.filled[rows],
        beyond=series.beyond[list(kept)] if len(series.beyond) else series.beyond,
        series_ids=tuple(series.series_ids[number] for number in kept),
        series_ends=tuple(np.cumsum([each.stop - each.start for each in chosen]).tolist()),
    )


def join_lanes(panels: Sequence[Series]) -> Series:
    """Return the panel of the lanes of several, which have the same columns, without what lies beyond their ends."""
    before = np.cumsum([0, *(len(each) for each in panels)])
    return replace(
        panels[0],
        timestamps=panels[0].timestamps.append([each.timestamps for each in panels[1:]]),
        values=np.concatenate([each.values for each in panels]),
        filled=np.concatenate([each.filled for each in panels]),
        beyond=panels[0].beyond[:0],
        series_ids=tuple(name for each in panels for name in each.series_ids),
        series_ends=tuple(
            int(start) + end for start, each in zip(before, panels, strict=False) for end in each.series_ends
        ),
    )
