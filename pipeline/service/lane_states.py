"""What one lane remembers as JSON, to move it to another service of the same model."""

import base64
import binascii
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.base.errors import UserError
from pipeline.service.bodies import BodyError, read_json
from pipeline.service.desk import Desk
from pipeline.serving.state_file import SavedState

_NAMES = ("model", "rows", "last", "arrays")
_DRIFT = "drift"  # states of before there was any do not have it


def write_state(desk: Desk, lane: str) -> dict[str, Any]:
    """Return what a lane remembers: plain numbers, each array as the bytes of its elements, little-endian, base64."""
    state = desk.remember_lane(lane)
    last = state.last[0]
    return {
        "model": desk.model.digest,
        "rows": state.rows[0],
        "last": None if math.isnan(last) else last,
        "arrays": [_write(each) for each in state.arrays],
        "drift": [_write(each) for each in state.drift],
    }


def read_state(desk: Desk, lane: str, body: bytes) -> SavedState:
    """Return what a lane shall remember.

    Raises:
        BodyError: If the body is no state.
        UserError: If it is one of another model.
    """
    found = read_json(body, *_NAMES, optional=_DRIFT)
    if found["model"] != desk.model.digest:
        raise UserError("the state belongs to another model; it can be put where the same run is served")
    rows, last = found["rows"], found["last"]
    if isinstance(rows, bool) or not isinstance(rows, int) or not 0 <= rows < 2**53:
        raise BodyError("'rows' must be a whole number that is not negative")
    if last is not None and (isinstance(last, bool) or not isinstance(last, int | float) or not math.isfinite(last)):
        raise BodyError("'last' must be a number or null")
    arrays = _read_all("arrays", found["arrays"], desk.lane_arrays())
    drift = _read_all(_DRIFT, found[_DRIFT], desk.book.remember().drift) if found.get(_DRIFT) else []
    return SavedState([lane], [rows], [math.nan if last is None else float(last)], arrays, drift=drift)


def _write(array: np.ndarray) -> str:
    plain = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return base64.b64encode(plain.tobytes()).decode()


def _read_all(name: str, given: Any, own: Sequence[np.ndarray]) -> list[np.ndarray]:
    if not isinstance(given, list) or len(given) != len(own) or not all(isinstance(each, str) for each in given):
        raise BodyError(f"'{name}' must be a list of {len(own)} texts")
    return [_read(text, like) for text, like in zip(given, own, strict=True)]


def _read(text: str, like: np.ndarray) -> np.ndarray:
    shape = (1, *like.shape[1:])
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise BodyError("an array is no base64") from None
    kind = like.dtype.newbyteorder("<")
    if len(data) != kind.itemsize * math.prod(shape):
        raise UserError("the state does not have the shapes of this model")
    return np.frombuffer(data, kind).astype(like.dtype).reshape(shape)
