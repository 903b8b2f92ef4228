"""Names and values from outside, as MLflow takes them, and back again.

A metric's name may hold letters, digits, `_`, `-`, `.`, `:`, `/` and blanks, and 250 characters; ours have the names of
columns in them. Every other character, and `:` and `/`, is written as its number between colons.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping

LONGEST_NAME = 250
_LONG = "long_name."  # a tag: what a metric is called whose name is too long for MLflow
_LONGEST_VALUE = 6000  # of a parameter; a tag may have 8000
_ODD = re.compile(r"[^\w.\- ]")
_ESCAPED = re.compile(r":([0-9a-f]+):")


def escape_name(name: str) -> str:
    """Return a name that MLflow takes; two different names stay different.

    Example:
        >>> escape_name("test_rmse.T (degC)")
        'test_rmse.T :28:degC:29:'
    """
    escaped = _ODD.sub(lambda found: f":{ord(found[0]):x}:", name)
    return escaped if len(escaped) <= LONGEST_NAME else f"{escaped[:200]}:{_digest(name)}"


def tags_of_long(names: Iterable[str]) -> dict[str, str]:
    """Return the tags by which `unescape_name` finds back what `escape_name` had to cut."""
    return {f"{_LONG}{_digest(name)}": name for name in names if escape_name(name).endswith(f":{_digest(name)}")}


def unescape_name(escaped: str, tags: Mapping[str, str]) -> str:
    """Return the name that `escape_name` was given.

    Args:
        escaped: What it returned.
        tags: Of the run.

    Example:
        >>> unescape_name("test_rmse.T :28:degC:29:", {})
        'test_rmse.T (degC)'
    """
    long = tags.get(f"{_LONG}{escaped.rpartition(':')[2]}")
    if long is not None:
        return long
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), escaped)


def shorten_value(value: str, longest: int = _LONGEST_VALUE) -> str:
    """Return a value that MLflow takes; of two long ones that begin alike, each with a sign of its own.

    Example:
        >>> shorten_value("look_back=3"), shorten_value("a" * 99, longest=30)
        ('look_back=3', 'aaaaaaaaaaaaaaaaa…132844681d57')
    """
    return value if len(value) <= longest else f"{value[: longest - 13]}…{_digest(value)}"


def split_value(key: str, value: str) -> dict[str, str]:
    """Return a value that may not be cut as tags, each short enough: `command`, `command.1`, ..."""
    starts = range(0, max(len(value), 1), _LONGEST_VALUE)
    return {f"{key}.{number}" if number else key: value[at : at + _LONGEST_VALUE] for number, at in enumerate(starts)}


def join_value(key: str, tags: Mapping[str, str]) -> str:
    """Return what `split_value` split; empty where there is nothing.

    Example:
        >>> join_value("command", split_value("command", "a" * 20_000)) == "a" * 20_000
        True
    """
    parts = [tags.get(key, "")]
    while (part := tags.get(f"{key}.{len(parts)}")) is not None:
        parts.append(part)
    return "".join(parts)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
