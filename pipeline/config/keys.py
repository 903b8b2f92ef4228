"""What each key of the configuration is for: the one table that hashing, pooling, labels and tables read.

A key of the schema stands under exactly one role; a new key gets one before the tests pass.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from enum import Enum
from itertools import chain
from typing import Any

from pipeline.base.text import show_name, show_value


class Role(Enum):
    """What a key decides."""

    task = "what is forecast, and on which values it is scored"
    recipe = "how it is forecast: what the network reads, the network, its training"
    engine = "how the recipe is computed; two engines agree, but not to the last bit"
    seeds = "which trainings are made of one configuration"
    file = "where the values come from and how they are written; the digest of the values says what they are"
    preset = "the name of several changes; the changed keys say what it did"
    launcher = "which processes train the jobs of a sweep"
    resume = "whether a finished run is read back instead of trained again"
    tracking = "where runs are recorded, and under which sweep"


KEYS: Mapping[Role, Sequence[str]] = {
    Role.task: (  # in the order in which a person would choose by them
        "dataset.name", "horizon", "dataset.horizons", "dataset.targets", "dataset.unit", "dataset.source",
        "dataset.time_column", "dataset.lane_column", "dataset.test_fraction", "dataset.test_start",
        "dataset.validation_fraction", "dataset.validation_start", "dataset.missing", "dataset.gaps",
        "dataset.short_lanes", "dataset.length", "dataset.delay", "dataset.noise", "dataset.period", "dataset.token",
        "dataset.vocabulary", "dataset.split", "protocol",
    ),
    Role.recipe: (
        "look_back", "stateful", "return_sequences", "batch_size",
        "dataset.features", "dataset.future", "dataset.static", "dataset.categories", "dataset.unseen",
        "dataset.transforms", "dataset.calendar",
        "dataset.scaler", "dataset.scaler_per_lane", "dataset.normalise", "dataset.lags_as", "dataset.order",
        "dataset.segments", "dataset.stride", "dataset.lane_block",
        "model.cell", "model.wiring", "model.head", "model.quantiles", "model.embedding", "model.skip", "model.decoder",
        "model.units",
        "model.dropout", "model.recurrent_dropout",
        "training.online", "training.epochs", "training.optimizer", "training.learning_rate", "training.decay",
        "training.decay_after", "training.rho", "training.epsilon", "training.loss",
        "training.clip_norm", "training.patience", "training.all_rows",
        "evaluation.origins", "evaluation.coverage", "evaluation.adaptive",
    ),
    Role.engine: ("training.engine", "training.device"),
    Role.seeds: ("seed", "seeds"),
    Role.file: (
        "dataset.path", "dataset.separator", "dataset.decimal", "dataset.thousands", "dataset.date_format",
        "dataset.time_zone", "dataset.encoding",
    ),
    Role.preset: ("experiment", "debug"),
    Role.launcher: (
        "launcher", "workers", "slurm.partition", "slurm.time", "slurm.memory", "slurm.cpus", "slurm.requeue",
        "slurm.cancel", "slurm.folder", "slurm.extra", "ray.address", "ray.cores", "ray.memory",
    ),
    Role.resume: ("resume",),
    Role.tracking: (
        "tracking.uri", "tracking.experiment_name", "tracking.log_model", "tracking.spool", "tracking.parent_run_id",
        "tracking.sweep_keys",
    ),
}  # fmt: skip

CONFIGURATION = frozenset({Role.task, Role.recipe, Role.engine})  # runs that are equal in these are pooled over seeds
RESULT = CONFIGURATION | {Role.seeds}  # what config_hash is made of, beside the values that were loaded
COLUMNS = RESULT | {Role.file}  # shown where runs differ in them
LABELS = COLUMNS | {Role.preset}  # what a run is named by in its sweep
PARAMETERS = LABELS | {Role.resume}  # logged in MLflow

# Keys that came after runs were logged, with the value at which they change nothing.
NEUTRAL: Mapping[str, Any] = {
    "dataset.token": "char", "dataset.vocabulary": 10_000, "dataset.split": "end", "dataset.stride": None,
    "dataset.calendar": [], "dataset.future": [], "dataset.static": [], "dataset.categories": [],
    "dataset.unseen": "error", "dataset.lane_block": None,
    "dataset.normalise": "none",
    "model.quantiles": [0.05, 0.25, 0.5, 0.75, 0.95], "model.embedding": None, "model.skip": "none",
    "model.decoder": "copies",
    "training.decay": 1.0, "training.decay_after": 1, "training.rho": 0.9, "training.epsilon": 1e-7,
    "training.device": "auto", "training.all_rows": False,
    "evaluation.coverage": [0.8, 0.95], "evaluation.adaptive": True,
}  # fmt: skip

MAIN_KEYS = ("look_back", "stateful")  # what names a run that nothing sets apart

# Folders of conf/, one option of which a word of the command line names: nodes of the schema, and presets.
GROUPS = (
    *dict.fromkeys(key.partition(".")[0] for keys in KEYS.values() for key in keys if "." in key),
    *KEYS[Role.preset],
)

_ROLES = {key: role for role, keys in KEYS.items() for key in keys}


def role_of(key: str) -> Role:
    """Return what a key decides; one that an older version logged, and this one does not know, decided a result.

    Args:
        key: Dotted; an entry of a key that holds a dictionary decides what that key does.

    Example:
        >>> role_of("look_back").name, role_of("horizon").name, role_of("slurm.extra.account").name
        ('recipe', 'task', 'launcher')
    """
    while key not in _ROLES and "." in key:
        key = key.rpartition(".")[0]
    return _ROLES.get(key, Role.recipe)


def rank_key(key: str) -> int:
    """Return the place of a key among those by which a person would choose runs: the task first, by its name.

    Example:
        >>> sorted(["look_back", "horizon", "from_an_older_version", "dataset.name"], key=rank_key)
        ['dataset.name', 'horizon', 'look_back', 'from_an_older_version']
    """
    return list(_ROLES).index(key) if key in _ROLES else len(_ROLES)


def varying_keys(runs: Sequence[Mapping[str, str]], roles: Collection[Role] = CONFIGURATION) -> list[str]:
    """Return the keys of some roles in which runs differ, root keys first.

    Args:
        runs: Parameters of each, dotted keys and text values.
        roles: Which keys are looked at.

    Example:
        >>> varying_keys([{"model.cell": "lstm", "horizon": "1", "seed": "1"}, {"model.cell": "gru", "horizon": "2"}])
        ['horizon', 'model.cell']
    """
    keys = [key for key in dict.fromkeys(chain.from_iterable(runs)) if role_of(key) in roles]
    values = Counter(key for key, _ in set().union(*(params.items() for params in runs)))
    everywhere = set(keys).intersection(*runs)
    varying = [key for key in keys if values[key] > 1 or key not in everywhere]
    return sorted(varying, key=lambda key: "." in key)


def write_parameter(value: Any) -> str:
    """Return a value of the configuration as MLflow shows it."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, bool | list) else str(value)


_NEUTRAL_PARAMETERS = {key: write_parameter(value) for key, value in NEUTRAL.items()}


def complete_parameters(params: Mapping[str, str]) -> dict[str, str]:
    """Add the keys that came after a run was logged, at which nothing changed: it is compared as what it is.

    Args:
        params: Of a run, or of the parent of a sweep, which has none.

    Example:
        >>> complete_parameters({"look_back": "3"})["dataset.normalise"], complete_parameters({})
        ('none', {})
    """
    if not params:
        return {}
    return _NEUTRAL_PARAMETERS | dict(params)


def changes_recipe(key: str) -> bool:
    """Return whether a word of the command line, a key or a group, changes what is forecast or how.

    Example:
        >>> changes_recipe("training.epochs"), changes_recipe("model"), changes_recipe("seeds"), changes_recipe("debug")
        (True, True, False, True)
    """
    leaves = {role for each, role in _ROLES.items() if each == key or each.startswith(f"{key}.")}
    return bool(leaves - {Role.engine, Role.seeds, Role.launcher, Role.resume, Role.tracking})


def label_run(params: Mapping[str, Any], keys: Sequence[str] = ()) -> str:
    """Name a run by what sets it apart, as it is written on the command line.

    Args:
        params: Its parameters, as they were logged or as the values that they stand for.
        keys: What sets it apart; empty: the keys that matter most.

    Example:
        >>> label_run({"look_back": "3", "stateful": "true", "training.patience": "None"})
        'look_back=3 stateful=true'
        >>> label_run({"training.patience": None, "dataset.transforms": ["log"]}, ["training.patience"])
        'training.patience=null'
    """
    return " ".join(f"{key}={show_parameter(params.get(key, '-'))}" for key in keys or MAIN_KEYS)


def show_parameter(value: Any) -> str:
    """Return a parameter as it can stand in a label or a table; what was logged as None is `null` to a command."""
    return "null" if value == "None" else show_name(show_value(value))
