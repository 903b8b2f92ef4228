"""What one lane remembers as JSON, to move it to another service of the same model."""

import base64
import binascii
import math
from typing import Any

import numpy as np

from pipeline.base.errors import UserError
from pipeline.service.bodies import BodyError, read_json
from pipeline.service.desk import Desk
from pipeline.serving.state_file import SavedState

_NAMES = ("model", "rows", "last", "arrays")


def write_state(desk: Desk, lane: str) -> dict[str, Any]:
    """Return what a lane remembers: plain numbers, each array as the bytes of its elements, little-endian, base64."""
    state = desk.remember_lane(lane)
    last = state.last[0]
    return {
        "model": desk.model.digest,
        "rows": state.rows[0],
        "last": None if math.isnan(last) else last,
        "arrays": [base64.b64encode(_plain(each).tobytes()).decode() for each in state.arrays],
    }


def read_state(desk: Desk, lane: str, body: bytes) -> SavedState:
    """Return what a lane shall remember.

    Raises:
        BodyError: If the body is no state.
        UserError: If it is one of another model.
    """
    found = read_json(body, *_NAMES)
    if found["model"] != desk.model.digest:
        raise UserError("the state belongs to another model; it can be put where the same run is served")
    rows, last = found["rows"], found["last"]
    if isinstance(rows, bool) or not isinstance(rows, int) or not 0 <= rows < 2**53:
        raise BodyError("'rows' must be a whole number that is not negative")
    if last is not None and (isinstance(last, bool) or not isinstance(last, int | float) or not math.isfinite(last)):
        raise BodyError("'last' must be a number or null")
    given, own = found["arrays"], desk.lane_arrays()
    if not isinstance(given, list) or len(given) != len(own) or not all(isinstance(each, str) for each in given):
        raise BodyError(f"'arrays' must be a list of {len(own)} texts")
    arrays = [_read(text, like) for text, like in zip(given, own, strict=True)]
    return SavedState([lane], [rows], [math.nan if last is None else float(last)], arrays)


def _plain(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("<"))


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
