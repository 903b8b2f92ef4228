"""Traced programs, kept beside what XLA compiled of them: a repeated command traces none of them again, 0.5 s each."""

import hashlib
import os
from contextlib import suppress
from functools import cache
from pathlib import Path

from pipeline.base.programs import kept_programs

_DIGEST = hashlib.sha256().digest_size
_PACKAGE = Path(__file__).parents[1]


def read_trace(key: str) -> bytes | None:
    """Return the graph that was kept for a key by the very same version of this package; None if there is none.

    Args:
        key: What decides the graph; the device is part of it.
    """
    path = _find_path(key)
    if path is None:
        return None
    with suppress(OSError):
        digest, graph = (whole := path.read_bytes())[:_DIGEST], whole[_DIGEST:]
        if hashlib.sha256(graph).digest() == digest:
            return graph
        path.unlink()  # a power cut left half of it
    return None


def write_trace(key: str, graph: bytes) -> None:
    """Keep a graph for a key; where that cannot be written, it is traced again the next time."""
    path = _find_path(key)
    if path is None:
        return
    unfinished = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_bytes(hashlib.sha256(graph).digest() + graph)
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _find_path(key: str) -> Path | None:
    folder = kept_programs()
    return None if folder is None else folder / f"trace-{hashlib.sha256(_digest_sources() + key.encode()).hexdigest()}"


@cache  # 340 files, 20 ms
def _digest_sources() -> bytes:
    """Any line of this package may decide what is traced."""
    found = hashlib.sha256()
    for path in sorted(_PACKAGE.rglob("*.py")):
        found.update(f"{path.relative_to(_PACKAGE)}\0".encode() + path.read_bytes())
    return found.digest()
