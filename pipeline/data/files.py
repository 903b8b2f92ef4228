"""Read a table as the file holds it: CSV, plain or compressed, in any encoding that is named, and Parquet.

A folder of parquet files is read in folder.py.
"""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import psutil

from pipeline.base.errors import UserError
from pipeline.base.text import show_setting
from pipeline.config.schema import DatasetConfig
from pipeline.data.folder import Folder, open_folder

_LARGEST = 4 << 30  # bytes of an unpacked file; a small archive can hold more than any memory
_BYTES_OF_A_ROW = 400  # of a panel with one value a row and one seed, measured by benchmarks/panels.py --whole
_SNIFFED = 1 << 16  # bytes at the beginning that show how cells are separated
_DATE = r"\d{1,4}[-./]\d{1,2}[-./]\d{1,4}([T ].*)?"
_SEPARATORS = (",", ";", "\t", "|")
_TEXTS = (".csv", ".tsv", ".txt")
_ENDINGS = (*_TEXTS, ".csv.gz", ".zip", ".xlsx", ".parquet")
_EMPTY = (
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"),
    *("NULL", "NaN", "None", "n/a", "nan", "null"),  # pandas' own list
)
_MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


@dataclass(frozen=True)
class Table:
    """What a file holds.

    Attributes:
        frame: The cells; of a CSV that may write numbers in another way, texts.
        separator: Between the cells of a CSV.
        notes: What a person should know of the reading.
    """

    frame: pd.DataFrame
    separator: str = ","
    notes: tuple[str, ...] = ()
    folder: Folder | None = None  # whose files lie one after another in it


def read_table(path: Path, dataset: DatasetConfig) -> Table:
    """Read a file, or a folder of parquet files; nothing in it is executed.

    Raises:
        UserError: If it cannot be read; the text names the key that would help.
    """
    if path.is_dir() and dataset.path:
        folder = open_folder(path, dataset)
        _check_memory(folder)
        frame = pd.concat((rows for _, rows in folder.read()), ignore_index=True)
        return Table(frame, notes=folder.notes, folder=folder)
    ending = next((each for each in _ENDINGS if path.name.lower().endswith(each)), None)
    if ending is None:
        raise UserError(
            f"dataset.path must end in {', '.join(_ENDINGS[:-1])} or .parquet, or name a folder of .parquet files, but "
            f"got dataset.path={path}"
        )
    if not path.is_file():
        raise UserError(f"dataset.path={path} is not a file that can be read from {Path.cwd()}; check the path")
    remedy = "" if ending in (".parquet", ".xlsx") else "; save it as UTF-8 text with commas between cells"
    try:
        table = _read(path, ending, dataset)
    except pd.errors.EmptyDataError:
        raise UserError(f"{path} is empty; it must hold a header and one row per time step") from None
    except UnicodeError as error:
        raise UserError(
            f"{path} cannot be read as {ending}: {error}; if it comes from an older Windows program set "
            f"{show_setting('dataset.encoding', 'cp1252')}, otherwise save it as UTF-8 text with commas between cells"
        ) from error
    except (OSError, EOFError, ValueError, zlib.error, zipfile.BadZipFile, RuntimeError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} cannot be read as {ending}: {reason}{remedy}") from error
    table.frame.columns = pd.Index([str(name).strip() for name in table.frame.columns])
    return table


def _check_memory(folder: Folder) -> None:
    """Refuse a panel that does not fit into memory, while what helps is still cheap."""
    needed, free = folder.num_rows * _BYTES_OF_A_ROW, psutil.virtual_memory().available
    if folder.dataset.lane_column is not None and needed > free:
        raise UserError(
            f"{folder.path} has {folder.num_rows} rows, which need about {needed / 1e9:.1f} GB of memory at once, and "
            f"{free / 1e9:.1f} GB are free; set dataset.lane_block=1000, which trains on so many lanes at a time"
        )


def _read(path: Path, ending: str, dataset: DatasetConfig) -> Table:
    if ending == ".parquet":
        return Table(_read_parquet(path))
    if ending == ".xlsx":
        return _read_excel(path, dataset)
    return _read_csv(_unpack(path, ending), dataset, path)


def _read_excel(path: Path, dataset: DatasetConfig) -> Table:
    """Read the first sheet: the values that are stored in its cells; no formula and no macro is run."""
    if find_spec("openpyxl") is None:
        raise UserError(
            f"{path} needs a package that reads .xlsx: pip install openpyxl (or lstm-pipeline[excel]); or save the "
            "sheet as CSV"
        )
    with zipfile.ZipFile(path) as archive:
        if sum(each.file_size for each in archive.infolist()) > _LARGEST:
            raise ValueError(f"it unpacks to more than {_LARGEST >> 30} GiB")
    text = (dataset.lane_column, *dataset.categories)
    with pd.ExcelFile(path, engine="openpyxl") as book:
        names = [str(name).strip() for name in pd.read_excel(book, header=None, nrows=1, dtype=str).iloc[0]]
        as_text = [place for place, name in enumerate(names) if name in text]
        texts: dict[Any, Any] = dict.fromkeys(as_text, str)
        empty: dict[str | int, Sequence[str]] = {place: _EMPTY for place in range(len(names)) if place not in as_text}
        frame = pd.read_excel(book, dtype=texts, keep_default_na=False, na_values=empty)
        sheets = [str(name) for name in book.sheet_names]
    told = f"{path.name}: the sheet '{sheets[0]}' is read; left out: {', '.join(sheets[1:])}"
    return Table(frame, notes=(told,) if len(sheets) > 1 else ())


def _unpack(path: Path, ending: str) -> bytes:
    if ending in _TEXTS:
        return path.read_bytes()
    if ending == ".csv.gz":
        with gzip.open(path) as packed:
            return _read_bounded(packed.read)
    with zipfile.ZipFile(path) as archive:
        inside = [
            each for each in archive.infolist() if not each.is_dir() and not each.filename.startswith("__MACOSX/")
        ]
        if len(inside) != 1:
            raise ValueError(f"it holds {len(inside)} files, and must hold one CSV")
        if not inside[0].filename.lower().endswith(_TEXTS):
            raise ValueError(f"it holds {inside[0].filename!r}, and must hold one CSV")
        with archive.open(inside[0]) as file:
            return _read_bounded(file.read)


def _read_bounded(read: Callable[[int], bytes]) -> bytes:
    content = read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise ValueError(f"it unpacks to more than {_LARGEST >> 30} GiB")
    return content


def _read_csv(content: bytes, dataset: DatasetConfig, path: Path) -> Table:
    encoding = find_encoding(content, dataset.encoding)
    notes: tuple[str, ...] = ()
    separator = {"tab": "\t", "\\t": "\t"}.get(dataset.separator or "", dataset.separator)
    if separator is None:
        separator = _find_separator(content[:_SNIFFED].decode(encoding, errors="ignore"), path)
        if separator != ",":
            notes = (f"{path.name}: cells are separated by {_show(separator)}, as its first rows show",)

    def read(**how: object) -> pd.DataFrame:
        return pd.read_csv(io.BytesIO(content), encoding=encoding, sep=separator, **how)  # type: ignore[call-overload]

    header = read(header=None, nrows=1, dtype=str)
    names = [str(name).strip() for name in header.iloc[0]]
    if _looks_like_data(names):
        notes += (
            f"{path.name}: its first line, {', '.join(names)}, is taken for the names of the columns, but looks like "
            "data; if it is, put a line with names before it",
        )
    text = (dataset.lane_column, dataset.time_column, *dataset.categories)
    as_text = {place for place, name in enumerate(names) if name in text}
    plain = separator == "," and dataset.decimal in (None, ".") and dataset.thousands is None
    try:
        frame = read(
            dtype={place: str for place in range(len(names)) if place in as_text or not plain},
            keep_default_na=False,
            na_values={place: _EMPTY for place in range(len(names)) if place not in as_text},  # a name may be NA
        )
        if not isinstance(frame.index, pd.RangeIndex):  # pandas takes the surplus cells for row labels
            raise ValueError("its rows have more cells than its header has names")
    except ValueError as error:
        if not names[0].startswith("#"):
            raise
        raise ValueError(f"{str(error).strip()}; its first line begins with #: delete comments before it") from error
    if len(header.columns) == len(frame.columns):
        # pandas renames a repeated column, and the wrong one would be used.
        frame.columns = header.iloc[0].where(header.iloc[0].notna().to_numpy(), frame.columns)
    return Table(frame, separator, notes)


def _looks_like_data(names: Sequence[str]) -> bool:
    """Return whether a header is missing: every cell is a date or a number, and they do not just count the columns."""
    numbers = pd.to_numeric(pd.Series(names, dtype=str), errors="coerce")
    if numbers.notna().all():
        return not (numbers.diff().iloc[1:] == 1).all() or len(names) == 1
    return bool(pd.Series(names, dtype=str)[numbers.isna()].str.fullmatch(_DATE).all()) and bool(numbers.notna().any())


def find_encoding(start: bytes, asked: str | None) -> str:
    """Return how a CSV is encoded: as dataset.encoding says, or a byte-order mark in its first bytes, else UTF-8."""
    return asked or next((name for mark, name in _MARKS.items() if start.startswith(mark)), "utf-8")


def _find_separator(text: str, path: Path) -> str:
    """Return what stands between cells: what cuts the first rows into equally many, a comma if nothing does."""
    lines = [line for line in text.splitlines()[:-1] or text.splitlines() if line.strip()][:20]
    found = []
    for separator in _SEPARATORS:
        try:
            widths = {len(cells) for cells in csv.reader(lines, delimiter=separator) if cells}
        except csv.Error:
            continue
        if len(widths) == 1 and widths.pop() > 1:
            found.append(separator)
    if "," in found or not found:
        return ","
    if len(found) > 1:
        keys = " or ".join(show_setting("dataset.separator", "tab" if each == "\t" else each) for each in found)
        raise UserError(f"{path}: cells could be separated by {' or '.join(map(_show, found))}; set {keys}")
    return found[0]


def _show(separator: str) -> str:
    return "tabs" if separator == "\t" else f"'{separator}'"


def _read_parquet(path: Path) -> pd.DataFrame:
    frame = pd.read_parquet(path)
    return frame if isinstance(frame.index, pd.RangeIndex) else frame.reset_index()
