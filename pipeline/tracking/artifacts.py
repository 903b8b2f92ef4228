"""The files of many runs: read where they are when they are on this machine, else downloaded side by side."""

import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import cast
from zipfile import BadZipFile, ZipFile

from mlflow.exceptions import MlflowException

from pipeline.base.errors import TrainingError, UserError
from pipeline.base.record import LoggedRun
from pipeline.tracking.bucket import ask_bucket, check_bucket
from pipeline.tracking.database import artifact_folder, database_path, local_path
from pipeline.tracking.outage import describe_outage
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
    store: Store,
    runs: Sequence[LoggedRun],
    names: Sequence[str],
    read: Callable[[Path], object],
    tell: Callable[[str], None] | None,
) -> Iterator[dict[str, Path]]:
    """Give a folder for each run whose file can be read, as `run_folders`, by the id of the run.

    Args:
        store: Where the runs are.
        runs: Any runs.
        names: The files that are wanted, the best first.
        read: Reads all of the first of them that a folder has.
        tell: Told of each run that is left out because its file is missing or damaged; None refuses such a run.

    Raises:
        UserError: If tell is None, and a run has none of the files, or a damaged one.
    """

    def locate(run: LoggedRun) -> Path | _UnusableRunError:
        try:
            return _folder(store, run, names, Path(downloads))
        except _UnusableRunError as error:
            return error

    with TemporaryDirectory() as downloads, ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        # Threads wait for a server at the same time; where files are read from the disk they wait for each other.
        at_once = map if all(local_path(run.artifact_uri) for run in runs) else pool.map
        whole = {}
        for run, found in zip(runs, at_once(locate, runs), strict=True):
            error = found if isinstance(found, _UnusableRunError) else _try_to_read(run, found, names, read)
            if error is None:
                whole[run.record.run_id] = cast(Path, found)
            elif tell is None:
                raise error
            else:
                tell(f"{error.fact}; it is left out")
        yield whole


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
    check_bucket(run.artifact_uri)
    for name in names:
        try:
            store.client.download_artifacts(run.record.run_id, name, str(target))
            return target
        except (MlflowException, OSError) as error:
            refuse_outage(error, run.artifact_uri)
    raise _missing(run, names)


def refuse_outage(error: Exception, uri: str) -> None:
    """Tell files that cannot be had now from files that are not there.

    Args:
        error: Of a download.
        uri: Where the files of the run lie.

    Raises:
        TrainingError: If they cannot be had now; MLflow says nothing about it of files in S3.
    """
    reason = describe_outage(error) or ask_bucket(uri)
    if reason is not None:
        raise TrainingError(f"the MLflow store does not answer: {reason}") from error


def local_folder(store: Store, run_id: str, uri: str) -> Path | None:
    """Return the folder of a run's files, None for what a server or a cloud keeps.

    MLflow records the whole path of the day of the training. Beside the database, where the files of a folder that was
    moved or copied lie, is looked first.
    """
    recorded = local_path(uri)
    database = database_path(store.uri)
    if recorded is None or database is None:
        return recorded
    root = _resolved_root(database)
    beside = root / run_id / recorded.name
    return beside if beside.is_dir() and beside.resolve().is_relative_to(root) else recorded


@lru_cache(maxsize=8)
def _resolved_root(database: Path) -> Path:
    return artifact_folder(database).resolve()


def _missing(run: LoggedRun, names: Sequence[str]) -> _UnusableRunError:
    return _UnusableRunError(f"run {run.record.run_id} has no artifact {' or '.join(names)} in {run.artifact_uri}")


def _try_to_read(
    run: LoggedRun, folder: Path, names: Sequence[str], read: Callable[[Path], object]
) -> _UnusableRunError | None:
    try:
        read(folder)
    except (*_DAMAGED, LookupError):  # LookupError: a file that lacks a part
        name = next(name for name in names if (folder / name).is_file())
        return _UnusableRunError(f"run {run.record.run_id} has a damaged artifact {name} in {run.artifact_uri}")
    return None
