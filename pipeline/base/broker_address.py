"""Addresses of streams that a broker keeps, as the keys of a command name them."""

from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit, urlunsplit

from pipeline.base.errors import UserError
from pipeline.base.text import hide_password

PASSWORD = "LSTM_PIPELINE_REDIS_PASSWORD"  # noqa: S105 - the name of the variable
_SCHEMES = ("redis", "rediss")
_WANTED = "write redis://HOST:PORT/DATABASE?stream=NAME"


@dataclass(frozen=True)
class Address:
    """Where a stream is.

    Attributes:
        shown: As it was written.
        server: The same without the stream.
        stream: Its name.
    """

    shown: str
    server: str
    stream: str


def read_address(key: str, text: str) -> Address:
    """Read redis://HOST:PORT/DATABASE?stream=NAME.

    Raises:
        UserError: If it is none; `key` is what it was given as.
    """
    parts = urlsplit(text)
    if parts.scheme not in _SCHEMES:
        raise UserError(f"{key}={text}: '{parts.scheme}' is none of {', '.join(_SCHEMES)}; {_WANTED}")
    if parts.password is not None:
        raise UserError(f"{key}={hide_password(text)}: a password in it shows in lists of processes; set {PASSWORD}")
    asked = parse_qs(parts.query, keep_blank_values=True)
    if unknown := sorted(asked.keys() - {"stream"}):
        raise UserError(f"{key}={text}: unknown '{unknown[0]}'; {_WANTED}")
    if not parts.hostname or [bool(name) for name in asked.get("stream", [])] != [True]:
        raise UserError(f"{key}={text} names no {'stream' if parts.hostname else 'server'}; {_WANTED}")
    return Address(text, urlunsplit((parts.scheme, parts.netloc, parts.path, "", "")), asked["stream"][0])
