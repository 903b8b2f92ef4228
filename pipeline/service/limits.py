"""What stands before every request: who may ask, how much may be sent, how long it may take."""

import asyncio
import hmac
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from pipeline.service.replies import Refused, refuse

# For those who look whether the service lives, and know no token; the page asks people for it, and holds no data.
_OPEN = ("/health", "/ready", "/")
_SECONDS_TO_SEND = 30.0  # that a client may take for its body


@dataclass(frozen=True)
class Limits:
    """What is allowed.

    Attributes:
        token: That clients must have; None: anyone who reaches the port.
        hosts: Names by which the service may be asked: a page from elsewhere cannot reach it by a name of its own, nor
            by this one. Empty: all.
        body: Bytes of a request.
        rows: Of a request.
    """

    token: str | None = None
    hosts: frozenset[str] = frozenset()
    body: int = 4 << 20
    rows: int = 10_000


class Gate:
    """Passes on what is allowed, as an ASGI application around another.

    Args:
        app: The other one.
        limits: What is allowed.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if self._limits.hosts and _host(headers.get("host", "")) not in self._limits.hosts:
            await refuse(Refused(421, "host", "this service is not asked by that name"))(scope, receive, send)
        elif self._limits.hosts and _is_foreign(headers):
            await refuse(Refused(403, "origin", "a page of another address may not ask this service"))(
                scope, receive, send
            )
        elif self._limits.token is not None and scope["path"] not in _OPEN and not self._has_token(headers):
            refusal = Refused(401, "token", "send the header 'Authorization: Bearer TOKEN' with this service's token")
            await refuse(refusal, {"WWW-Authenticate": "Bearer"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _has_token(self, headers: Headers) -> bool:
        kind, _, given = headers.get("authorization", "").partition(" ")
        return kind.lower() == "bearer" and hmac.compare_digest(
            given.strip().encode("latin-1"), (self._limits.token or "").encode()
        )


def _is_foreign(headers: Headers) -> bool:
    """Return whether a page from elsewhere asks: a browser lets it send rows, though not read the answer."""
    origin = headers.get("origin")
    return origin is not None and origin.partition("://")[2] != headers.get("host", "")


def _host(header: str) -> str:
    """Return the name in a Host header, without its port."""
    if header.startswith("["):
        return header.partition("]")[0].removeprefix("[")
    return header.partition(":")[0].lower()


async def read_body(scope: Scope, receive: Receive, most: int) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: If it is too long, or does not come.
    """
    announced = Headers(scope=scope).get("content-length", "0")
    too_long = Refused(413, "size", f"the body is longer than {most} bytes; send it in parts, or raise body=")
    if not announced.isdecimal() or int(announced) > most:
        raise too_long
    chunks, size = [], 0
    try:
        async with asyncio.timeout(_SECONDS_TO_SEND):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunks.append(message.get("body", b""))
                size += len(chunks[-1])
                if size > most:
                    raise too_long
                if not message.get("more_body", False):
                    return b"".join(chunks)
    except TimeoutError:
        raise Refused(408, "timeout", f"the body did not come within {_SECONDS_TO_SEND:.0f} seconds") from None
