"""Answers of the service, and refusals: a status, and one sentence in JSON."""

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

JSON = "application/json"
CSV = "text/csv"


class Refused(Exception):
    """A request that is not served.

    Attributes:
        status: HTTP's.
        reason: As metrics count it.
        text: What is said to the client.
    """

    def __init__(self, status: int, reason: str, text: str) -> None:
        super().__init__(text)
        self.status, self.reason, self.text = status, reason, text


def refuse(refused: Refused, headers: Mapping[str, str] | None = None) -> Response:
    """Return what its client gets."""
    return answer_json({"error": refused.text}, refused.status, headers)


def answer_json(value: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON document; a number that is none must have become None before."""
    return Response(write_json(value), status, dict(headers or {}), JSON)


def write_json(value: Mapping[str, Any]) -> bytes:
    """Return a JSON document without blanks, in ASCII."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"), ensure_ascii=True).encode()
