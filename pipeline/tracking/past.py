"""Read runs back: the rows of a sweep, the runs that a person means, and those that a crash left open."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copyfile

from mlflow.entities import LifecycleStage, Run
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST, ErrorCode

from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, HASH_TAG, REASON_TAG, SCORED_TAG, SURE_TAGS, LoggedRun, RunRecord, Status
from pipeline.base.text import hide_password
from pipeline.config.keys import complete_parameters
from pipeline.config.schema import Source
from pipeline.models.heads.registry import measure_of_run
from pipeline.tracking.artifacts import local_folder, refuse_outage
from pipeline.tracking.bucket import check_bucket
from pipeline.tracking.database import database_path
from pipeline.tracking.heartbeat import PROCESS_TAG, SLURM_TAG, has_ended, process_name
from pipeline.tracking.names import join_value, unescape_name
from pipeline.tracking.rows import RunRow, read_tagged
from pipeline.tracking.search import CHAMPION_TAG, REFIT_TAG, SEARCH_TAG, TRIAL_TAG, find_champion
from pipeline.tracking.store import PAGE, Store, check_experiment, restore_command, search_runs

log = logging.getLogger(__name__)

_SWEEP = "sweep"
_RESUMED = "resumed."
_PER_EPOCH = ("loss", "val_loss")
_CRASHED = "the process ended without closing the run (crash or kill)"
LATEST = "latest"
BEST = "best"
CHAMPION = "champion"


@dataclass(frozen=True)
class Sweep:
    """The parent run of a sweep: its id, its name and the command line that made it."""

    run_id: str
    name: str
    command: tuple[str, ...]


def note_resumed(store: Store, parent_run_id: str, run_id: str) -> None:
    """Note on a sweep that an earlier run stands for one of its jobs."""
    store.client.set_tag(parent_run_id, f"{_RESUMED}{run_id}", "true")


def sweep_runs(store: Store, parent_run_id: str, tell: Callable[[str], None] = log.warning) -> list[LoggedRun]:
    """Return every run of a sweep, with what a comparison needs.

    Args:
        store: Where it is.
        parent_run_id: The parent run.
        tell: Told of each earlier run that stood for a job and was deleted since: it is left out.
    """
    parent = store.client.get_run(parent_run_id)
    found = _find_tagged(store, "mlflow.parentRunId", parent_run_id, parent.info.experiment_id)
    noted = [key.removeprefix(_RESUMED) for key in parent.data.tags if key.startswith(_RESUMED)]
    earlier = {run_id: _find_alive(store, run_id) for run_id in noted}
    for run_id, run in earlier.items():
        if run is None:
            tell(
                f"run {run_id}, which stood for a job of this sweep, was deleted: left out; resume=true trains it again"
            )
    return [logged_run(run) for run in found] + [logged_run(run, resumed=True) for run in earlier.values() if run]


def _find_alive(store: Store, run_id: str) -> Run | None:
    """Return a run, or None if it was deleted, perhaps for good (`mlflow gc`)."""
    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        if error.error_code != ErrorCode.Name(RESOURCE_DOES_NOT_EXIST):
            raise
        return None
    return run if run.info.lifecycle_stage == LifecycleStage.ACTIVE else None


def find_sweep(store: Store, run_id: str, command: Sequence[str] | None = None) -> Sweep:
    """Return a sweep by its id; `latest` is the newest one of the experiment, or the newest of a command line.

    Raises:
        UserError: If there is none, or the run is no sweep.
    """
    if run_id != LATEST:
        return _sweep(_get_run(store, run_id))
    found: Sequence[Run] = store.client.search_runs(
        [store.experiment_id],
        "tags.sweep = 'true'",
        max_results=1 if command is None else PAGE,
        order_by=["attributes.start_time DESC"],
    )
    if command is not None:
        found = [run for run in found if tuple(map(hide_password, command)) == _sweep(run).command]
    if not found:
        raise UserError(
            "there is no sweep yet in this MLflow experiment; make one (python -m pipeline.run -m look_back=1,3,6), or "
            "choose experiment=NAME or runs=[ID,ID]"
        )
    return _sweep(found[0])


def _sweep(parent: Run) -> Sweep:
    tags = parent.data.tags
    _refuse_search(parent, f"sweep={parent.info.run_id}")
    if _SWEEP not in tags:
        raise UserError(
            f"run {parent.info.run_id} is no sweep but one run of it; write runs=[{parent.info.run_id},...]"
        )
    return Sweep(parent.info.run_id, parent.info.run_name or "", tuple(json.loads(join_value("command", tags) or "[]")))


def experiment_runs(store: Store) -> list[LoggedRun]:
    """Return every run of the experiment that trained one configuration, without refits, which nothing judged."""
    found = _find_tagged(store, HASH_TAG)
    return [logged_run(run) for run in found if REFIT_TAG not in run.data.tags]


def _find_tagged(
    store: Store, tag: str, value: str | None = None, experiment_id: str | None = None
) -> Sequence[Run | RunRow]:
    """Return the runs of an experiment, by default the store's, with a tag; value: None is any but an empty one."""
    experiment = store.experiment_id if experiment_id is None else experiment_id
    database = database_path(store.uri)
    if database is not None:
        return read_tagged(database, experiment, tag, value)
    return search_runs(store, f"tags.{tag} != ''" if value is None else f"tags.{tag} = '{value}'", experiment)


def named_runs(store: Store, run_ids: Sequence[str]) -> list[LoggedRun]:
    """Return runs by their ids.

    Raises:
        UserError: If there is no such run, or one is the parent of a sweep.
    """
    found = [_get_run(store, run_id) for run_id in dict.fromkeys(run_ids)]
    for run in found:
        _refuse_search(run, f"run {run.info.run_id}")
        if _SWEEP in run.data.tags:
            raise UserError(f"run {run.info.run_id} is a whole sweep; write sweep={run.info.run_id}")
    return [logged_run(run) for run in found]


def _get_run(store: Store, run_id: str) -> Run:
    try:
        run = store.client.get_run(run_id)
    except MlflowException as error:
        raise UserError(f"there is no run {run_id} in {store.shown}; `mlflow ui` shows the ids of all runs") from error
    _check_alive(store, run)
    return run


def _check_alive(store: Store, run: Run) -> None:
    if run.info.lifecycle_stage != LifecycleStage.ACTIVE:
        check_experiment(store.uri, store.client.get_experiment(run.info.experiment_id))
        raise UserError(
            f"run {run.info.run_id} is deleted; restore it: {restore_command(store.uri, 'runs', run.info.run_id)}"
        )


def kill_crashed(store: Store) -> int:
    """Mark runs that are still RUNNING although their process is gone as KILLED.

    Returns:
        How many runs were marked. On this machine the process is looked for; of others the heartbeat tells.
    """
    gone = [run.info.run_id for run in search_runs(store, "attributes.status = 'RUNNING'") if has_ended(run.data.tags)]
    # Read again: between the search and the look at its process it may have ended well.
    crashed = [run_id for run_id in gone if store.client.get_run(run_id).info.status == Status.running.value]
    for run_id in crashed:
        store.client.set_tag(run_id, REASON_TAG, _CRASHED)
        store.client.set_terminated(run_id, Status.killed.value)
    return len(crashed)


def close_left_open(store: Store, parent_run_id: str, reason: str, slurm_job: str | None = None) -> int:
    """Mark the runs of a sweep that are RUNNING in other processes, of which it is known that they ended, as KILLED.

    A process that is alive against all knowledge, on a machine that the network has lost, cannot finish its run then.

    Args:
        store: Where it is.
        parent_run_id: The parent run of the sweep.
        reason: Why they are closed.
        slurm_job: Only those of this job; None: all.
    """
    of_job = "" if slurm_job is None else f" and tags.{SLURM_TAG} = '{slurm_job}'"
    children = f"attributes.status = 'RUNNING' and tags.`mlflow.parentRunId` = '{parent_run_id}'"
    experiment = store.client.get_run(parent_run_id).info.experiment_id
    found = search_runs(store, children + of_job, experiment)
    others = [run.info.run_id for run in found if run.data.tags.get(PROCESS_TAG) != process_name()]
    for run_id in others:
        store.client.set_tag(run_id, REASON_TAG, reason)
        store.client.set_terminated(run_id, Status.killed.value)
    return len(others)


def logged_run(run: Run | RunRow, resumed: bool = False) -> LoggedRun:
    """Return what a comparison needs of a run; `resumed` says that an earlier command trained it."""
    return LoggedRun(
        record=_record(run, resumed),
        dataset_digest=run.data.tags.get(DIGEST_TAG, ""),
        artifact_uri=run.info.artifact_uri,
        started=run.info.start_time,
        scored_rows=run.data.tags.get(SCORED_TAG, ""),
        sure=tuple(run.data.tags[tag] for tag in SURE_TAGS if tag in run.data.tags),
    )


def _record(run: Run | RunRow, resumed: bool = False) -> RunRecord:
    found = {unescape_name(name, run.data.tags): value for name, value in run.data.metrics.items()}
    metrics = {name: value for name, value in found.items() if name not in _PER_EPOCH}
    status, reason = Status(run.info.status), run.data.tags.get(REASON_TAG, "")
    if status is Status.running and has_ended(run.data.tags):
        status, reason = Status.killed, _CRASHED  # as the next training will note in MLflow
    return RunRecord(
        run_id=run.info.run_id,
        status=status,
        params=complete_parameters(run.data.params),
        metrics=metrics,
        measure=measure_of_run(run.data.params, metrics),
        reason=reason,
        resumed=resumed,
    )


def choose_run(store: Store, chosen: str, of_text: bool | None = None) -> RunRecord:
    """Find the run that a person means.

    Args:
        store: Where it was logged.
        chosen: A run id; or `latest`: the newest FINISHED run; or `best`: the lowest validation score among the
            FINISHED runs that were scored on the same values as the newest one; or `champion`: what the newest search
            of the experiment has found.
        of_text: Only runs that were trained on a text, or on a series; None: on either.

    Raises:
        UserError: If there is none, or it did not finish, is the parent of a sweep, or was trained on the other kind.
    """
    if chosen == CHAMPION:
        chosen = find_champion(store)
    if chosen in (BEST, LATEST):
        finished = _finished(store, of_text)
        return _record(_best(finished) if chosen == BEST else finished[-1])
    try:
        run = store.client.get_run(chosen)
    except MlflowException as error:
        raise UserError(
            f"run={chosen} is not in {store.shown}; give a run id from MLflow, or run=best, run=latest or "
            "run=champion, or another tracking.uri"
        ) from error
    _check_alive(store, run)
    if run.data.tags.get("sweep") == "true":
        raise UserError(f"run={chosen} is the parent of a sweep; give one of its runs, or run=best, or run=latest")
    _refuse_search(run, f"run={chosen}")
    if run.info.status != Status.finished.value:
        raise UserError(f"run={chosen} is {run.info.status}, not FINISHED; choose a run that finished")
    if of_text is True and not _reads_text(run):
        raise UserError(f"run={chosen} was trained on a series, not on a text; choose another one, or run=best")
    if of_text is False and _reads_text(run):
        raise UserError(
            f"run={chosen} was trained on a text, which has no series to forecast; python -m pipeline.write "
            f"run={chosen} continues a text, and with score=FILE it scores one"
        )
    return _record(run)


def newest_besides(store: Store, run_id: str) -> str:
    """Return the newest FINISHED run of a series that is not this one.

    Raises:
        UserError: If there is none.
    """
    others = [run.info.run_id for run in _finished(store, of_text=False) if run.info.run_id != run_id]
    if not others:
        raise UserError(f"{store.shown} has no finished run of a series besides {run_id}; train one to compare it with")
    return others[-1]


def _refuse_search(run: Run, named: str) -> None:
    """Refuse a search and its trials where runs with a network of their own are asked for."""
    tags = run.data.tags
    if SEARCH_TAG in tags:
        champion = f"its champion is run {tags[CHAMPION_TAG]}" if CHAMPION_TAG in tags else "it has no champion yet"
        raise UserError(f"{named} is a search, whose report compares its trials; {champion}")
    if TRIAL_TAG in tags:
        raise UserError(f"{named} is a trial of a search, which keeps no network; the champion is run=champion")


def _finished(store: Store, of_text: bool | None) -> list[Run | RunRow]:
    """Return the FINISHED runs that trained a configuration, of them perhaps those of one kind, the newest last."""
    found = [run for run in _find_tagged(store, HASH_TAG) if run.info.status == Status.finished.value]
    if of_text is not None:
        found = [run for run in found if _reads_text(run) == of_text]
    if not found and of_text:
        raise UserError(
            f"{store.shown} has no finished run of a text; train one: python -m pipeline.run experiment=char_rnn"
        )
    if not found:
        kind = "" if of_text is None else " of a series"
        raise UserError(f"{store.shown} has no finished run{kind}; train one: python -m pipeline.run")
    return found


def _reads_text(run: Run | RunRow) -> bool:
    return run.data.params.get("dataset.source") == Source.text.value


def _best(finished: Sequence[Run | RunRow]) -> Run | RunRow:
    newest = finished[-1]

    def task(run: Run | RunRow) -> tuple[str | None, ...]:
        if SCORED_TAG in run.data.tags:
            return (run.data.tags[SCORED_TAG],)
        return run.data.tags.get(DIGEST_TAG), run.data.params["horizon"], run.data.params["dataset.horizons"]

    same = [run for run in finished if task(run) == task(newest)]
    same = [run for run in same if _record(run).validates] or same
    return min(same, key=lambda run: _record(run).score("validation"))


def fetch_files(
    store: Store, run_id: str, names: Sequence[str], folder: Path, also: Sequence[str] = ()
) -> dict[str, str]:
    """Copy files of a run into a folder, those of `also` where they are there, and return the run's tags.

    Raises:
        UserError: If the run has no such file.
    """
    run = store.client.get_run(run_id)
    local = local_folder(store, run_id, run.info.artifact_uri)
    check_bucket(run.info.artifact_uri)
    there = {file.path for file in store.client.list_artifacts(run_id)} if also and local is None else also
    for name in [*names, *(name for name in also if name in there and (local is None or (local / name).exists()))]:
        try:
            if local is not None:
                copyfile(local / name, folder / name)
            else:
                store.client.download_artifacts(run_id, name, str(folder))
        except (MlflowException, OSError) as error:
            refuse_outage(error, run.info.artifact_uri)
            raise UserError(
                f"run {run_id} has no file {name}: an older version logged it, or its files are gone; train it again"
            ) from error
    return dict(run.data.tags)
