"""Read runs back: the rows of a sweep, the finished run of a configuration, and runs that a crash left open."""

import socket
from collections.abc import Sequence
from pathlib import Path

import psutil
from mlflow.entities import Run
from mlflow.exceptions import MlflowException

from pipeline.errors import UserError
from pipeline.record import RunRecord, Status
from pipeline.tracking.live import HASH_TAG, PROCESS_TAG, REASON_TAG
from pipeline.tracking.store import Store

_RESUMED = "resumed."
_PER_EPOCH = ("loss", "val_loss")
_PAGE = 1000


def find_finished(store: Store, config_hash: str) -> RunRecord | None:
    """Return the newest FINISHED run of a configuration, or None."""
    wanted = f"tags.{HASH_TAG} = '{config_hash}' and attributes.status = 'FINISHED'"
    runs = store.client.search_runs(
        [store.experiment_id], wanted, max_results=1, order_by=["attributes.start_time DESC"]
    )
    return _record(runs[0], resumed=True) if runs else None


def note_resumed(store: Store, parent_run_id: str, run_id: str) -> None:
    """Note on a sweep that an earlier run stands for one of its jobs."""
    store.client.set_tag(parent_run_id, f"{_RESUMED}{run_id}", "true")


def sweep_records(store: Store, parent_run_id: str) -> list[RunRecord]:
    """Return every run of a sweep: trained by it, or resumed from an earlier one."""
    found = _search(store, f"tags.mlflow.parentRunId = '{parent_run_id}'")
    tags = store.client.get_run(parent_run_id).data.tags
    earlier = [key.removeprefix(_RESUMED) for key in tags if key.startswith(_RESUMED)]
    return [_record(run) for run in found] + [_record(store.client.get_run(run_id), resumed=True) for run_id in earlier]


def kill_crashed(store: Store) -> int:
    """Mark runs that are still RUNNING although their process on this machine is gone as KILLED.

    Returns:
        How many runs were marked. Runs of other machines are left alone: nobody here can tell whether they live.
    """
    crashed = [
        run for run in _search(store, "attributes.status = 'RUNNING'") if _is_gone(run.data.tags.get(PROCESS_TAG))
    ]
    for run in crashed:
        store.client.set_tag(run.info.run_id, REASON_TAG, "the process ended without closing the run (crash or kill)")
        store.client.set_terminated(run.info.run_id, Status.killed.value)
    return len(crashed)


def _is_gone(process: str | None) -> bool:
    if process is None:
        return False  # not one of ours
    host, number, started = process.rsplit(":", 2)
    if host != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(int(number)).create_time() - float(started)) > 1
    except psutil.Error:
        return True


def _search(store: Store, wanted: str) -> list[Run]:
    runs: list[Run] = []
    token = None
    while True:
        page = store.client.search_runs(
            [store.experiment_id], wanted, max_results=_PAGE, page_token=token, order_by=["attributes.start_time ASC"]
        )
        runs += page
        token = page.token
        if not token:
            return runs


def _record(run: Run, resumed: bool = False) -> RunRecord:
    metrics = {name: value for name, value in run.data.metrics.items() if name not in _PER_EPOCH}
    return RunRecord(
        run_id=run.info.run_id,
        status=Status(run.info.status),
        params=run.data.params,
        metrics=metrics,
        reason=run.data.tags.get(REASON_TAG, ""),
        resumed=resumed,
    )


def choose_run(store: Store, wanted: str) -> RunRecord:
    """Find the run that a person means.

    Args:
        store: Where it was logged.
        wanted: A run id; or `best`: the lowest validation RMSE among the FINISHED runs on the dataset of the newest
            one, with its horizon.

    Raises:
        UserError: If there is none, or it did not finish, or it is the parent of a sweep.
    """
    if wanted == "best":
        return _record(_best(store))
    try:
        run = store.client.get_run(wanted)
    except MlflowException as error:
        raise UserError(
            f"run={wanted} is not in {store.uri}; give a run id from MLflow, or run=best, or another tracking.uri"
        ) from error
    if run.data.tags.get("sweep") == "true":
        raise UserError(f"run={wanted} is the parent of a sweep; give one of its runs, or run=best")
    if run.info.status != Status.finished.value:
        raise UserError(f"run={wanted} is {run.info.status}, not FINISHED; choose a run that finished")
    return _record(run)


def _best(store: Store) -> Run:
    finished = _search(store, "attributes.status = 'FINISHED' and metrics.validation_rmse > 0")
    if not finished:
        raise UserError(f"{store.uri} has no finished run; train one: python -m pipeline.run")
    newest = finished[-1]

    def task(run: Run) -> tuple[str | None, ...]:
        return run.data.tags.get("dataset_sha256"), run.data.params["horizon"], run.data.params["dataset.horizons"]

    same = [run for run in finished if task(run) == task(newest)]
    return min(same, key=lambda run: run.data.metrics["validation_rmse"])


def fetch_files(store: Store, run_id: str, names: Sequence[str], folder: Path) -> dict[str, str]:
    """Copy files of a run into a folder, and return the run's tags.

    Raises:
        UserError: If the run has no such file.
    """
    for name in names:
        try:
            store.client.download_artifacts(run_id, name, str(folder))
        except (MlflowException, OSError) as error:
            raise UserError(
                f"run {run_id} has no file {name}: an older version logged it, or its files are gone; train it again"
            ) from error
    return dict(store.client.get_run(run_id).data.tags)
