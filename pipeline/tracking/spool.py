"""Records of runs that ended while their store did not answer: kept in a folder, and logged when it is back.

spool/<run id>/record.jsonl     which run of which store it is, then every step in order, the last one its end
spool/<run id>/003/files        what a step needs
spool/.<run id>/                the same while the run goes on; of no use when its process dies
"""

import fcntl
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from mlflow.entities import Run

from pipeline.base.record import HASH_TAG, REASON_TAG, Status
from pipeline.base.salvage import describe_error
from pipeline.tracking.heartbeat import PROCESS_TAG, has_ended, is_gone, process_name
from pipeline.tracking.outage import describe_outage
from pipeline.tracking.steps import Step, read_step, take_step, write_step
from pipeline.tracking.store import Store, ask_store, search_runs

log = logging.getLogger(__name__)

_RECORD = "record.jsonl"


class Spool:
    """Keeps what one run would log, from the moment at which its store does not answer.

    Args:
        store: Where the run is.
        run_id: The run.
    """

    def __init__(self, store: Store, run_id: str) -> None:
        self._store, self._run_id = store, run_id
        self._unfinished = store.spool / f".{run_id}"
        self._is_open, self._num_steps = False, 0

    @property
    def is_open(self) -> bool:
        """Whether everything is kept from now on."""
        return self._is_open

    def open(self) -> None:
        """Begin to keep what is logged."""
        shutil.rmtree(self._unfinished, ignore_errors=True)
        self._unfinished.mkdir(parents=True)
        header = {"store": self._store.shown, "run_id": self._run_id, "process": process_name()}
        (self._unfinished / _RECORD).write_text(f"{json.dumps(header)}\n")
        self._is_open = True

    def add(self, step: Step) -> None:
        """Keep one step; what it needs is copied."""
        self._num_steps += 1
        line = write_step(step, self._unfinished, self._num_steps)
        with (self._unfinished / _RECORD).open("a") as file:
            file.write(f"{line}\n")

    def close(self) -> None:
        """The last step was kept: from now on the next training may log all of them."""
        with (self._unfinished / _RECORD).open() as file:
            os.fsync(file.fileno())
        self._unfinished.rename(self._store.spool / self._run_id)


def log_spool(store: Store, tell: Callable[[str], None] = log.warning) -> str | None:
    """Log every record that was kept for a store, each once, and remove it.

    Args:
        store: Where they go; a record of another store is left alone.
        tell: Told of each record, and of what could not be logged.

    Returns:
        What keeps the records of finished runs from being logged, as a sentence; None if none is left.
    """
    kept = list(_records(store, tell))
    if not kept:
        return None
    reason = ask_store(store)
    left = 0
    for path in kept:
        if reason is None:
            try:
                _log_once(store, path, tell)
                continue
            except Exception as error:
                reason = describe_outage(error)
                if reason is None:
                    tell(f"the record in {path.parent} cannot be logged: {describe_error(error)}")
        left += 1
    if not left:
        return None
    why = f": {reason}" if reason is not None else ""
    return (
        f"the records of {left} ended run(s) are kept in {store.spool}, because the MLflow store {store.shown} "
        f"does not take them{why}; the next training on it logs them: repeat the command with resume=true"
    )


def _records(store: Store, tell: Callable[[str], None]) -> Iterator[Path]:
    """Give the record of each ended run of a store; what a killed process left half written is removed."""
    for path in sorted(store.spool.glob(f"*/{_RECORD}")):
        header = _read_header(path)
        if header is None:
            tell(f"{path} is no record of a run; remove it")
            continue
        if header.get("store") != store.shown:
            continue
        if not path.parent.name.startswith("."):
            yield path
        elif is_gone(header["process"]):
            shutil.rmtree(path.parent, ignore_errors=True)
            tell(f"run {header['run_id']} was killed before it ended: what was kept of it is removed")


def _read_header(path: Path) -> dict[str, str] | None:
    """Return which run of which store a record is; None if it cannot be read, as where the disk was full."""
    try:
        with path.open() as file:
            header = json.loads(file.readline() or "{}")
    except (OSError, ValueError):
        return None
    return header if isinstance(header, dict) else None


def _log_once(store: Store, path: Path, tell: Callable[[str], None]) -> None:
    """Log a record and remove it, unless another process does, or has done so."""
    try:
        file = path.open()
    except FileNotFoundError:
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        if path.exists():
            tell(_log_record(store, path.parent, file.read().splitlines()))
            shutil.rmtree(path.parent)


def _log_record(store: Store, folder: Path, lines: list[str]) -> str:
    """Log a record, and say so; a run whose configuration was trained again meanwhile does not count as finished."""
    run_id = folder.name
    steps = [read_step(line, folder) for line in lines[1:]]
    run, ending = store.client.get_run(run_id), steps[-1]
    if run.info.status == Status.finished.value:
        return f"the record of run {run_id} was logged before: it is removed"
    for step in steps[:-1]:
        take_step(store, run_id, step)
    if ending.values == Status.finished.value:
        if (reason := _find_other(store, run)) is not None:
            store.client.set_tag(run_id, REASON_TAG, reason)
            store.client.set_terminated(run_id, Status.killed.value)
            return f"the record of run {run_id} is logged as KILLED: {reason}"
        if REASON_TAG in run.data.tags:  # another machine took it for dead
            store.client.delete_tag(run_id, REASON_TAG)
    take_step(store, run_id, ending)
    return f"run {run_id}, whose record was kept while the store did not answer, is logged: {ending.values}"


def _find_other(store: Store, run: Run) -> str | None:
    """Say which run of another process trained the same configuration after a run began, or trains it now."""
    if HASH_TAG not in run.data.tags:
        return None
    same = f"tags.{HASH_TAG} = '{run.data.tags[HASH_TAG]}' and attributes.start_time > {run.info.start_time}"
    for other in search_runs(store, same, run.info.experiment_id):
        status, tags = other.info.status, other.data.tags
        if status == Status.finished.value:
            return f"run {other.info.run_id} trained the same while the store did not answer"
        if status == Status.running.value and tags.get(PROCESS_TAG) != process_name() and not has_ended(tags):
            return f"run {other.info.run_id} trains the same, since this one was taken for dead"
    return None
