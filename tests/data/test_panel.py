"""A panel on disk in blocks of lanes: the same lanes, split, scaler and windows as at once; nothing is left behind."""

import gc
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, Gaps, Missing, Scaler, ShortLanes, Source, Transform
from pipeline.data.panel import Panel, join_lanes
from pipeline.data.panel_blocks import PanelBlocks, prepare_blocks
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.data.sources import load_series

HOURS = pd.date_range("2024-01-01", periods=40, freq="h", name="hour")
LANES = ("007", "7", "b", "c", "d", "e", "f")


def table() -> pd.DataFrame:
    """Lanes that begin at different hours, with a gap and an empty cell; `temperature` goes in beside `load`."""
    draw = np.random.default_rng(1)
    each = []
    for number, lane in enumerate(LANES):
        rows = pd.DataFrame({"hour": HOURS[number:], "lane": lane})
        rows["load"] = draw.normal(10 * (number + 1), 1, len(rows)).round(6)
        rows["temperature"] = draw.normal(20, 5, len(rows)).round(6)
        each.append(rows)
    return pd.concat(each, ignore_index=True)


def configure(path: Path, lane_block: int | None, **settings: Any) -> Config:
    dataset = DatasetConfig(
        name="csv", source=Source.file, path=str(path), time_column="hour", lane_column="lane", targets=["load"],
        lane_block=lane_block, **settings,
    )  # fmt: skip
    return Config(dataset=dataset, batch_size=8, look_back=3)


def panel_of(series: Series) -> Panel:
    assert series.panel is not None
    return series.panel


def write_files(folder: Path, rows: pd.DataFrame, keep: Callable[[int], "pd.Series[bool]"], count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        rows[keep(number)].to_parquet(folder / f"{number}.parquet", index=False)
    return folder


def layouts(folder: Path, rows: pd.DataFrame) -> dict[str, Path]:
    """Write the rows in every way a panel may lie on disk."""
    rows.to_csv(folder / "panel.csv", index=False)
    rows.to_parquet(folder / "panel.parquet", index=False)
    some = write_files(folder / "some", rows, lambda number: rows.index % 3 == number, 3)
    lanes = write_files(folder / "lanes", rows, lambda number: rows["lane"] == LANES[-1 - number], len(LANES))
    hive = folder / "hive"
    for lane, those in rows.groupby("lane"):
        (hive / f"lane={lane}").mkdir(parents=True)
        those.drop(columns="lane").to_parquet(hive / f"lane={lane}" / "0.parquet", index=False)
    texts = rows.assign(hour=rows["hour"].dt.strftime("%Y-%m-%d %H:%M"))
    texts = write_files(folder / "texts", texts, lambda number: rows.index % 2 == number, 2)
    one = {"csv": folder / "panel.csv", "parquet": folder / "panel.parquet"}
    return one | {"some": some, "lanes": lanes, "hive": hive, "texts": texts}


def test_the_blocks_are_the_lanes_however_the_rows_lie_on_disk(tmp_path: Path) -> None:
    """Breaks every panel that is trained in blocks: a lane would lose rows, or the layout would decide the scores."""
    rows = table().drop(index=[50, 51])
    rows.loc[[20, 100], "load"] = np.nan
    settings = {"gaps": Gaps.fill, "missing": Missing.forward_fill}
    paths = layouts(tmp_path, rows)
    whole = load_series(configure(paths["csv"], None, **settings).dataset)
    digests = set()
    for name, path in paths.items():
        sample = load_series(configure(path, 3, **settings).dataset)
        panel = panel_of(sample)
        assert (panel.num_blocks, panel.num_lanes, panel.num_rows) == (3, len(LANES), len(whole)), name
        assert [len(block.series_ids) for block in panel] == [3, 3, 1]
        for one in (join_lanes(list(panel)), sample):  # the sample has all of so few lanes
            assert one.series_ids == whole.series_ids == LANES
            assert one.series_ends == whole.series_ends
            assert one.timestamps.equals(whole.timestamps)
            np.testing.assert_array_equal(one.values, whole.values)
            np.testing.assert_array_equal(one.filled, whole.filled)
        assert sample.rows_read == len(rows)
        digests.add(sample.digest())
    assert len(digests) == 1
    other = load_series(configure(paths["csv"], 2, **settings).dataset)
    assert other.digest() in digests, "the blocks decide nothing about the values"
    changed = rows.assign(load=rows["load"] + 1)
    changed.to_csv(tmp_path / "changed.csv", index=False)
    assert load_series(configure(tmp_path / "changed.csv", 3, **settings).dataset).digest() not in digests


def test_the_sample_holds_lanes_at_equal_distances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks what is shown of a large panel: the first hundred of its lanes stand for no other."""
    monkeypatch.setattr("pipeline.data.panel.SHOWN", 4)
    table().to_csv(tmp_path / "panel.csv", index=False)
    sample = load_series(configure(tmp_path / "panel.csv", 2).dataset)
    assert sample.series_ids == ("007", "b", "d", "f")
    whole = load_series(configure(tmp_path / "panel.csv", None).dataset)
    np.testing.assert_array_equal(sample.values[-34:], whole.values[-34:])
    assert sample.steps is not None
    assert sample.steps.equals(HOURS.rename(None)) or sample.steps.equals(HOURS)


def test_nothing_of_a_panel_stays_on_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks a machine that trains for weeks: gigabytes of blocks would fill its disk, also after errors."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    rows = table()
    folder = write_files(tmp_path / "panel", rows, lambda number: rows.index % 2 == number, 2)
    series = load_series(configure(folder, 3).dataset)
    assert len(list((tmp_path / "scratch").iterdir())) == 1
    assert len(list(panel_of(series).folder.iterdir())) == 3, "rows that waited for their block are removed"
    del series
    gc.collect()
    assert not list((tmp_path / "scratch").iterdir())
    rows[:1].to_parquet(folder / "again.parquet", index=False)
    with pytest.raises(UserError, match=r"lane '007' has the timestamp 2024-01-01.* in .*0\.parquet and in .*again"):
        load_series(configure(folder, 3).dataset)
    assert not list((tmp_path / "scratch").iterdir())


def test_a_folder_that_cannot_be_cut_into_blocks_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks the start of a long training: it would end by a full disk, or read the times of two files in two ways."""
    rows = table()
    folder = write_files(tmp_path / "panel", rows, lambda number: rows.index % 2 == number, 2)
    config = configure(folder, 3)
    with pytest.raises(UserError, match=r"lane_block=3 reads the folder .*; set dataset\.time_column"):
        load_series(replace(config.dataset, time_column=None))
    room = type("Room", (), {"free": 10})
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: room)
        with pytest.raises(UserError, match=r"need 0\.0 GB of disk, but .* has 0\.0 GB free; set .* TMPDIR"):
            load_series(config.dataset)
    for number, written in enumerate(["%Y-%m-%d %H:%M", "%YW%V"]):
        some = rows[rows.index % 2 == number]
        some.assign(hour=some["hour"].dt.strftime(written)).to_parquet(folder / f"{number}.parquet", index=False)
    with pytest.raises(UserError, match=r"1\.parquet: the column 'hour' is read as week, but in .*0\.parquet as iso"):
        load_series(config.dataset)


@pytest.mark.parametrize("scaler", list(Scaler))
@pytest.mark.parametrize("per_lane", [False, True])
def test_blocks_are_prepared_as_the_whole_panel_is(scaler: Scaler, per_lane: bool, tmp_path: Path) -> None:
    """Breaks the scores of every panel in blocks: another split, scaler or window than the panel at once would have."""
    table().to_csv(tmp_path / "panel.csv", index=False)
    chosen = {"scaler": scaler, "scaler_per_lane": per_lane, "transforms": [Transform.difference]}
    whole = prepare_data(configure(tmp_path / "panel.csv", None, **chosen))
    config = configure(tmp_path / "panel.csv", 3, **chosen)
    sample = load_series(config.dataset)
    blocks = prepare_blocks(config, panel_of(sample), tmp_path)
    assert blocks.lanes == whole.series.series_ids
    assert (blocks.num_train, blocks.num_validation) == (len(whole.windows.train), len(whole.windows.validation))
    assert blocks.most_train == max(len(blocks.load(number).train) for number in range(3))
    first = 0
    for number, data in enumerate(blocks.prepare_all()):
        rows = slice(first, first + len(data.series))
        np.testing.assert_array_equal(data.split.parts, whole.split.parts[rows])
        loaded = blocks.load(number)
        for windows in (data.windows, loaded):
            np.testing.assert_allclose(windows.inputs, whole.windows.inputs[rows], rtol=1e-6, atol=1e-6)
            np.testing.assert_allclose(windows.targets, whole.windows.targets[rows], rtol=1e-6, atol=1e-6)
            for part in ("train", "validation"):
                starts = getattr(whole.windows, part)
                inside = starts[(starts >= rows.start) & (starts < rows.stop)]
                assert (getattr(windows, part) + first).tolist() == inside.tolist()
        first = rows.stop
    if not per_lane:
        np.testing.assert_allclose(blocks.scaling.offset[0], whole.scaling.offset[0], rtol=1e-12)
        np.testing.assert_allclose(blocks.scaling.scale[0], whole.scaling.scale[0], rtol=1e-12)
    shown = blocks.prepare(sample)
    np.testing.assert_allclose(shown.windows.inputs, whole.windows.inputs, rtol=1e-6, atol=1e-6)


def prepare_table(rows: pd.DataFrame, folder: Path, **settings: Any) -> PanelBlocks:
    rows.to_csv(folder / "panel.csv", index=False)
    config = configure(folder / "panel.csv", 2, **settings)
    return prepare_blocks(config, panel_of(load_series(config.dataset)), folder)


def test_what_the_panel_lacks_is_refused_and_what_a_block_lacks_is_not(tmp_path: Path) -> None:
    """Breaks panels of old and new lanes: a block without validation rows, or with a still column, is no fault."""
    rows = table()
    still = rows.assign(temperature=rows["temperature"].where(~rows["lane"].isin(["007", "7"]), 1.5))
    ended = still[~((still["lane"].isin(["b", "c"])) & (still["hour"] >= HOURS[15]))]
    blocks = prepare_table(ended, tmp_path)
    assert blocks.load(1).validation.size == 0
    assert blocks.num_validation > 0
    with pytest.raises(UserError, match=r"the column 'temperature' is constant in the training part"):
        prepare_table(rows.assign(temperature=1.5), tmp_path)
    with pytest.raises(UserError, match=r"no validation window whose targets were all measured"):
        empty = rows.assign(load=rows["load"].where((rows["hour"] < HOURS[20]) | (rows["hour"] > HOURS[26])))
        prepare_table(empty, tmp_path, missing=Missing.forward_fill)


def test_short_lanes_are_left_out_of_their_block(tmp_path: Path) -> None:
    """Breaks panels with new lanes: lanes.csv would give the scores of one lane the name of another."""
    rows = table()
    late = rows[(rows["lane"] != "7") | (rows["hour"] >= HOURS[17])]
    blocks = prepare_table(late, tmp_path, short_lanes=ShortLanes.leave_out)
    assert blocks.lanes == tuple(lane for lane in LANES if lane != "7")
    with pytest.raises(UserError, match=r"lane '7' has \d training steps.*short_lanes=leave_out"):
        prepare_table(late, tmp_path)


def test_columns_known_ahead_lie_in_blocks_as_in_the_whole_panel(tmp_path: Path) -> None:
    """Breaks panels with a price that is known ahead: its next value would be taken from another column or lane."""
    rows = table()
    folder = write_files(tmp_path / "panel", rows, lambda number: rows.index % 2 == number, 2)
    config = configure(folder, 3, future=["temperature"])
    blocks = prepare_blocks(config, panel_of(load_series(config.dataset)), tmp_path)
    whole = prepare_data(configure(folder, None, future=["temperature"])).windows
    joined = np.concatenate([data.windows.inputs for data in blocks.prepare_all()])
    np.testing.assert_array_equal(joined, whole.inputs)
