"""The files of many runs: read where they are when they are on this machine, else downloaded side by side."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import BadZipFile, ZipFile

from mlflow.exceptions import MlflowException

from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun
from pipeline.tracking.database import artifact_folder, database_path, local_path
from pipeline.tracking.store import Store

_DOWNLOADS_AT_ONCE = 16
# What a damaged zip raises, depending on the byte; RuntimeError: a flag that says it is encrypted.
_DAMAGED = (OSError, ValueError, EOFError, RuntimeError, BadZipFile, zlib.error)


class _UnusableRunError(UserError):
    """A file of a run is missing or damaged; `fact` says which."""

    def __init__(self, fact: str) -> None:
        super().__init__(f"{fact}; leave it out with runs=[...], or train it again")
        self.fact = fact


@contextmanager
def run_folders(store: Store, runs: Sequence[LoggedRun], names: Sequence[str]) -> Iterator[list[Path]]:
    """Give a folder for each run that holds its files, for as long as the block lasts.

    Args:
        store: Where the runs are.
        runs: Any runs.
        names: The files that are wanted, the best first: of a run whose files are elsewhere, the first that it has is
            downloaded.

    Raises:
        UserError: If a run has none of the files.
    """
    with TemporaryDirectory() as downloads, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        yield list(pool.map(lambda run: _folder(store, run, names, Path(downloads)), runs))


@contextmanager
def whole_folders(
    store: Store, runs: Sequence[LoggedRun], names: Sequence[str], tell: Callable[[str], None] | None
) -> Iterator[dict[str, Path]]:
    """Give a folder for each run whose file is whole, as `run_folders`, by the id of the run.

    Args:
        store: Where the runs are.
        runs: Any runs.
        names: The files that are wanted, the best first; the first that a run has must be whole.
        tell: Told of each run that is left out because its file is missing or damaged; None refuses such a run.

    Raises:
        UserError: If tell is None, and a run has none of the files, or a damaged one.
    """

    def look(run: LoggedRun) -> Path | _UnusableRunError:
        try:
            folder = _folder(store, run, names, Path(downloads))
            _check_whole(run, folder, names)
        except _UnusableRunError as error:
            if tell is None:
                raise
            return error
        return folder

    with TemporaryDirectory() as downloads, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        found = dict(zip([run.record.run_id for run in runs], pool.map(look, runs), strict=True))
        for error in found.values():
            if tell is not None and isinstance(error, _UnusableRunError):
                tell(f"{error.fact}; it is left out")
        yield {run_id: folder for run_id, folder in found.items() if isinstance(folder, Path)}


def log_folder(store: Store, run_id: str, folder: Path, name: str) -> None:
    """Log every file of a folder on a run.

    Args:
        store: Where the run is.
        run_id: The run; it may have ended.
        folder: The files.
        name: The folder of the run's artifacts that they go to.
    """
    store.client.log_artifacts(run_id, str(folder), name)


def missing_files(store: Store, run: LoggedRun, names: Sequence[str]) -> list[str]:
    """Return which files a run lacks: not there, empty, or an .npz whose checksums are wrong or that was cut off.

    Of a run whose files are elsewhere only their list is read.
    """
    local = local_folder(store, run.record.run_id, run.artifact_uri)
    if local is not None:
        return [name for name in names if not _is_whole(local / name)]
    there = {file.path for file in store.client.list_artifacts(run.record.run_id) if file.file_size != 0}
    return [name for name in names if name not in there]


def _is_whole(path: Path) -> bool:
    try:
        if path.suffix != ".npz":
            return path.stat().st_size > 0
        with ZipFile(path) as file:
            return file.testzip() is None
    except _DAMAGED:
        return False


def _folder(store: Store, run: LoggedRun, names: Sequence[str], downloads: Path) -> Path:
    local = local_folder(store, run.record.run_id, run.artifact_uri)
    if local is not None:
        if not any((local / name).is_file() for name in names):
            raise _missing(run, names)
        return local
    target = downloads / run.record.run_id
    target.mkdir(exist_ok=True)
    for name in names:
        try:
            store.client.download_artifacts(run.record.run_id, name, str(target))
            return target
        except (MlflowException, OSError):
            continue
    raise _missing(run, names)


def local_folder(store: Store, run_id: str, uri: str) -> Path | None:
    """Return the folder of a run's files, None for what a server or a cloud keeps.

    MLflow records the whole path of the day of the training. Beside the database, where the files of a folder that was
    moved or copied lie, is looked first.
    """
    recorded = local_path(uri)
    database = database_path(store.uri)
    if recorded is None or database is None:
        return recorded
    root = artifact_folder(database)
    beside = root / run_id / recorded.name
    return beside if beside.is_dir() and beside.resolve().is_relative_to(root.resolve()) else recorded


def _missing(run: LoggedRun, names: Sequence[str]) -> _UnusableRunError:
    return _UnusableRunError(f"run {run.record.run_id} has no artifact {' or '.join(names)} in {run.artifact_uri}")


def _check_whole(run: LoggedRun, folder: Path, names: Sequence[str]) -> None:
    name = next(name for name in names if (folder / name).is_file())
    if not _is_whole(folder / name):
        raise _UnusableRunError(f"run {run.record.run_id} has a damaged artifact {name} in {run.artifact_uri}")
