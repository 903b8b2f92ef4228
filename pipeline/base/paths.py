"""Where the configuration and the packaged data lie, in a source tree and in an installed wheel."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pipeline.base.errors import UserError

_PACKAGE = Path(__file__).resolve().parents[1]


def conf_dir() -> Path:
    """Return the folder of the Hydra configuration.

    Returns:
        `conf/` beside the package in a source tree or editable install, `pipeline/conf/` in a wheel.

    Raises:
        FileNotFoundError: If the installation holds neither.
    """
    return _first_with("config.yaml", _PACKAGE.parent / "conf", _PACKAGE / "conf")


def data_dir() -> Path:
    """Return the folder of the packaged data files (`data/`, or `pipeline/data_files/` in a wheel)."""
    return _first_with("airline.csv", _PACKAGE.parent / "data", _PACKAGE / "data_files")


def home_dir() -> Path:
    """Return the folder that holds the tracking database by default.

    Returns:
        The repository root when the package runs from a source tree, so that a bare `mlflow ui` there shows
        every run; otherwise the working directory.
    """
    root = _PACKAGE.parent
    return root if (root / "conf" / "config.yaml").is_file() and (root / "pyproject.toml").is_file() else Path.cwd()


def _first_with(name: str, *folders: Path) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder
    looked = " or ".join(str(folder) for folder in folders)
    raise FileNotFoundError(f"{name} was not found in {looked}; reinstall lstm-pipeline")


def check_folder(key: str, path: Path) -> None:
    """Check that a file can be made before the work for it begins.

    Raises:
        UserError: If its folder does not exist; the text names the key that gave it.
    """
    if not path.absolute().parent.is_dir():
        raise UserError(f"{key}={path}: the folder {path.parent} is not there; create it first")


def check_state(path: Path) -> None:
    """Check that a state file can be read or made, before the work for it begins.

    Raises:
        UserError: If its folder does not exist or cannot be written to, or it is a folder itself.
    """
    check_folder("state", path)
    if path.is_dir():
        raise UserError(f"state={path} is a folder; name a file in it, for example state={path / 'lanes.npz'}")
    if not os.access(path.absolute().parent, os.W_OK):
        raise UserError(f"state={path} lies in a folder that cannot be written to; choose another one")


def check_output(folder: Path) -> None:
    """Check that a folder can be made, or is there and empty.

    Raises:
        UserError: If not.
    """
    if not folder.absolute().parent.is_dir():
        raise UserError(f"output={folder}: the folder {folder.parent} is not there; create it first")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"output={folder} is there and is not empty; name a new folder, nothing is overwritten")


@contextmanager
def replace_file(path: Path) -> Iterator[IO[bytes]]:
    """Write a file in one move: a reader, or a crash, finds the old file or the whole new one.

    Args:
        path: The file; its folder must exist.
    """
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def fill_folder(folder: Path) -> Iterator[Path]:
    """Fill a folder in one move: it is there as a whole, on the disk, or not at all.

    Args:
        folder: New or empty: see `check_output`.
    """
    unfinished = folder.absolute().with_name(f".{folder.absolute().name}.{os.getpid()}")
    unfinished.mkdir()
    try:
        yield unfinished
        for path in (*unfinished.iterdir(), unfinished):
            handle = os.open(path, os.O_RDONLY)
            os.fsync(handle)
            os.close(handle)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
