"""Environment variables that must be set before TensorFlow or MLflow are imported."""

import errno
import hashlib
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import IO

_CACHE_FLAG = "--tf_xla_persistent_cache_directory"
_MOST_CACHED = 500_000_000  # bytes; a compiled training has about one million
_LARGE_PROGRAM = 4_000_000  # bytes
_FREE_NEEDED = 50_000_000  # bytes
_SECONDS_TO_WRITE = 3600
_CACHE_ERRORS = ("xla_compile_cache", "Serialized cache key does not match")


def prepare_environment() -> None:
    """Choose Keras' TensorFlow backend, and silence start-up chatter and telemetry unless the user set them."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    # Errors that matter come as exceptions; at level 2 XLA calls every file of its cache an error before it reads it.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Without oneDNN the order of additions is fixed, so the numbers repeat; for networks this small it is not slower.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    _keep_compiled_programs()


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


def _keep_compiled_programs() -> None:
    """Let XLA keep compiled programs, unless the user told it where to, or the folder cannot be made or is full."""
    flags = os.environ.get("TF_XLA_FLAGS", "")
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
        os.environ["TF_XLA_FLAGS"] = f"{flags} {_CACHE_FLAG}={folder}".strip()


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


def forget_programs(reason: str) -> bool:
    """Remove every compiled program if an error says that one could not be read or kept.

    Args:
        reason: The text of an error of TensorFlow.

    Returns:
        Whether it is worth another try.
    """
    if not any(sign in reason for sign in _CACHE_ERRORS) or _CACHE_FLAG not in os.environ.get("TF_XLA_FLAGS", ""):
        return False
    with suppress(OSError):
        for file in cache_folder().iterdir():
            file.unlink(missing_ok=True)
    return True


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


def _open_scratch() -> IO[bytes]:
    """Open a file that nobody sees; where the disk is full, one that keeps nothing."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("r+b")


@contextmanager
def hushed_stderr() -> Iterator[None]:
    """Keep what C++ libraries write to stderr off the screen while the block lasts; show it if the block raises."""
    sys.stderr.flush()
    saved = os.dup(2)
    with _open_scratch() as caught:
        os.dup2(caught.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            caught.seek(0)
            os.write(2, caught.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
