"""The table of what each key is for: it holds every key once, and what reads it reads the right keys."""

from collections import Counter

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore

from pipeline.base.paths import conf_dir
from pipeline.config.keys import (
    CONFIGURATION,
    GROUPS,
    KEYS,
    LABELS,
    MAIN_KEYS,
    PARAMETERS,
    RESULT,
    Role,
    changes_recipe,
    label_run,
    role_of,
    varying_keys,
)
from pipeline.config.schema import Config, DatasetConfig, Source, flat_config, hash_config, plain_config, typed_config

SINE = DatasetConfig(name="sine", source=Source.sine)
NOT_HASHED = {
    *("resume", "launcher", "workers", "experiment", "debug"),
    *("dataset.path", "dataset.separator", "dataset.decimal", "dataset.thousands"),
    *("dataset.date_format", "dataset.time_zone", "dataset.encoding"),
    *("slurm.partition", "slurm.time", "slurm.memory", "slurm.cpus", "slurm.requeue", "slurm.cancel", "slurm.folder"),
    "slurm.extra",
    *("ray.address", "ray.cores", "ray.memory"),
}


def schema_keys() -> list[str]:
    nested = plain_config(Config(dataset=SINE))
    root = [key for key, value in nested.items() if not isinstance(value, dict)]
    return root + [f"{group}.{key}" for group, node in nested.items() if isinstance(node, dict) for key in node]


def test_every_key_of_the_schema_has_exactly_one_role() -> None:
    """A new key is silently hashed or not, pooled or not; or the table names a key that is gone."""
    assert Counter(key for keys in KEYS.values() for key in keys) == Counter(schema_keys())
    assert set(KEYS) == set(Role)
    folders = {each.name for each in conf_dir().iterdir() if each.is_dir()}
    assert set(GROUPS) == folders - {"hydra", "search"}  # spaces of pipeline.search are no choices of a run


def test_a_finished_run_is_found_again() -> None:
    """resume=true trains everything again after an update: the names of results have changed.

    Where that is meant (a new key that decides a result, or a new default), write the new name here.
    """
    ConfigStore.instance().store(name="base_config", node=Config)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        config = typed_config(compose("config"))
    assert hash_config(config, "digest") == "5df9d0638d805ba4"


def test_what_decides_no_result_is_known() -> None:
    """A key that changes results does not change config_hash, and resume=true reads back another run."""
    left_out = {key for key in schema_keys() if role_of(key) not in RESULT and not key.startswith("tracking.")}
    assert left_out == NOT_HASHED
    assert sorted(flat_config(Config(dataset=SINE))) == sorted(
        key for key in schema_keys() if role_of(key) in PARAMETERS
    )


@pytest.mark.parametrize(
    ("roles", "expected"),
    [
        (CONFIGURATION, ["look_back", "training.engine", "gone"]),
        (LABELS, ["look_back", "seed", "experiment", "dataset.path", "training.engine", "gone"]),
    ],
)
def test_keys_in_which_runs_differ(roles: frozenset[Role], expected: list[str]) -> None:
    """Runs that differ only in seeds or in the path of the same file stand in two rows, or cannot be told apart."""
    one = {"look_back": "3", "dataset.path": "a", "training.engine": "fit", "seed": "1", "resume": "true"}
    other = {"look_back": "6", "dataset.path": "b", "training.engine": "fused", "seed": "2", "resume": "false"}
    same = {"horizon": "1", "model.cell": "lstm"}
    found = varying_keys([one | same | {"experiment": "a", "gone": "1"}, other | same], roles)
    assert sorted(found) == sorted(expected)
    assert [("." in key) for key in found] == sorted("." in key for key in found)  # root keys first


def test_a_run_has_one_label() -> None:
    """MLflow, the table and the sentences name the same run in different words."""
    params = flat_config(Config(dataset=SINE)) | {"dataset.name": "a\nb"}
    assert label_run(params) == label_run(params, MAIN_KEYS) == "look_back=3 stateful=false"
    assert label_run(params, ["model.units", "dataset.features"]) == "model.units=[4] dataset.features=null"
    assert label_run(params, ["dataset.name", "gone"]) == "dataset.name=a\\nb gone=-"


@pytest.mark.parametrize(
    ("word", "changes"),
    [
        *[(word, False) for word in ("seed", "seeds", "resume", "tracking", "tracking.uri", "training.engine")],
        *[(word, False) for word in ("hydra.launcher", "hydra.sweep.dir")],
        *[(word, True) for word in ("training.epochs", "training", "dataset", "dataset.path", "debug", "protocol")],
    ],
)
def test_words_that_change_a_recipe(word: str, changes: bool) -> None:
    """An altered recipe is compared with the tutorial's numbers, or a harmless word is called one."""
    assert changes_recipe(word) is changes
