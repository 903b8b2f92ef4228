"""A search in MLflow: its trials, and the champion in the model registry."""

from collections.abc import Mapping, Sequence

from mlflow.entities import RunStatus
from mlflow.exceptions import MlflowException

from pipeline.base.errors import UserError
from pipeline.base.record import REASON_TAG, Status
from pipeline.tracking.heartbeat import life_tags
from pipeline.tracking.live import open_parent, track_run
from pipeline.tracking.store import Store, search_runs

SEARCH_TAG = "search"
TRIAL_TAG = "trial"
ALIAS = "champion"
CHAMPION_TAG = "champion"  # of a search: the run that it found
PROMOTED_TAG = "promoted"  # of a run: the name that it got, and on which evidence
FORCED_TAG = "promotion_forced"  # of a run: the reason of whoever wanted it without evidence
REFIT_TAG = "refit"  # of a run: the champion that it trained again on more
REFIT_OF_TAG = "refit_of"  # of a run: the one whose recipe it trained again on all rows of that day
REFIT_FOUND_TAG = "refit_found"  # of a run: whether it is better than that one, in a sentence
_STATE_TAG = "state"


def open_search(store: Store, name: str, command: Sequence[str], earlier: str | None) -> str:
    """Open the parent run of a search, or that of the search that is resumed, and return its id."""
    if earlier is not None:
        try:
            store.client.update_run(earlier, Status.running.value)
            for key, value in life_tags().items():
                store.client.set_tag(earlier, key, value)
            return earlier
        except MlflowException:
            pass  # it was deleted
    return open_parent(store, name, command, SEARCH_TAG)


def log_trial(
    store: Store,
    parent_run_id: str,
    number: int,
    state: str,
    reason: str,
    params: Mapping[str, str],
    metrics: Mapping[str, float],
) -> None:
    """Record a trial that ended: FAILED if it failed, otherwise FINISHED.

    Args:
        store: Where.
        parent_run_id: The search.
        number: Of the trial.
        state: complete, pruned or failed.
        reason: Why it was pruned or failed.
        params: What was tried.
        metrics: Scores by name.
    """
    tags = {TRIAL_TAG: str(number), _STATE_TAG: state} | ({REASON_TAG: reason[:5000]} if reason else {})
    with track_run(store, f"trial {number}", params, tags, parent_run_id) as run:
        run.log_metrics(metrics, {})
    if state == "failed":
        store.client.update_run(run.run_id, RunStatus.to_string(RunStatus.FAILED))


def logged_trials(store: Store, parent_run_id: str) -> set[int]:
    """Return the numbers of the trials of a search that are recorded; where one was cut off, it is not counted."""
    ended = (Status.finished.value, Status.failed.value)
    runs = search_runs(store, f"tags.mlflow.parentRunId = '{parent_run_id}'")
    return {int(run.data.tags[TRIAL_TAG]) for run in runs if TRIAL_TAG in run.data.tags and run.info.status in ended}


def registered_name(experiment: str) -> str:
    """Return the name under which the champion of an experiment is registered.

    Example:
        >>> registered_name("sales/2026")
        'sales-2026'
    """
    return experiment.replace("/", "-").replace(":", "-")


def register_champion(store: Store, run_id: str) -> str:
    """Register the model of a run as a new version, with the alias champion; return what MLflow calls it."""
    return _register(store, run_id, ALIAS, {})


def promote_run(store: Store, run_id: str, alias: str, told: str, force: str | None) -> str:
    """Register the model of a run under an alias, and note why; return what MLflow calls it.

    Args:
        store: In whose experiment it gets the name.
        run_id: The run.
        alias: The name.
        told: Why it gets it, in a sentence: also a tag of the version.
        force: The reason of whoever forced it; None: nobody did.
    """
    tags = {PROMOTED_TAG: f"{alias}: {told}"[:5000]} | ({FORCED_TAG: force} if force is not None else {})
    name = _register(store, run_id, alias, tags)
    for key, value in tags.items():
        store.client.set_tag(run_id, key, value)
    return name


def _register(store: Store, run_id: str, alias: str, tags: Mapping[str, str]) -> str:
    client = store.client
    name = registered_name(client.get_experiment(store.experiment_id).name)
    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    version = client.create_model_version(name, source=f"runs:/{run_id}/model", run_id=run_id, tags=dict(tags))
    client.set_registered_model_alias(name, alias, version.version)
    return f"models:/{name}@{alias}"


def tag_refit(store: Store, run_id: str, champion: str) -> None:
    """Note on a run which champion it trained again."""
    store.client.set_tag(run_id, REFIT_TAG, champion)


def tag_refitted(store: Store, run_id: str, before: str, told: str) -> None:
    """Note on a run whose recipe it trained again on all rows of that day, and what is known of it."""
    store.client.set_tag(run_id, REFIT_OF_TAG, before)
    store.client.set_tag(run_id, REFIT_FOUND_TAG, told[:5000])


def find_alias(store: Store, alias: str) -> str | None:
    """Return the run that has a name in the registry of the store's experiment; None if none has it."""
    experiment = store.client.get_experiment(store.experiment_id).name
    try:
        return str(store.client.get_model_version_by_alias(registered_name(experiment), alias).run_id)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise
        return None


def find_champion(store: Store) -> str:
    """Return the run of the champion of the store's experiment.

    Raises:
        UserError: If there is none.
    """
    found = find_alias(store, ALIAS)
    if found is None:
        experiment = store.client.get_experiment(store.experiment_id).name
        raise UserError(
            f"the MLflow experiment '{experiment}' in {store.shown} has no champion; find one: python -m "
            "pipeline.search dataset=csv dataset.path=FILE, or make a run the champion: python -m pipeline.promote "
            "run=best, or choose another tracking.experiment_name"
        )
    return found
