"""A folder of parquet files sorted into blocks of lanes on disk: read once, in batches, whatever lies in which file.

files      a b c, a b c, a b c      rows of any lanes, read in batches
rows-0     a a a b b b              appended as they come, then put in order by lane and time
rows-1     c c c                    and made a series: a block of the panel
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig
from pipeline.data.assembly import Rows, assemble_series
from pipeline.data.dates import TimeReading, read_times
from pipeline.data.folder import Folder, Part, open_folder, values_of
from pipeline.data.panel import keep_blocks, make_scratch
from pipeline.data.series import Series

_BYTES_KEPT = 2  # times the bytes of a row: as it was read, and as a block


@dataclass(frozen=True)
class Stage:
    """Where rows are put that wait for their block.

    Attributes:
        folder: What is read; its dataset names the columns.
        scratch: Where it is written to.
        names: Of all lanes, in order.
        record: One row: its lane, counted in its block; its file; its time as 8 bytes; its values.
        times: Of the first batch: their type and unit.
        reading: How times are written.
    """

    folder: Folder
    scratch: Path
    names: tuple[str, ...]
    record: np.dtype
    times: pd.Index
    reading: TimeReading

    @property
    def lane_block(self) -> int:
        """Lanes of a block."""
        assert self.folder.dataset.lane_block is not None
        return self.folder.dataset.lane_block

    def file(self, block: int) -> Path:
        """Return where the rows of a block wait."""
        return self.scratch / f"rows-{block}"


def stage_folder(path: Path, dataset: DatasetConfig) -> Series:
    """Read a folder into a panel on disk, and return the sample of it.

    Raises:
        UserError: If the folder is refused, see `open_folder`; if it has no time column, or the disk is full.
    """
    if dataset.time_column is None:
        raise UserError(
            f"dataset.lane_block={dataset.lane_block} reads the folder {path}, which has no order of rows; set "
            "dataset.time_column to the column that says which come first"
        )
    folder = open_folder(path, dataset)
    names = tuple(sorted({name for part in folder.parts for name in folder.find_lanes(part)}))
    width = len(values_of(folder.dataset))
    record = np.dtype([("lane", "i4"), ("file", "i4"), ("time", "i8"), ("values", "f8", (width,))])
    scratch = make_scratch(_BYTES_KEPT * folder.num_rows * record.itemsize)
    stage = Stage(folder, scratch, names, record, pd.Index([]), TimeReading())
    return keep_blocks(scratch, _make_blocks(stage), len(names))


def _make_blocks(stage: Stage) -> Iterator[Series]:
    numbers = pd.Index(stage.names)
    first = None
    for part, frame in stage.folder.read():
        times, reading = _read_times(frame, stage.folder.dataset, stage.folder.parts[part])
        if first is None:
            first, stage = part, replace(stage, times=times[:0], reading=reading)
        elif (reading, times.dtype.kind) != (stage.reading, stage.times.dtype.kind):
            one, other = stage.folder.parts[part].path, stage.folder.parts[first].path
            raise UserError(
                f"{one}: the column '{stage.folder.dataset.time_column}' is read as {reading.kind}, but in {other} as "
                f"{stage.reading.kind}; write all files in one way, or set dataset.date_format"
            )
        _append(stage, part, frame, times, numbers)
    for block, start in enumerate(range(0, len(stage.names), stage.lane_block)):
        yield _make_block(stage, block, stage.names[start : start + stage.lane_block])
        stage.file(block).unlink()


def _read_times(frame: pd.DataFrame, dataset: DatasetConfig, part: Part) -> tuple[pd.Index, TimeReading]:
    """Read the times of a batch: each of them once, as many lanes share them."""
    column, place = frame[dataset.time_column], f"{part.path}: the time column '{dataset.time_column}'"
    if dataset.time_zone is None:
        codes, found = pd.factorize(column)
        try:
            times, reading, _ = read_times(pd.Series(found), dataset.date_format, None, [np.arange(len(found))], place)
            return times.take(codes), reading
        except UserError:
            pass  # is raised again below, with the row
    lanes = frame[dataset.lane_column].cat.codes.to_numpy()
    slices = [np.flatnonzero(lanes == lane) for lane in np.unique(lanes)]
    times, reading, _ = read_times(column, dataset.date_format, dataset.time_zone, slices, place)
    return times, reading


def _append(stage: Stage, part: int, frame: pd.DataFrame, times: pd.Index, numbers: pd.Index) -> None:
    """Put the rows of a batch where their block will find them."""
    lanes = frame[stage.folder.dataset.lane_column]
    lane = numbers.get_indexer(lanes.cat.categories)[lanes.cat.codes]
    block = lane // stage.lane_block
    rows = np.empty(len(frame), stage.record)
    rows["lane"], rows["file"] = lane % stage.lane_block, part
    if isinstance(times, pd.DatetimeIndex) and isinstance(stage.times, pd.DatetimeIndex):
        rows["time"] = times.as_unit(stage.times.unit).asi8
    else:
        rows["time"] = times.to_numpy().astype(stage.times.to_numpy().dtype).view(np.int64)
    rows["values"] = frame[list(frame.columns[2:])].to_numpy()  # behind lane and time
    order = np.argsort(block, kind="stable")
    for number, some in zip(*_split(block[order], order), strict=True):
        with stage.file(number).open("ab") as file:
            rows[some].tofile(file)


def _split(keys: np.ndarray, rows: np.ndarray) -> tuple[list[int], list[np.ndarray]]:
    """Return each of some ascending keys, and its rows."""
    firsts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[firsts].tolist(), np.split(rows, firsts[1:])


def _make_block(stage: Stage, block: int, names: Sequence[str]) -> Series:
    rows = np.fromfile(stage.file(block), stage.record)
    if isinstance(stage.times, pd.DatetimeIndex):
        dates = pd.DatetimeIndex(rows["time"].view(f"M8[{stage.times.unit}]"))
        times: pd.Index = dates if stage.times.tz is None else dates.tz_localize("UTC").tz_convert(stage.times.tz)
    else:
        times = pd.Index(rows["time"].view(stage.times.to_numpy().dtype))
    dataset = stage.folder.dataset
    times = times.rename(dataset.time_column)
    clock = rows["time"] if isinstance(times, pd.DatetimeIndex) else times.to_numpy()
    order = np.lexsort((clock, rows["lane"]))
    rows, times, clock = rows[order], times[order], clock[order]
    twice = np.flatnonzero((rows["lane"][1:] == rows["lane"][:-1]) & (clock[1:] == clock[:-1]))
    if twice.size:
        one, other = (stage.folder.parts[number].path for number in rows["file"][twice[0] : twice[0] + 2])
        where = f"{one} and in {other}" if one != other else f"{one}, twice"
        raise UserError(
            f"lane '{names[rows['lane'][twice[0]]]}' has the timestamp {times[twice[0]]} in {where}; keep one row per "
            "time step"
        )
    _, slices = _split(rows["lane"], np.arange(len(rows)))
    future, targets = tuple(dataset.future_columns), tuple(dataset.targets or ())
    features = (*(dataset.features or ()), *future)
    made = Rows(
        str(stage.folder.path), tuple(names), slices, times, stage.reading, rows["values"], features, targets,
        future, stage.folder.notes,
    )  # fmt: skip
    return assemble_series(made, dataset)
