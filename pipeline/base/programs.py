"""Programs that XLA compiled, kept on disk for the next command, and what to do where they cannot be read or kept."""

import atexit
import errno
import hashlib
import os
import platform
import re
import shutil
import tempfile
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

_FLAGS = "TF_XLA_FLAGS"
_CACHE_FLAG = "--tf_xla_persistent_cache_directory"
_HANDLE = re.compile(rf"{_CACHE_FLAG}=/proc/(\d+)/fd/(\d+)")
_MOST_CACHED = 500_000_000  # bytes; a compiled training has about one million
_LARGE_PROGRAM = 4_000_000  # bytes
_FREE_NEEDED = 50_000_000  # bytes
_SECONDS_TO_WRITE = 3600
_CACHE_ERRORS = ("xla_compile_cache", "Serialized cache key does not match")
_AGAIN = "compiled programs could not be read or kept; they are forgotten and compiled again"


def keep_programs() -> None:
    """Let XLA keep compiled programs, unless the user told it where to, or the folder cannot be made or is full."""
    flags = os.environ.get(_FLAGS, "")
    if _own_handle() is None:
        flags = _HANDLE.sub("", flags).strip()  # inherited from a process that may have ended
        _set_flags(flags)
    if _CACHE_FLAG in flags:
        return
    with suppress(OSError, RuntimeError):  # no home folder, a read-only or a full one: then every run compiles
        folder = cache_folder()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_private(folder):
            return
        _forget_broken(folder)
        _forget_oldest(folder)
        _check_space(folder)
        _set_flags(f"{flags} {_CACHE_FLAG}={_open_folder(folder)}".strip())


def cache_folder() -> Path:
    """Return where compiled programs are kept: one folder per processor and version, in the user's cache folder.

    A program compiled for one processor may hold instructions that another one, with the same home folder, lacks.
    """
    base = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(base) if base.startswith("/") else Path.home() / ".cache"
    with suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        processor = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
        name = hashlib.sha256("\n".join(processor).encode()).hexdigest()[:12]
        return home / "lstm-pipeline" / f"xla-{version('tensorflow')}-{name}"
    return home / "lstm-pipeline" / f"xla-{version('tensorflow')}-{platform.processor() or platform.machine()}"


def kept_programs() -> Path | None:
    """Return the folder in which programs are kept now; None where nobody keeps them, or the user said where."""
    if (handle := _own_handle()) is not None:
        return Path(f"/proc/self/fd/{handle}")
    folder = cache_folder()
    return folder if f"{_CACHE_FLAG}={folder}" in os.environ.get(_FLAGS, "") else None


def forget_programs(reason: str) -> str | None:
    """Remove every compiled program if an error says that one could not be read or kept.

    XLA fails a training whose program it cannot keep, and keeps on keeping: where the folder is full, it is led to
    another one until this process ends.

    Args:
        reason: The text of an error of TensorFlow.

    Returns:
        What was done, for the person who waits; None where another try is not worth it.
    """
    handle = _own_handle()
    ours = handle is not None or f"{_CACHE_FLAG}={cache_folder()}" in os.environ.get(_FLAGS, "")
    if not ours or not any(sign in reason for sign in _CACHE_ERRORS):
        return None
    folder = cache_folder() if handle is None else Path(f"/proc/self/fd/{handle}").resolve()
    with suppress(OSError):
        for file in folder.iterdir():
            file.unlink(missing_ok=True)
    try:
        _check_space(folder)
    except OSError:
        place = None if handle is None else _lead_elsewhere(handle)
        if place is not None:
            return f"no space for compiled programs in {folder}; until this command ends they are kept in {place}"
    return _AGAIN


def _set_flags(flags: str) -> None:
    if flags:
        os.environ[_FLAGS] = flags
    else:
        os.environ.pop(_FLAGS, None)


def _own_handle() -> int | None:
    """Return the number of the open folder that XLA was told of, None if it was told of another one."""
    found = _HANDLE.search(os.environ.get(_FLAGS, ""))
    return int(found[2]) if found is not None and int(found[1]) == os.getpid() else None


def _open_folder(folder: Path) -> Path:
    """Return a name of a folder that can lead elsewhere later: XLA reads its flags once, but opens the name each time.

    Where a system has no names for what a process has open, it is the folder's own.
    """
    if not Path(f"/proc/{os.getpid()}/fd").is_dir():
        return folder
    return Path(f"/proc/{os.getpid()}/fd/{os.open(folder, os.O_RDONLY)}")


def _lead_elsewhere(handle: int) -> Path | None:
    """Let the open folder be a new one that has space, on another disk or in memory; it is removed when Python ends."""
    for find_parent in (tempfile.gettempdir, lambda: "/dev/shm"):  # noqa: S108 - mkdtemp
        with suppress(OSError):
            place = Path(tempfile.mkdtemp(prefix="lstm-pipeline-", dir=find_parent()))
            atexit.register(shutil.rmtree, place, ignore_errors=True)
            _check_space(place)
            opened = os.open(place, os.O_RDONLY)
            os.dup2(opened, handle, inheritable=False)
            os.close(opened)
            return place
    return None


def _is_private(folder: Path) -> bool:
    """What lies there is run: nobody else may have put it there."""
    found = folder.stat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o022


def _forget_broken(folder: Path) -> None:
    """Remove what a crash left: files half-written an hour ago or longer, and empty ones, which XLA refuses to read."""
    for file in folder.iterdir():
        found, being_written = file.stat(), file.suffix == ".tmp"
        if time.time() - found.st_mtime > _SECONDS_TO_WRITE if being_written else found.st_size == 0:
            file.unlink(missing_ok=True)


def _check_space(folder: Path) -> None:
    """Raise OSError if one more program does not fit: XLA would fail the training that it cannot keep."""
    if shutil.disk_usage(folder).free < _FREE_NEEDED:
        raise OSError(errno.ENOSPC, "no space to keep compiled programs", str(folder))
    with tempfile.TemporaryFile(dir=folder) as probe:  # a quota is met only by writing
        probe.write(bytes(_LARGE_PROGRAM))


def _forget_oldest(folder: Path) -> None:
    """Remove the programs that were compiled longest ago, until the rest fits."""
    kept = 0
    for file in sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime, reverse=True):
        kept += file.stat().st_size
        if kept > _MOST_CACHED:
            file.unlink(missing_ok=True)
