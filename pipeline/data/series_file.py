"""Series as bytes that another process reads: plain arrays and JSON, nothing in which can be executed.

A npz with, for series 0, 1, ...: `times_0`, `values_0`, `filled_0`, `beyond_0`; and `about`, JSON of their keys and all
else.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, fields, replace
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd

from pipeline.data.dates import TimeReading
from pipeline.data.series import Series
from pipeline.data.spelling import Spelling

_ARRAYS = ("timestamps", "values", "filled", "beyond")
_LEFT_OUT = (*_ARRAYS, "steps", "panel")  # a part of a panel has these from it


def write_series(series: Mapping[str, Series]) -> bytes:
    """Write series under their keys."""
    arrays: dict[str, np.ndarray] = {}
    about = []
    for number, (key, each) in enumerate(series.items()):
        times, index = _write_index(each.timestamps)
        arrays |= {f"times_{number}": times, f"values_{number}": each.values, f"filled_{number}": each.filled}
        arrays |= {f"beyond_{number}": each.beyond}
        plain = {name: value for name, value in asdict(_without_rows(each)).items() if name not in _LEFT_OUT}
        about.append({"key": key, "index": index, "plain": plain})
    file = BytesIO()
    text = np.frombuffer(json.dumps(about).encode(), np.uint8)
    np.savez(file, allow_pickle=False, about=text, **arrays)
    return file.getvalue()


def read_series(written: bytes) -> dict[str, Series]:
    """Read what `write_series` wrote."""
    with np.load(BytesIO(written), allow_pickle=False) as file:
        return {
            each["key"]: Series(
                timestamps=_read_index(file[f"times_{number}"], each["index"]),
                values=file[f"values_{number}"],
                filled=file[f"filled_{number}"],
                beyond=file[f"beyond_{number}"],
                **_read_plain(each["plain"]),
            )
            for number, each in enumerate(json.loads(file["about"].tobytes()))
        }


def _without_rows(series: Series) -> Series:
    """Return all but the rows, which `asdict` would copy."""
    nothing = np.empty(0)
    empty = replace(series, timestamps=pd.Index([]), values=nothing, filled=nothing.astype(bool), beyond=nothing)
    return replace(empty, steps=None, panel=None)


def _read_plain(plain: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"spelling": Spelling(**plain["spelling"]), "reading": TimeReading(**plain["reading"])}
    made["levels"] = tuple((name, tuple(values)) for name, values in plain["levels"])
    names = [field.name for field in fields(Series) if field.name not in (*_LEFT_OUT, *made)]
    return made | {name: tuple(plain[name]) if isinstance(plain[name], list) else plain[name] for name in names}


def _write_index(index: pd.Index) -> tuple[np.ndarray, dict[str, Any]]:
    """Return the labels as numbers, and how to make labels of them."""
    about: dict[str, Any] = {"name": index.name}
    if isinstance(index, pd.DatetimeIndex):
        zone = None if index.tz is None else str(index.tz)
        return index.asi8, about | {"unit": index.unit, "zone": zone, "frequency": index.freqstr}
    if isinstance(index, pd.RangeIndex):
        return np.array([index.start, index.stop, index.step]), about | {"range": True}
    return index.to_numpy(), about


def _read_index(times: np.ndarray, about: Mapping[str, Any]) -> pd.Index:
    if "unit" in about:
        index = pd.DatetimeIndex(times.view(f"M8[{about['unit']}]"), name=about["name"])
        if about["zone"] is not None:
            index = index.tz_localize("UTC").tz_convert(about["zone"])
        return pd.DatetimeIndex(index, freq=about["frequency"])
    if "range" in about:
        start, stop, step = times.tolist()
        return pd.RangeIndex(start, stop, step, name=about["name"])
    return pd.Index(times, name=about["name"])
