"""A run while it goes on: what it logs, and how it ends."""

import json
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import mlflow
import pandas as pd
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Metric, Param, RunStatus, RunTag
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from mlflow.types.schema import AnyType

from pipeline.base.errors import TakenOverError
from pipeline.base.interrupt import hold_interrupts, interrupt_reason
from pipeline.base.salvage import INCOMPLETE_TAG
from pipeline.base.text import hide_password
from pipeline.tracking.heartbeat import beating, life_tags
from pipeline.tracking.names import LONGEST_NAME, escape_name, shorten_value, split_value, tags_of_long
from pipeline.tracking.store import Store

REASON_TAG = "failure_reason"
_ANY = AnyType()  # type: ignore[no-untyped-call]  # dates and numbers may be written in many ways
_LOADER = "pipeline.serving.mlflow_model"
_METRICS_PER_CALL = 1000  # MLflow servers refuse larger batches
_PARAMS_PER_CALL = 100


class LiveRun:
    """Logs to one MLflow run that is active."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._client = store.client
        self.run_id = run_id

    def log_metrics(self, final: Mapping[str, float], per_epoch: Mapping[str, Sequence[float]]) -> None:
        """Log final metrics, and per-epoch metrics with the epoch (from 1) as step, in as few calls as possible."""
        now = int(time.time() * 1000)
        if long := tags_of_long(final):
            self.set_tags(long)
        rows = [Metric(escape_name(name), value, now, 0) for name, value in final.items()]
        for name, values in per_epoch.items():
            rows += [Metric(name, value, now, epoch + 1) for epoch, value in enumerate(values)]
        for first in range(0, len(rows), _METRICS_PER_CALL):
            self._client.log_batch(self.run_id, metrics=rows[first : first + _METRICS_PER_CALL])

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags that are known only while the run goes on."""
        self._client.log_batch(self.run_id, tags=[RunTag(key, shorten_value(value)) for key, value in tags.items()])

    def log_dataset(self, frame: pd.DataFrame, name: str, digest: str, targets: Sequence[str]) -> None:
        """Log the series as the run's dataset, named by its digest."""
        target = targets[0] if len(targets) == 1 else None  # MLflow knows one target column or none
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # "integer columns cannot represent missing values"
            mlflow.log_input(
                from_pandas(frame, name=shorten_value(name, LONGEST_NAME), digest=digest[:36], targets=target),
                context="training",
            )

    def log_folder(self, folder: Path) -> None:
        """Log every file of a folder as an artifact."""
        self._client.log_artifacts(self.run_id, str(folder))

    def log_file(self, path: Path) -> None:
        """Log one file as an artifact."""
        self._client.log_artifact(self.run_id, str(path))

    def log_model(self, folder: Path, columns: Sequence[str]) -> None:
        """Log a folder of plain files as an MLflow model that `mlflow models serve` can serve.

        Args:
            folder: As `pipeline.serving.packed.pack_model` writes it; it must outlast the call only.
            columns: What a table of raw rows must have.
        """
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*An input example was not provided", UserWarning)
            mlflow.pyfunc.log_model(
                name="model",
                loader_module=_LOADER,  # named, not pickled: what is loaded is this package and files of plain values
                data_path=str(folder),
                signature=ModelSignature(Schema([ColSpec(_ANY, name) for name in columns])),
                # Without this list MLflow starts a second Python that loads the model: seconds a run.
                pip_requirements=_requirements(),
            )


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

    Raises:
        TakenOverError: If another process closed it meanwhile: it stays as it is, and may be trained elsewhere.
    """
    sweep = {"sweep_id": parent_run_id} if parent_run_id is not None else {}
    run_id, ending = None, RunStatus.FAILED
    try:
        with hold_interrupts():
            active = mlflow.start_run(
                experiment_id=store.experiment_id,
                run_name=shorten_value(name, LONGEST_NAME),
                parent_run_id=parent_run_id,
                tags={**tags, **sweep, **life_tags()},
                log_system_metrics=False,
            )
            run_id = active.info.run_id
        rows = [Param(key, shorten_value(value)) for key, value in params.items()]
        for first in range(0, len(rows), _PARAMS_PER_CALL):
            store.client.log_batch(run_id, params=rows[first : first + _PARAMS_PER_CALL])
        with beating(store, run_id):
            yield LiveRun(store, run_id)
        _check_open(store, run_id)
        ending = RunStatus.FINISHED
    except TakenOverError:
        ending = RunStatus.KILLED  # with the reason of whoever closed it
        raise
    except KeyboardInterrupt:
        ending = RunStatus.KILLED
        _tag_reason(store, run_id, interrupt_reason(), "KeyboardInterrupt")
        raise
    except BaseException as error:
        _tag_reason(store, run_id, str(error).strip(), type(error).__name__)
        raise
    finally:
        if run_id is not None:
            _end(ending)


def _check_open(store: Store, run_id: str) -> None:
    status = store.client.get_run(run_id).info.status
    if status != RunStatus.to_string(RunStatus.RUNNING):
        raise TakenOverError(
            f"run {run_id} was closed as {status} by another process, which took this one for dead; its job may be "
            "trained elsewhere, and resume=true trains what is missing"
        )


def _end(ending: int) -> None:
    """End the active run. Only FINISHED must succeed: any other ending, where the disk is full, is found later."""
    with hold_interrupts(), nullcontext() if ending == RunStatus.FINISHED else suppress(Exception):
        mlflow.end_run(RunStatus.to_string(ending))


def _tag_reason(store: Store, run_id: str | None, reason: str, kind: str) -> None:
    """Note why a run ended, if that can be written; what ended it must not be hidden by a second error."""
    if run_id is not None:
        tags = [RunTag(REASON_TAG, (reason or kind)[:5000]), RunTag("error_type", kind)]
        with hold_interrupts(), suppress(Exception):
            store.client.log_batch(run_id, tags=tags)


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
    with hold_interrupts():
        store.client.set_terminated(parent_run_id, ending)
