"""A run while it goes on: what it logs, and how it ends."""

import json
import logging
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import RunStatus
from mlflow.models import ModelSignature
from mlflow.tracking.context.registry import resolve_tags
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from pipeline.base.errors import TakenOverError
from pipeline.base.interrupt import hold_interrupts, interrupt_reason
from pipeline.base.record import REASON_TAG, Status
from pipeline.base.salvage import INCOMPLETE_TAG
from pipeline.base.text import hide_password
from pipeline.tracking.heartbeat import beating, life_tags
from pipeline.tracking.names import LONGEST_NAME, escape_name, shorten_value, split_value, tags_of_long
from pipeline.tracking.outage import describe_outage
from pipeline.tracking.spool import Spool, log_spool
from pipeline.tracking.steps import Step, take_step
from pipeline.tracking.store import Store, ask_store

log = logging.getLogger(__name__)

_ANY = AnyType()  # type: ignore[no-untyped-call]  # dates and numbers may be written in many ways


class LiveRun:
    """Logs to one MLflow run that goes on.

    Args:
        store: Where the run is.
        run_id: The run.
        spool: Keeps what the store does not take because it does not answer; None: that is an error.
    """

    def __init__(self, store: Store, run_id: str, spool: Spool | None = None) -> None:
        self._store, self._spool = store, spool
        self.run_id = run_id
        self._final: list[tuple[str, float, int, int]] = []

    def log_params(self, params: Mapping[str, str]) -> None:
        """Log the configuration."""
        self._take(Step("params", {key: shorten_value(value) for key, value in params.items()}))

    def log_metrics(self, final: Mapping[str, float], per_epoch: Mapping[str, Sequence[float]]) -> None:
        """Log final metrics, and per-epoch metrics with the epoch (from 1) as step, in as few calls as possible."""
        now = int(time.time() * 1000)
        if long := tags_of_long(final):
            self.set_tags(long)
        rows = [(escape_name(name), float(value), now, 0) for name, value in final.items()]
        self._final += rows
        for name, values in per_epoch.items():
            rows += [(name, float(value), now, epoch + 1) for epoch, value in enumerate(values)]
        self._take(Step("metrics", rows))

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags that are known only while the run goes on."""
        self._take(Step("tags", {key: shorten_value(value) for key, value in tags.items()}))

    def log_dataset(self, frame: pd.DataFrame, name: str, digest: str, targets: Sequence[str]) -> None:
        """Log the series as the run's dataset, named by its digest."""
        target = targets[0] if len(targets) == 1 else None  # MLflow knows one target column or none
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "integer columns cannot represent missing values"
            dataset = from_pandas(frame, name=shorten_value(name, LONGEST_NAME), digest=digest[:36], targets=target)
            self._take(Step("dataset", dataset.to_dict()))

    def log_folder(self, folder: Path) -> None:
        """Log every file of a folder as an artifact."""
        self._take(Step("files", path=folder))

    def log_file(self, path: Path) -> None:
        """Log one file as an artifact."""
        self._take(Step("files", path=path))

    def log_model(self, folder: Path, columns: Sequence[str]) -> None:
        """Log a folder of plain files as an MLflow model that `mlflow models serve` can serve, with the final metrics.

        Args:
            folder: As `pipeline.serving.packed.pack_model` writes it; it must outlast the call only.
            columns: What a table of raw rows must have.
        """
        signature = ModelSignature(Schema([ColSpec(_ANY, name) for name in columns]))
        values = {"signature": signature.to_dict(), "requirements": _requirements(), "metrics": self._final}
        self._take(Step("model", values, folder))

    def end(self, ending: str) -> None:
        """End the run; what the store has not taken is kept for the next training.

        Args:
            ending: FINISHED, FAILED or KILLED.
        """
        step = Step("end", ending)
        self._take(step)
        if self._spool is not None and self._spool.is_open:
            self._spool.close()
            if (kept := log_spool(self._store)) is not None:
                log.warning("%s", kept)

    def check_open(self) -> None:
        """Check that nobody has closed the run; where the store does not answer, that is seen when it is back.

        Raises:
            TakenOverError: If somebody has.
        """
        if self._spool is None or self._spool.is_open:
            return
        try:
            status = self._store.client.get_run(self.run_id).info.status
        except Exception as error:
            self._keep(error, self._spool)
            return
        if status != RunStatus.to_string(RunStatus.RUNNING):
            raise TakenOverError(
                f"run {self.run_id} was closed as {status} by another process, which took this one for dead; its job "
                "may be trained elsewhere, and resume=true trains what is missing"
            )

    def keep_from_now(self) -> None:
        """Ask a store that does not answer no more: for a run that is interrupted, minutes are too long."""
        if self._spool is not None and not self._spool.is_open and ask_store(self._store) is not None:
            self._spool.open()

    def _take(self, step: Step) -> None:
        """Log one thing now, or, from the moment at which the store does not answer, later."""
        if self._spool is None or not self._spool.is_open:
            try:
                return take_step(self._store, self.run_id, step)
            except Exception as error:
                if self._spool is None:
                    raise
                self._keep(error, self._spool)
        self._spool.add(step)

    def _keep(self, error: Exception, spool: Spool) -> None:
        """Keep what is logged from now on, if the store does not answer; raise any other error."""
        reason = describe_outage(error)
        if reason is None:
            raise error
        log.warning("the MLflow store does not answer: what run %s logs is kept: %s", self.run_id, reason)
        spool.open()


def _requirements() -> list[str]:
    found = []
    for package in ("lstm-pipeline", "mlflow", "numpy", "pandas", "hydra-core"):
        with suppress(PackageNotFoundError):
            found.append(f"{package}=={version(package)}")
    return found


@contextmanager
def track_run(
    store: Store, name: str, params: Mapping[str, str], tags: Mapping[str, str], parent_run_id: str | None
) -> Iterator[LiveRun]:
    """Open a run, and close it as what happened: FINISHED, FAILED with its reason, or KILLED when interrupted.

    Where the store does not answer at its end, its record is kept, and logged by the next training on the store.

    Raises:
        TakenOverError: If another process closed it meanwhile: it stays as it is, and may be trained elsewhere.
    """
    parent = {"sweep_id": parent_run_id, MLFLOW_PARENT_RUN_ID: parent_run_id} if parent_run_id is not None else {}
    run, ending = None, RunStatus.FAILED
    try:
        with hold_interrupts():
            created = store.client.create_run(
                store.experiment_id,
                run_name=shorten_value(name, LONGEST_NAME),
                tags=resolve_tags({**tags, **parent, **life_tags()}),
            )
            run = LiveRun(store, created.info.run_id, Spool(store, created.info.run_id))
        run.log_params(params)
        with beating(store, run.run_id):
            yield run
        run.check_open()
        ending = RunStatus.FINISHED
    except TakenOverError:
        ending = RunStatus.KILLED  # with the reason of whoever closed it
        raise
    except KeyboardInterrupt:
        ending = RunStatus.KILLED
        _tag_reason(run, interrupt_reason(), "KeyboardInterrupt")
        raise
    except BaseException as error:
        _tag_reason(run, str(error).strip(), type(error).__name__)
        raise
    finally:
        if run is not None:
            _end(run, ending)


def _end(run: LiveRun, ending: int) -> None:
    """End a run. Only FINISHED must succeed: any other ending, where the disk is full, is found later."""
    with hold_interrupts(), nullcontext() if ending == RunStatus.FINISHED else suppress(Exception):
        run.end(RunStatus.to_string(ending))


def _tag_reason(run: LiveRun | None, reason: str, kind: str) -> None:
    """Note why a run ended, if that can be written; what ended it must not be hidden by a second error."""
    if run is not None:
        with hold_interrupts(), suppress(Exception):
            run.keep_from_now()
            run.set_tags({REASON_TAG: (reason or kind)[:5000], "error_type": kind})


def open_parent(store: Store, name: str, command: Sequence[str], kind: str = "sweep") -> str:
    """Create the parent run of a sweep, or of a search, and return its id."""
    told = json.dumps([hide_password(word) for word in command])
    tags = {kind: "true", **life_tags()} | split_value("command", told)
    shown = shorten_value(hide_password(name), LONGEST_NAME)
    run = store.client.create_run(store.experiment_id, run_name=shown, tags=tags)
    parent_run_id = str(run.info.run_id)
    store.client.set_tag(parent_run_id, "sweep_id", parent_run_id)
    return parent_run_id


def note_incomplete(store: Store, run_id: str, lost: Sequence[str]) -> None:
    """Tag a run with the names of what could not be made."""
    store.client.set_tag(run_id, INCOMPLETE_TAG, shorten_value(", ".join(lost)))


def close_parent(store: Store, parent_run_id: str, ending: str) -> None:
    """End the parent run of a sweep or a search as FINISHED, FAILED or KILLED."""
    run = LiveRun(store, parent_run_id, Spool(store, parent_run_id))
    with hold_interrupts():
        if ending == Status.killed.value:
            run.keep_from_now()
        run.end(ending)
