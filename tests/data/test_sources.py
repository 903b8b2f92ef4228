"""Loading: packaged series, a user's .csv or .parquet, the synthetic sine; and every file that is refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from omegaconf import OmegaConf

from pipeline.base.errors import UserError
from pipeline.base.paths import conf_dir
from pipeline.config.schema import DatasetConfig, Missing, Source
from pipeline.data.series import Series
from pipeline.data.sources import load_series

FRAME = pd.DataFrame(
    {
        "date": pd.date_range("2024-01-01", periods=20),
        "sales": np.arange(20) * 1.5 + 0.1,
        "price": np.arange(20)[::-1],
    }
)
GOOD = FRAME.to_csv(index=False)
STOCKS_1991 = [1628.75, 1678.1, 1772.8, 2443.6]  # DAX, SMI, CAC, FTSE
STOCKS_1998 = [5473.72, 7676.3, 3995.0, 5455.0]


def load(path: Path | str, **settings: Any) -> Series:
    chosen = {"time_column": "date", "features": ["sales", "price"], "targets": ["sales"], **settings}
    return load_series(DatasetConfig(name="csv", source=Source.file, path=str(path), **chosen))


def load_text(folder: Path, text: str | bytes, **settings: Any) -> Series:
    file = folder / "sales.csv"
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file, **settings)


def packaged(name: str) -> Series:
    settings = yaml.safe_load((conf_dir() / "dataset" / f"{name}.yaml").read_text())
    settings.pop("defaults")
    dataset = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(DatasetConfig), settings))
    assert isinstance(dataset, DatasetConfig)
    return load_series(dataset)


# ------------------------------------------------------------------------------------------------ packaged series


@pytest.mark.parametrize(
    ("name", "rows", "first", "last"),
    [
        ("airline", 144, ("1949-01-01", [112]), ("1960-12-01", [432])),
        (
            "eu_stocks",
            1860,
            ("1991-07-01", [1628.75, 1678.1, 1772.8, 2443.6]),
            ("1998-08-14", [5473.72, 7676.3, 3995, 5455]),
        ),
        ("sunspots", 3177, ("1749-01-01", [58.0]), ("2013-09-01", [37.0])),
    ],
)
def test_packaged_series(name: str, rows: int, first: tuple[str, list[float]], last: tuple[str, list[float]]) -> None:
    """Breaks every result on packaged data: the figures are those of the source, complete and in order."""
    series = packaged(name)
    assert series.values.shape == (rows, len(first[1]))
    for row, (date, values) in ((0, first), (-1, last)):
        assert series.timestamps[row] == pd.Timestamp(date)
        assert series.values[row].tolist() == values
    assert not series.filled.any()
    assert series.scorable().all()


def test_known_airline_numbers() -> None:
    """Breaks the comparison with the tutorial: largest training value 413, largest value of all 622, and the sum."""
    values = packaged("airline").values.ravel()
    assert (values[:96].max(), values.max(), values.sum()) == (413, 622, 40363)


def test_eu_stocks_columns() -> None:
    """Breaks four stocks in, one out: DAX is predicted from all four unless the command line says otherwise."""
    series = packaged("eu_stocks")
    assert series.features == series.columns == ("DAX", "SMI", "CAC", "FTSE")
    assert series.targets == ("DAX",)
    assert series.actual()[0].tolist() == [1628.75]


def test_sine() -> None:
    """Breaks the series with a known answer: amplitude 1, one wave per period, the same noise at every call."""
    wave = {"name": "sine", "source": Source.sine, "length": 50, "period": 8, "features": ["value"]}
    plain = load_series(DatasetConfig(**wave))
    np.testing.assert_allclose(plain.values[:9].ravel(), np.sin(np.arange(9) * np.pi / 4), atol=1e-12)
    np.testing.assert_allclose(plain.values[8:], plain.values[:-8], atol=1e-12)
    noisy = load_series(DatasetConfig(**wave, noise=0.5))
    assert noisy.digest() == load_series(DatasetConfig(**wave, noise=0.5)).digest()
    assert 0.3 < np.std(noisy.values - plain.values) < 0.7


# -------------------------------------------------------------------------------------------------- a user's file


def test_columns_of_a_file(tmp_path: Path) -> None:
    """Breaks dataset=csv: features, targets, values and dates are those of the file, in the order asked for."""
    series = load_text(tmp_path, GOOD, features=["price"], targets=["sales"])
    assert (series.features, series.targets, series.columns) == (("price",), ("sales",), ("price", "sales"))
    np.testing.assert_allclose(series.values[3], [16, 4.6])
    assert series.timestamps[3] == pd.Timestamp("2024-01-04")
    assert series.origin.endswith("sales.csv")


def test_defaults_of_a_file(tmp_path: Path) -> None:
    """Breaks the shortest command: without names, the only column is feature and target, and rows are numbered."""
    series = load_text(tmp_path, "sales\n3\n1\n2\n", time_column=None, features=None, targets=None)
    assert series.features == series.targets == ("sales",)
    assert series.timestamps.tolist() == [0, 1, 2]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_csv_and_parquet_are_the_same_series(tmp_path: Path, unit: str) -> None:
    """Breaks resume=true after converting a file: values, times and digest must not depend on the format."""
    from_csv = load_text(tmp_path, GOOD)
    FRAME.assign(date=FRAME["date"].dt.as_unit(unit)).to_parquet(tmp_path / "sales.parquet", index=False)
    from_parquet = load(tmp_path / "sales.parquet")
    np.testing.assert_array_equal(from_csv.values, from_parquet.values)
    assert (from_csv.timestamps == from_parquet.timestamps).all()
    assert from_csv.digest() == from_parquet.digest()


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + GOOD.encode(),  # as Excel writes it
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("date,sales,price", " date ,sales , price"),
        GOOD.replace("\n", "\n\n"),
        GOOD.rstrip("\n"),
    ],
)
def test_harmless_differences(tmp_path: Path, text: str | bytes) -> None:
    """Breaks files from spreadsheets: a byte-order mark, line ends or spaces in the header change nothing."""
    assert load_text(tmp_path, text).digest() == load_text(tmp_path, GOOD).digest()


def test_digest_follows_a_value(tmp_path: Path) -> None:
    """Breaks resume=true: one changed figure in the file must give another digest."""
    assert load_text(tmp_path, GOOD.replace("1.6,", "1.61,")).digest() != load_text(tmp_path, GOOD).digest()


def test_step_numbers_as_time(tmp_path: Path) -> None:
    """Breaks series without dates: a numeric time column stays a number."""
    series = load_text(tmp_path, "step,sales\n10,1\n20,5\n30,2\n", time_column="step", features=["sales"])
    assert series.timestamps.tolist() == [10, 20, 30]


@pytest.mark.parametrize(("missing", "expected"), [(Missing.forward_fill, 1.6), (Missing.interpolate, 3.1)])
def test_missing_cells(tmp_path: Path, missing: Missing, expected: float) -> None:
    """Breaks dataset.missing: the empty cell is filled, counted, and not scored."""
    text = GOOD.replace("2024-01-03,3.1,", "2024-01-03,,")
    series = load_text(tmp_path, text, missing=missing)
    assert series.values[2, 0] == pytest.approx(expected)
    assert np.argwhere(series.filled).tolist() == [[2, 0]]
    assert np.flatnonzero(~series.scorable()).tolist() == [2]


# ------------------------------------------------------------------------------------------------- what is refused

SLASHED = "date,sales,price\n" + "".join(f"01/{month:02d}/2024,{month},{month}\n" for month in range(1, 13))
ROW_3 = "2024-01-03,3.1,17\n"
BAD_TEXTS = {
    "empty": ("", {}, r"sales\.csv is empty; it must hold a header and one row per time step"),
    "blank": (" \n\n", {}, r"sales\.csv is empty; it must hold a header"),
    "header only": ("date,sales,price\n", {}, r"sales\.csv holds no rows; a dataset is a table with a header"),
    "not text": (bytes(range(256)) * 9, {}, r"sales\.csv cannot be read as \.csv"),
    "not utf-8": (GOOD.replace("sales", "gr\xf6\xdfe").encode("latin-1"), {}, r"sales\.csv cannot be read .*utf-8"),
    "ragged": (GOOD + "2024-02-01,1,2,3,4\n", {}, r"sales\.csv cannot be read as \.csv: .*line 22"),
    "open quote": (GOOD.replace("2024-01-03", '"2024-01-03'), {}, r"sales\.csv cannot be read as \.csv"),
    "no such feature": (GOOD, {"features": ["cost"]}, r"dataset\.features names the column 'cost', but .* has: date"),
    "no such future": (GOOD, {"future": ["cost"]}, r"dataset\.future names the column 'cost', but .* has: date"),
    "no such target": (GOOD, {"targets": ["cost"]}, r"dataset\.targets names the column 'cost', but .* has: date"),
    "no such time": (GOOD, {"time_column": "day"}, r"dataset\.time_column names the column 'day', but .* has: date"),
    "no target chosen": (GOOD, {"targets": None}, r"dataset\.targets is required .*choose from sales, price"),
    "only times": ("date\n2024-01-01\n", {"features": None, "targets": None}, "no column besides the time column"),
    "column twice": (GOOD.replace("price", " sales"), {"features": ["sales"]}, r"the column 'sales' twice; rename"),
    "same column twice": (GOOD.replace("price", "sales"), {"features": ["sales"]}, r"the column 'sales' twice; rename"),
    "text": (GOOD.replace(ROW_3, "2024-01-03,many,17\n"), {}, "row 3: 'many' in the column 'sales' is not a number"),
    "missing": (GOOD.replace(ROW_3, "2024-01-03,,17\n"), {}, r"row 3: the column 'sales' has no value \(1 .*missing="),
    "nan": (GOOD.replace(ROW_3, "2024-01-03,NaN,17\n"), {}, "row 3: the column 'sales' has no value"),
    "infinite": (GOOD.replace(ROW_3, "2024-01-03,-inf,17\n"), {}, "row 3: the column 'sales' holds an infinite value"),
    "duplicate time": (GOOD.replace("2024-01-03", "2024-01-02"), {}, "row 3: the timestamp 2024-01-02.* twice .*keep"),
    "unsorted": (GOOD.replace("2024-01-03", "2023-01-03"), {}, "row 3: the timestamp 2023-01-03.* after .*sort the"),
    "not a date": (GOOD.replace("2024-01-03", "third"), {}, "row 3: 'third' in the time column 'date' .*YYYY-MM-DD"),
    "day or month first": (SLASHED, {}, r"data row 1: '01/01/2024' in the time column 'date' .*YYYY-MM-DD"),
    "no date": (GOOD.replace("2024-01-03", ""), {}, "the time column 'date', data row 3: the cell is empty"),
    "wider than its header": (GOOD.replace("date,sales,price", "date,sales"), {"features": ["sales"]}, r"sales\.csv"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_TEXTS)
def test_bad_csv(tmp_path: Path, name: str) -> None:
    """Breaks the third gate: a file that cannot be trained on is accepted, or its text misses place or remedy."""
    text, settings, complaint = BAD_TEXTS[name]
    with pytest.raises(UserError, match=complaint) as caught:
        load_text(tmp_path, text, **settings)
    assert len(str(caught.value).splitlines()) <= 2


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("nothing.csv", r"dataset\.path=nothing\.csv is not a file that can be read from .*; check the path"),
        ("folder.csv", r"dataset\.path=folder\.csv is a folder without a file; it must hold \.parquet files"),
        ("sales.xls", r"dataset\.path must end in \.csv, .* or name a folder .*, but got dataset\.path=sales\.xls"),
        ("sales.pkl", r"dataset\.path must end in \.csv, \.tsv, \.txt, \.csv\.gz, \.zip, \.xlsx or \.parquet"),
        ("", r"dataset\.path must end in \.csv, \.tsv, \.txt, \.csv\.gz, \.zip, \.xlsx or \.parquet"),
    ],
)
def test_bad_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, complaint: str) -> None:
    """Breaks the third gate: a path that names no table must be refused before anything reads it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "sales.pkl").write_bytes(b"never opened")
    with pytest.raises(UserError, match=complaint):
        load(path)


def test_path_is_relative_to_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks dataset.path=sales.csv as the README writes it."""
    load_text(tmp_path, GOOD)
    monkeypatch.chdir(tmp_path)
    assert len(load("sales.csv")) == 20


@pytest.mark.parametrize("content", [b"", GOOD.encode(), b"PAR1" + b"\0" * 40 + b"PAR1"])
def test_bad_parquet(tmp_path: Path, content: bytes) -> None:
    """Breaks the third gate: a .parquet file that is none must not end in a traceback."""
    (tmp_path / "sales.parquet").write_bytes(content)
    with pytest.raises(UserError, match=r"sales\.parquet cannot be read as \.parquet") as caught:
        load(tmp_path / "sales.parquet")
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("column", "complaint"),
    [
        (FRAME["date"], "the column 'sales' holds dates, not numbers"),
        ([[1, 2]] * 20, "data row 1: .* in the column 'sales' is not a number"),
        (pd.to_timedelta(range(20), "D"), "the column 'sales'"),
    ],
)
def test_parquet_columns_that_are_no_numbers(tmp_path: Path, column: Any, complaint: str) -> None:
    """Breaks the third gate for .parquet: columns of dates, durations or lists are no figures to train on."""
    FRAME.assign(sales=column).to_parquet(tmp_path / "sales.parquet", index=False)
    with pytest.raises(UserError, match=complaint):
        load(tmp_path / "sales.parquet")
