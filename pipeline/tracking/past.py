"""Read runs back: the rows of a sweep, the finished run of a configuration, and runs that a crash left open."""

import socket

import psutil
from mlflow.entities import Run

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
