"""A folder of parquet files: the same series however its rows are spread, and every folder that is refused."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Source
from pipeline.data.series import Series
from pipeline.data.sources import load_series

DAYS = pd.date_range("2024-01-01", periods=6, name="day")
PANEL = pd.concat(
    [
        pd.DataFrame(
            {"day": DAYS, "lane": lane, "sales": np.arange(6.0) + 10 * number, "price": 3 - np.arange(6) * 0.5}
        )
        for number, lane in enumerate(["007", "7", "a b", "b/c"])
    ],
    ignore_index=True,
)


def load(path: Path, **settings: Any) -> Series:
    chosen = {"time_column": "day", "lane_column": "lane", "targets": ["sales"], **settings}
    return load_series(DatasetConfig(name="csv", source=Source.file, path=str(path), **chosen))


def write(folder: Path, files: Mapping[str, pd.DataFrame]) -> Path:
    for name, frame in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / name, index=False)
    return folder


def by_lane(name: Callable[[int], str]) -> dict[str, pd.DataFrame]:
    return {name(number): rows for number, (_, rows) in enumerate(PANEL.groupby("lane"))}


def partitions() -> dict[str, pd.DataFrame]:
    names = {"007": "007", "7": "7", "a b": "a%20b", "b/c": "b%2Fc"}
    return {f"lane={names[str(lane)]}/rows.parquet": rows.drop(columns="lane") for lane, rows in PANEL.groupby("lane")}


def by_day() -> dict[str, pd.DataFrame]:
    days = PANEL.assign(day=PANEL["day"].dt.strftime("%Y-%m-%d")).groupby("day")
    return {f"day={day}/rows.parquet": rows.drop(columns="day") for day, rows in days}


LAYOUTS = {
    "one part": lambda: {"all.parquet": PANEL},
    "a file per lane": lambda: by_lane(lambda number: f"{9 - number}.parquet"),
    "hive partitions by lane": partitions,
    "hive partitions by day": by_day,
    "shuffled rows": lambda: {
        f"part-{number}.parquet": PANEL.sample(frac=1, random_state=1).iloc[number::3] for number in range(3)
    },
    "lanes of a category": lambda: {"x/a.parquet": PANEL.astype({"lane": "category"})},
    "other order of columns": lambda: {"a.parquet": PANEL[:9], "b.parquet": PANEL[9:][PANEL.columns[::-1]]},
    "whole numbers in one file": lambda: {"a.parquet": PANEL[:9], "b.parquet": PANEL[9:].astype({"sales": int})},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_is_the_series_of_the_csv(layout: str, tmp_path: Path) -> None:
    """Breaks every panel of files: the same values would be another series, and get other scores, by their layout."""
    PANEL.to_csv(tmp_path / "panel.csv", index=False)
    PANEL.to_parquet(tmp_path / "panel.parquet", index=False)
    folder = load(write(tmp_path / "panel", LAYOUTS[layout]()))
    for one in (load(tmp_path / "panel.csv"), load(tmp_path / "panel.parquet")):
        assert folder.series_ids == one.series_ids == ("007", "7", "a b", "b/c")
        assert folder.digest() == one.digest()
        assert folder.rows_read == one.rows_read
        np.testing.assert_array_equal(folder.values[:, folder.column_numbers(("sales", "price"))], PANEL.iloc[:, 2:])


def test_a_series_without_lanes_is_put_in_order_by_time(tmp_path: Path) -> None:
    """Breaks a single series in files by month: its months would follow each other as the names of files do."""
    rows = PANEL[:6].drop(columns="lane")
    folder = write(tmp_path / "panel", {"b.parquet": rows[:3], "a.parquet": rows[3:]})
    assert load(folder, lane_column=None).actual().ravel().tolist() == rows["sales"].tolist()


def test_what_tools_leave_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    """Breaks the output of Spark: its _SUCCESS and .crc files would be refused as damaged."""
    folder = write(tmp_path / "panel", {"a.parquet": PANEL, "_temporary/0.parquet": PANEL})
    for name in ("_SUCCESS", ".a.parquet.crc"):
        (folder / name).touch()
    assert len(load(folder)) == len(PANEL)


REFUSED: Mapping[str, tuple[Callable[[Path], Any], str]] = {
    "no file": (lambda folder: (folder / "a.parquet").unlink(), r"panel is a folder without a file"),
    "another kind of file": (
        lambda folder: (folder / "notes.txt").touch(),
        r"notes\.txt is no \.parquet file; a folder that dataset\.path names must hold nothing else",
    ),
    "nothing in a file": (lambda folder: (folder / "b.parquet").touch(), r"b\.parquet cannot be read as \.parquet"),
    "no parquet inside": (
        lambda folder: (folder / "b.parquet").write_text("day,lane,sales\n"),
        r"b\.parquet cannot be read as \.parquet",
    ),
    "cut off": (
        lambda folder: (folder / "b.parquet").write_bytes((folder / "a.parquet").read_bytes()[:-100]),
        r"b\.parquet cannot be read as \.parquet",
    ),
    "no rows": (lambda folder: write(folder, {"b.parquet": PANEL[:0]}), r"b\.parquet holds no rows; delete it"),
    "a column less": (
        lambda folder: write(folder, {"b.parquet": PANEL.drop(columns="price")}),
        r"b\.parquet does not have the columns of .*a\.parquet: it lacks price",
    ),
    "a column more": (
        lambda folder: write(folder, {"b.parquet": PANEL.assign(colour=1)}),
        r"b\.parquet .*: it has colour as well",
    ),
    "text for numbers": (
        lambda folder: write(folder, {"b.parquet": PANEL.astype({"sales": str})}),
        r"b\.parquet: the column 'sales' holds text, but in .*a\.parquet numbers",
    ),
    "times in a zone": (
        lambda folder: write(folder, {"b.parquet": PANEL.assign(day=PANEL["day"].dt.tz_localize("UTC"))}),
        r"b\.parquet: the column 'day' holds times in UTC, but in .*a\.parquet times",
    ),
    "numbers for names": (
        lambda folder: write(folder, {"b.parquet": PANEL.assign(lane=7)}),
        r"b\.parquet: the column 'lane' holds whole numbers, but in .*a\.parquet text",
    ),
    "the same rows": (
        lambda folder: write(folder, {"b.parquet": PANEL[8:10]}),
        r"lane '7' has the timestamp 2024-01-03.* in .*a\.parquet and in .*b\.parquet; keep one row per time step",
    ),
    "the same rows in one file": (
        lambda folder: write(folder, {"a.parquet": pd.concat([PANEL, PANEL[8:9]])}),
        r"lane '7' has the timestamp 2024-01-03.* in .*a\.parquet, twice",
    ),
    "a row without a lane": (
        lambda folder: write(folder, {"b.parquet": PANEL.assign(lane=PANEL["lane"].where(PANEL.index != 3))}),
        r"b\.parquet, data row 4: the lane column 'lane' is empty",
    ),
    "a row without a time": (
        lambda folder: write(folder, {"b.parquet": PANEL.assign(day=PANEL["day"].where(PANEL.index != 3))}),
        r"b\.parquet: the time column 'day', data row 4: the cell is empty; every row needs its time",
    ),
    "a row without a value": (
        lambda folder: write(folder, {"b.parquet": PANEL.assign(sales=PANEL["sales"].where(PANEL.index != 3))}),
        r"b\.parquet, data row 4: the column 'sales' has no value",
    ),
    "an infinite value": (
        lambda folder: write(folder, {"b.parquet": PANEL.assign(sales=np.inf)}),
        r"b\.parquet, data row 1: the column 'sales' holds an infinite value",
    ),
    "a column named twice": (
        lambda folder: write(folder, {"lane=x/b.parquet": PANEL}),
        r"b\.parquet has the column 'lane' twice, or the name of its folder gives it as well",
    ),
    "a link out of the folder": (
        lambda folder: write(folder.parent, {"b.parquet": PANEL}) and (folder / "b.parquet").symlink_to("../b.parquet"),
        r"panel/b\.parquet is a symbolic link; of a folder only its own files are read",
    ),
    "a linked folder": (
        lambda folder: write(folder.parent, {"c/b.parquet": PANEL}) and (folder / "c").symlink_to("../c"),
        r"panel/c is a symbolic link",
    ),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_folder_that_does_not_fit_is_refused_by_the_name_of_its_file(fault: str, tmp_path: Path) -> None:
    """Breaks finding one bad file among thousands, or reads what lies elsewhere."""
    folder = write(tmp_path / "panel", {"a.parquet": PANEL})
    spoil, told = REFUSED[fault]
    spoil(folder)
    with pytest.raises(UserError, match=told):
        load(folder)


def test_lanes_in_several_files_need_a_time_column(tmp_path: Path) -> None:
    """Breaks rows without times: they would follow each other as the names of the files happen to."""
    folder = write(tmp_path / "panel", {"a.parquet": PANEL.drop(columns="day"), "b.parquet": PANEL.drop(columns="day")})
    with pytest.raises(UserError, match=r"lane '007' has rows in .*a\.parquet and in .*b\.parquet, .*time_column"):
        load(folder, time_column=None)
    (folder / "b.parquet").unlink()
    assert load(folder, time_column=None).series_ids == ("007", "7", "a b", "b/c")


def test_a_panel_that_does_not_fit_into_memory_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks a machine: it would be out of memory minutes later, without a word of what helps."""
    folder = write(tmp_path / "panel", {"a.parquet": PANEL})
    monkeypatch.setattr("psutil.virtual_memory", lambda: type("Memory", (), {"available": 400 * len(PANEL) - 1}))
    with pytest.raises(UserError, match=r"has 24 rows, which need about 0\.0 GB .*; set dataset\.lane_block=1000"):
        load(folder)
    assert load(folder, lane_block=1000).panel is not None
