"""Files as people have them: how cells, numbers, names and times are written."""

import gzip
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import DatasetConfig, Missing, Source
from pipeline.data.dates import TimeReading
from pipeline.data.series import Series
from pipeline.data.sources import load_series
from pipeline.data.spelling import Spelling, guess_spelling

PLAIN = "date,y\n2024-01-01,1.5\n2024-01-02,1234.25\n2024-01-03,-0.5\n"
SEMICOLONS = "date;y\n2024-01-01;1,5\n2024-01-02;1.234,25\n2024-01-03;-0,5\n"


def load(folder: Path, text: str | bytes, name: str = "a.csv", **settings: Any) -> Series:
    content = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(content)
    chosen = {"time_column": "date", "features": ["y"], "targets": ["y"], **settings}
    return load_series(DatasetConfig(name="csv", source=Source.file, path=str(folder / name), **chosen))


def load_times(folder: Path, times: list[str], **settings: Any) -> Series:
    return load(folder, "date,y\n" + "".join(f"{time},{row}\n" for row, time in enumerate(times)), **settings)


# ------------------------------------------------------------------------------------------------- cells and bytes


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        (SEMICOLONS, {}),
        (SEMICOLONS.replace(";", "\t"), {}),
        (SEMICOLONS.replace(";", "|"), {}),
        (SEMICOLONS, {"separator": ";", "decimal": ",", "thousands": "."}),
        (SEMICOLONS.replace(";", "\t"), {"separator": "tab", "decimal": ",", "thousands": "."}),
        (PLAIN.replace(",", ";"), {}),
        (PLAIN.replace("1234.25", '"1,234.25"'), {"thousands": ","}),
        (PLAIN.replace("1234.25", "1 234.25"), {"thousands": " "}),
        (SEMICOLONS.replace(";", "\t"), {"name": "a.tsv"}),
        (PLAIN, {"name": "a.txt"}),
        (PLAIN.encode("utf-16"), {}),
        (PLAIN.encode("utf-8-sig"), {}),
        (PLAIN.encode("cp1252"), {"encoding": "cp1252"}),
    ],
)
def test_one_table_in_many_spellings(tmp_path: Path, text: str | bytes, settings: dict[str, Any]) -> None:
    """A file from a spreadsheet gives other numbers than the same table written plainly."""
    assert load(tmp_path, text, **settings).digest() == load(tmp_path, PLAIN).digest()


def test_a_missing_header_is_told(tmp_path: Path) -> None:
    """The first row of a file without a header is taken for names, and is missing from then on without a word."""
    rows = "2024-01-01,1.5\n2024-01-02,2.5\n2024-01-03,3.5\n"
    found = load(tmp_path, rows, time_column="2024-01-01", features=["1.5"], targets=["1.5"])
    (note,) = found.notes
    assert note.startswith("a.csv: its first line, 2024-01-01, 1.5, is taken for the names of the columns")
    counted = load(tmp_path, rows.replace("2024-01-01,1.5", "0,1"), time_column="0", features=["1"], targets=["1"])
    assert counted.notes == ()  # what pandas writes for a table without names


def test_lines_before_the_header_are_named(tmp_path: Path) -> None:
    """A file that begins with comments is refused by a sentence about fields and lines."""
    with pytest.raises(UserError, match="header has names; its first line begins with #: delete comments"):
        load(tmp_path, "# made by hand\n" + PLAIN)


def test_the_column_of_the_times_is_asked_for_first(tmp_path: Path) -> None:
    """Who has a date and a value is told to forecast the dates."""
    nothing = {"time_column": None, "features": None, "targets": None}
    with pytest.raises(UserError, match=r"^the column 'date' looks like times: set 'dataset.time_column=\"date\"'$"):
        load(tmp_path, PLAIN, **nothing)
    more = PLAIN.replace("\n", ",a\n").replace("y,a", "y,text")
    with pytest.raises(UserError, match=r"'date' looks like times: .*choose from y, text, e.g. .*targets=\[\"y\"\]"):
        load(tmp_path, more, **nothing)
    with pytest.raises(UserError, match=r"^dataset.targets is required .*choose from n, y, e.g. .*\[\"n\"\]"):
        load(tmp_path, "n,y\n5,1\n7,2\n6,3\n", **nothing)


def test_guesses_are_told(tmp_path: Path) -> None:
    """A separator or a decimal mark is guessed and nobody knows."""
    assert load(tmp_path, PLAIN).notes == ()
    separated, decimal = load(tmp_path, SEMICOLONS).notes
    assert "separated by ';'" in separated
    assert "decimal mark ',', with '.' between thousands" in decimal


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip"])
def test_packed_files(tmp_path: Path, name: str) -> None:
    """A packed CSV must be unpacked by hand, or is read as rubbish."""
    if name.endswith(".gz"):
        content = gzip.compress(PLAIN.encode())
    else:
        with zipfile.ZipFile(tmp_path / "made.zip", "w") as archive:
            archive.writestr("sales.csv", PLAIN)
        content = (tmp_path / "made.zip").read_bytes()
    assert load(tmp_path, content, name).digest() == load(tmp_path, PLAIN).digest()
    with pytest.raises(UserError, match="cannot be read as"):
        load(tmp_path, content[: len(content) // 2], name)


@pytest.mark.parametrize("name", ["a.csv.gz", "a.zip", "a.xlsx"])
def test_a_small_archive_that_unpacks_to_very_much_is_refused(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few kilobytes from outside fill the memory of the machine."""
    plain = b"date,y\n" + b"2024-01-01,0\n" * 1000  # far more than the limit below
    if name.endswith(".gz"):
        content = gzip.compress(plain)
    else:
        inside = {"a.zip": "sales.csv", "a.xlsx": "xl/worksheets/sheet1.xml"}[name]
        with zipfile.ZipFile(tmp_path / "made", "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(inside, plain)
        content = (tmp_path / "made").read_bytes()
    assert len(content) < 1024 < len(plain)
    monkeypatch.setattr("pipeline.data.files._LARGEST", 1024)
    with pytest.raises(UserError, match=rf"{name} cannot be read as .*: it unpacks to more than 0 GiB"):
        load(tmp_path, content, name)


@pytest.mark.parametrize(
    ("text", "settings", "complaint"),
    [
        ("date;y\n2024-01-01;1,234\n", {}, r"'1,234' could be .* 'dataset.decimal=\",\"' or 'dataset.thousands=\",\"'"),
        ("date;y\n2024-01-01;1.234\n", {}, r"'1\.234' could be .*'dataset.decimal=\"\.\"'"),
        ('date,y\n2024-01-01,"1,5"\n', {}, r"row 1: '1,5' in the column 'y' .* 'dataset.decimal=\",\"'; otherwise"),
        ('date,y\n2024-01-01,"1,234,567"\n', {}, r"'dataset.thousands=\",\"'; otherwise"),
        ("date;y\n2024-01-01;1.5\n", {"decimal": ","}, r"'1\.5' in the column 'y' is not a number"),
        ('date,y\n2024-01-01,"1,5"\n', {"thousands": ","}, r"'1,5' in the column 'y' is not a number"),
        ("date,y\n2024-01-01,\xfc\n".encode("latin-1"), {}, r"utf-8.*'dataset.encoding=\"cp1252\"'"),
        ("a;b|c\n1;2|3\n", {"time_column": None}, r"'dataset.separator=\";\"' or 'dataset.separator=\"\|\"'"),
    ],
)
def test_doubt_is_refused_with_the_key(
    tmp_path: Path, text: str | bytes, settings: dict[str, Any], complaint: str
) -> None:
    """A number a thousand times too large is trained on, or the error does not say which key helps."""
    with pytest.raises(UserError, match=complaint):
        load(tmp_path, text, **settings)


def test_numbers_are_rewritten_only_if_they_are_written_so() -> None:
    """1.5 is read as 15 where dots group thousands."""
    german = Spelling(";", ",", ".")
    assert [german.rewrite(cell) for cell in ("1.234,5", "-1,5e3", "12", ",5")] == ["1234.5", "-1.5e3", "12", ".5"]
    assert all(german.rewrite(cell).startswith("?") for cell in ("1.5", "1,5,5", "1.23.456", "1.234.5"))
    assert guess_spelling(["0,123"], ";", "f") == Spelling(";", ",")
    assert guess_spelling(["1.5", "x, y"], ";", "f") == Spelling(";")
    assert guess_spelling(["1,234.5"], ";", "f") == Spelling(";", ".", ",")


# ------------------------------------------------------------------------------------------------ names and columns

ODD = ["007", "7", "12", "1e5", "100000", "0x10", "TRUE", "True", "NA", "None", "nan", "1.0", "2024-01-01", "ä, b"]


def test_names_of_lanes_are_text(tmp_path: Path) -> None:
    """Lanes 007 and 7 become one, NA becomes an empty cell, and a stream of the same rows knows none of them."""
    pd.DataFrame({"date": "2024-01-01", "lane": ODD, "y": range(len(ODD))}).to_csv(tmp_path / "b.csv", index=False)
    text = (tmp_path / "b.csv").read_text()
    assert list(load(tmp_path, text, lane_column="lane").series_ids) == ODD


@pytest.mark.parametrize(
    ("lanes", "names"),
    [
        ([7, 12], ("7", "12")),
        ([1.0, 2.5], ("1.0", "2.5")),
        ([True, False], ("True", "False")),
        (["007", "7"], ("007", "7")),
        (pd.Categorical(["b", "a"]), ("b", "a")),
    ],
)
def test_lanes_of_parquet_are_their_text(tmp_path: Path, lanes: Any, names: tuple[str, ...]) -> None:
    """Names of lanes depend on how a parquet file stores them."""
    frame = pd.DataFrame({"date": pd.to_datetime(["2024-01-01"] * 2), "lane": lanes, "y": [1.0, 2.0]})
    frame.to_parquet(tmp_path / "b.parquet", index=False)
    assert load(tmp_path, (tmp_path / "b.parquet").read_bytes(), "b.parquet", lane_column="lane").series_ids == names


@pytest.mark.parametrize(
    ("name", "first", "left_out"),
    [
        ("Unnamed: 0", 0, True),
        ("", 0, True),
        ("index", 5, True),
        ("rownames", 1, True),
        ("X", 5, False),
        ("a", 0, False),
    ],
)
def test_row_numbers_of_other_tools_are_left_out(tmp_path: Path, name: str, first: int, left_out: bool) -> None:
    """A row counter is trained on, or a column that only looks like one is lost."""
    text = f"{name},date,y\n" + "".join(f"{first + row},2024-01-0{row + 1},{row}\n" for row in range(4))
    series = load(tmp_path, text, features=None)
    assert (series.features[0] == "y") == left_out
    assert ("only numbers the rows" in " ".join(series.notes)) == left_out
    if name:
        assert load(tmp_path, text, features=[name]).features == (name,)


# ----------------------------------------------------------------------------------------------------------- times


@pytest.mark.parametrize(
    ("times", "second"),
    [
        (["1980Q1", "1980Q2"], "1980-04-01"),
        (["1980-Q4", "1981-Q1"], "1981-01-01"),
        (["2024-W05", "2024-W06"], "2024-02-05"),
        (["2024-W05-1", "2024-W05-2"], "2024-01-30"),
        (["202401", "202402"], "2024-02-01"),
        (["20240131", "20240201"], "2024-02-01"),
        (["1704067200", "1704070800"], "2024-01-01T01:00Z"),
        (["1704067200000", "1704070800000"], "2024-01-01T01:00Z"),
        (["1704067200000000000", "1704067200000000001"], "2024-01-01T00:00:00.000000001Z"),
        (["1704067200.0", "1704070800.0"], "2024-01-01T01:00Z"),  # as other tools write whole numbers
        (["1704067200", "1704067200.1"], "2024-01-01T00:00:00.1Z"),
        (["1.7040672e9", "1704067200.000000001"], "2024-01-01T00:00:00.000000001Z"),
        (["1704067200000.", "1704067200000.5"], "2024-01-01T00:00:00.0005Z"),
        (["1704067200000000.0", "1704067200000000.5"], "2024-01-01T00:00:00.0000005Z"),
        (["1.7040672e18", "1704067200000000001.0"], "2024-01-01T00:00:00.000000001Z"),
        (["202401.0", "202402.0"], "2024-02-01"),
        (["20240131.0", "20240201.0"], "2024-02-01"),
        (["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"], "2024-03-31T01:00Z"),
    ],
)
def test_common_times_are_recognised_and_told(tmp_path: Path, times: list[str], second: str) -> None:
    """Dates are read as plain numbers without a word, or an exact time is rounded."""
    series = load_times(tmp_path, times)
    assert series.timestamps[1] == pd.Timestamp(second)
    assert series.notes and "the time column 'date'" in series.notes[0]
    assert series.reading.parse(times[1]) == series.timestamps[1]


@pytest.mark.parametrize("dtype", ["float64", "Float64"])
@pytest.mark.parametrize("factor", [1, 1000, 10**6, 10**9])
def test_floats_are_the_times_that_whole_numbers_are(tmp_path: Path, dtype: str, factor: int) -> None:
    """The same seconds since 1970 are dates as integers, and plain numbers as floats, without a word."""
    seconds = np.arange(1577836800, 1577836800 + 40 * 3600, 3600) * factor
    for name, times in (("floats", pd.Series(seconds).astype(dtype)), ("whole", pd.Series(seconds))):
        pd.DataFrame({"date": times, "y": np.arange(40.0)}).to_parquet(tmp_path / f"{name}.parquet")
    series, whole, kept = (
        load_series(
            DatasetConfig(
                name="x",
                source=Source.file,
                path=str(tmp_path / f"{name}.parquet"),
                time_column="date",
                date_format=how,
            )
        )
        for name, how in (("floats", None), ("whole", None), ("floats", "number"))
    )
    assert series.timestamps.equals(whole.timestamps) and series.digest() == whole.digest()
    assert series.notes == (series.notes[0],) and "dataset.date_format=number keeps numbers" in series.notes[0]
    assert kept.timestamps.tolist() == seconds.tolist() and kept.notes == ()


@pytest.mark.parametrize(
    "text", ["", "x", "nan", "inf", "1e400", "1e99999999999", "9.3e18", "-9.3e18", "1_0", "0x1", "٢"]
)
@pytest.mark.parametrize("unit", ["s", "ns"])
def test_what_counts_no_time_since_1970_is_refused(text: str, unit: str) -> None:
    """A wild number in a row that arrives, or in dataset.test_start, ends in a traceback, or is another time."""
    with pytest.raises(ValueError, match="is no time like those of the dataset"):
        TimeReading(unit).parse(text)


@pytest.mark.parametrize("times", [["1.5", "2.5"], ["1e3", "1e4"], ["0.0", "1.0"], ["1949.0", "1949.5"]])
def test_fractions_stay_numbers(tmp_path: Path, times: list[str]) -> None:
    """Steps are taken for dates because they are written as floats."""
    series = load_times(tmp_path, times)
    assert series.timestamps.tolist() == [float(time) for time in times] and series.notes == ()
    with pytest.raises(UserError, match="data row 2: 'inf' in the time column 'date' is not a number"):
        load_times(tmp_path, [*times[:1], "inf"])


@pytest.mark.parametrize("times", [["1", "2", "3"], ["1949", "1950", "1951"], ["202413", "202414", "202415"]])
def test_numbers_stay_numbers(tmp_path: Path, times: list[str]) -> None:
    """Steps are taken for dates."""
    assert load_times(tmp_path, times).timestamps.tolist() == [int(time) for time in times]


@pytest.mark.parametrize(
    ("times", "complaint"),
    [
        (["01.02.2024", "13.02.2024"], r"all of them fit 'dataset.date_format=\"%d\.%m\.%Y\"'"),
        (["01/02/2024", "02/02/2024"], r"could be two: .*%d/%m/%Y.* or .*%m/%d/%Y"),
        (["Jan 2024", "Feb 2024"], "%b %Y"),
        (["2024-01-01T00:00Z", "2024-01-01T01:00"], "mixes times with and without an offset.*data row 2"),
        (["2024-W05", "2024-W99"], "data row 2: '2024-W99'"),
        (["1980Q1", "1980Q5"], "data row 2: '1980Q5'"),
        (["now", "today"], "data row 1: 'now'"),
    ],
)
def test_times_that_could_be_two_are_refused(tmp_path: Path, times: list[str], complaint: str) -> None:
    """A day is taken for a month, or the error names no format to paste."""
    with pytest.raises(UserError, match=complaint):
        load_times(tmp_path, times)


def test_a_format_is_that_of_the_split_too(tmp_path: Path) -> None:
    """dataset.test_start=01/06/2024 means January where the column means June."""
    series = load_times(tmp_path, ["01/06/2024", "02/06/2024"], date_format="%d/%m/%Y")
    assert series.reading.parse("02/06/2024") == series.timestamps[1] == pd.Timestamp("2024-06-02")
    assert series.reading.parse("2024-06-02") == series.timestamps[1]
    with pytest.raises(ValueError, match="no time like"):
        load_times(tmp_path, ["2024-06-01", "2024-06-02"]).reading.parse("01/06/2024")


HOURS = pd.date_range("2024-10-26T22:00", periods=8, freq="h", tz="UTC")


def test_the_hour_that_comes_twice(tmp_path: Path) -> None:
    """An hour of autumn is lost, doubled or out of order in a file of local times."""
    local = [f"{time:%Y-%m-%d %H:%M}" for time in HOURS.tz_convert("Europe/Berlin")]
    series = load_times(tmp_path, local, time_zone="Europe/Berlin")
    np.testing.assert_array_equal(series.timestamps.asi8, HOURS.as_unit(series.timestamps.unit).asi8)
    assert "comes twice in autumn" in series.notes[0]
    with pytest.raises(UserError, match=r"data row 3: 2024-10-27 02:00:00 comes twice .*once"):
        load_times(tmp_path, local[:3], time_zone="Europe/Berlin")


def test_the_hour_that_spring_leaves_out(tmp_path: Path) -> None:
    """A local time that does not exist is moved without a word."""
    with pytest.raises(UserError, match=r"data row 2: 2024-03-31 02:30:00 does not exist in dataset\.time_zone="):
        load_times(tmp_path, ["2024-03-31 01:30", "2024-03-31 02:30"], time_zone="Europe/Berlin")


def test_times_with_an_offset_are_shown_in_the_zone(tmp_path: Path) -> None:
    """dataset.time_zone changes which moment is meant."""
    times = ["2024-03-31T01:00+01:00", "2024-03-31T03:00+02:00"]
    zoned = load_times(tmp_path, times, time_zone="Europe/Berlin")
    assert str(zoned.timestamps[1]) == "2024-03-31 03:00:00+02:00"
    assert zoned.digest() == load_times(tmp_path, times).digest()


def test_a_sheet_of_a_spreadsheet(tmp_path: Path) -> None:
    """A spreadsheet must be exported first; names of lanes become numbers, or another sheet is read without a word."""
    path = tmp_path / "sales.xlsx"
    days = pd.date_range("2024-01-01", periods=3)
    sheet = pd.DataFrame({"date": [*days, *days], "shop": ["007"] * 3 + ["NA"] * 3, "sales": [1.5, None, 3, 4, 5, 6]})
    with pd.ExcelWriter(path, engine="openpyxl") as book:
        sheet.to_excel(book, sheet_name="2024", index=False)
        sheet.to_excel(book, sheet_name="old", index=False)
    dataset = DatasetConfig(
        name="sales", source=Source.file, path=str(path), time_column="date", lane_column="shop", features=["sales"],
        missing=Missing.forward_fill,
    )  # fmt: skip
    series = load_series(dataset)
    assert series.series_ids == ("007", "NA")
    assert series.values[:, 0].tolist() == [1.5, 1.5, 3, 4, 5, 6]
    assert series.timestamps[0] == days[0]
    assert "sales.xlsx: the sheet '2024' is read; left out: old" in series.notes


def test_a_spreadsheet_without_its_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person without the extra gets a traceback instead of the command that installs it."""
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    monkeypatch.setattr("pipeline.data.files.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install openpyxl .*or save the sheet as CSV"):
        load_series(DatasetConfig(name="a", source=Source.file, path=str(tmp_path / "a.xlsx")))


def test_whole_numbers_that_float64_rounds_are_told(tmp_path: Path) -> None:
    """Scores of numbers above 2^53 are wrong in their last digits, and nobody is told."""
    large = load(tmp_path, f"date,y\n2024-01-01,5\n2024-01-02,{2**53 + 1}\n2024-01-03,6\n")
    told = next(note for note in large.notes if "2^53" in note)
    assert told.startswith(f"{tmp_path / 'a.csv'}, data row 2: the column 'y'")
    assert not [note for note in load(tmp_path, PLAIN).notes if "2^53" in note]
