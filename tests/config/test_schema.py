"""The first gate: what the typed schema refuses, what names a run, and that conf/ and schema say the same."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from pipeline.base.errors import UserError
from pipeline.base.paths import conf_dir
from pipeline.config import keys
from pipeline.config.keys import PARAMETERS, role_of
from pipeline.config.schema import (
    Config,
    Engine,
    LagsAs,
    Transform,
    flat_config,
    hash_config,
    plain_config,
    typed_config,
)

GROUPS = tuple(key for key, node in OmegaConf.structured(Config).items() if OmegaConf.is_dict(node))
OPTIONS = [(group, file.stem) for group in keys.GROUPS for file in sorted((conf_dir() / group).glob("[!_]*.yaml"))]
SINE = {"name": "sine", "source": "sine"}


def configure(*changes: str) -> Config:
    """Return a valid configuration with changes, without composing YAML."""
    base = OmegaConf.merge(OmegaConf.structured(Config), {"dataset": SINE})
    return typed_config(OmegaConf.merge(base, OmegaConf.from_dotlist(list(changes))))


def compose_config(*overrides: str) -> DictConfig:
    """Compose conf/ as the command line does."""
    ConfigStore.instance().store(name="base_config", node=Config)
    with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
        return compose("config", overrides=list(overrides))


def leaves(node: dict[str, Any], prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every key that holds a value."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}"


SCHEMA_KEYS = sorted(leaves(plain_config(configure())))


# ------------------------------------------------------------------------------------------------- the first gate


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"typo": 3}, "unknown key 'typo'.*--cfg job"),
        ({"dataset": {**SINE, "feature": ["a"]}}, "unknown key 'dataset.feature'"),
        ({"dataset": SINE, "training": {"epoch": 1}}, "unknown key 'training.epoch'"),
        ({"dataset": SINE, "look_back": "three"}, "look_back.*'three'.*Integer"),
        ({"dataset": SINE, "look_back": 3.5}, "look_back.*'3.5'.*Integer"),
        ({"dataset": SINE, "look_back": None}, "look_back.*'None'.*int"),
        ({"dataset": SINE, "stateful": "maybe"}, "stateful.*'maybe'"),
        ({"dataset": {**SINE, "scaler": "robust"}}, "dataset.scaler.*'robust'.*minmax, standard, none"),
        ({"dataset": {**SINE, "transforms": ["sqrt"]}}, "dataset.transforms.*'sqrt'.*log, difference"),
        ({"dataset": {**SINE, "transforms": "log"}}, r"dataset.transforms must be auto, or a list .*\[log\].*'log'"),
        ({"dataset": {**SINE, "transforms": None}}, "dataset.transforms must be auto, or a list .*'None'"),
        ({"dataset": {**SINE, "features": "sales"}}, "dataset.features.*list"),
        ({"dataset": SINE, "model": {"units": 4}}, "model.units.*list"),
        ({"dataset": SINE, "model": {"units": [4.5]}}, "model.units.*'4.5'.*Integer"),
        ({"dataset": {"source": "sine"}}, "dataset.name.*missing mandatory value"),
        ({"dataset": {"name": "sine"}}, "dataset.source.*missing mandatory value"),
        ({"dataset": SINE, "look_back": "${nothing}"}, "look_back.*'nothing' not found"),
        ({"dataset": SINE, "look_back": "${horizon}", "horizon": "${look_back}"}, "Recursive interpolation"),
    ],
)
def test_refused(given: dict[str, Any], complaint: str) -> None:
    """Breaks the first gate: a wrong key or type reaches training, or its text does not name the key."""
    with pytest.raises(UserError, match=complaint) as caught:
        typed_config(OmegaConf.create(given))
    assert "\n" not in str(caught.value)


def test_types_and_interpolations() -> None:
    """Breaks every room that reads a configuration: values must arrive as the types of the schema, resolved."""
    config = typed_config(
        OmegaConf.create(
            {
                "look_back": 6,
                "horizon": "${look_back}",
                "dataset": {**SINE, "transforms": ["log", "difference"], "lags_as": "features"},
                "model": {"units": ["${look_back}", 2]},
                "training": {"learning_rate": 1},
                "hydra": {"anything": "${not_there}"},
            }
        )
    )
    assert config.horizon == 6
    assert config.model.units == [6, 2]
    assert config.dataset.transforms == [Transform.log, Transform.difference]
    assert config.dataset.lags_as is LagsAs.features
    assert config.training.engine is Engine.auto
    assert isinstance(config.training.learning_rate, float)


def test_given_configuration_is_untouched() -> None:
    """Breaks Hydra's later jobs: the composed configuration they share must not change."""
    given = OmegaConf.create({"dataset": SINE, "look_back": "${horizon}", "horizon": 2, "hydra": {"a": 1}})
    before = OmegaConf.to_yaml(given)
    typed_config(given)
    assert OmegaConf.to_yaml(given) == before


@pytest.mark.parametrize(
    ("changes", "horizon_steps", "time_steps"),
    [
        (["horizon=3", "look_back=6"], (3,), 6),
        (["horizon=3", "dataset.horizons=all"], (1, 2, 3), 3),
        (["look_back=6", "dataset.lags_as=features"], (1,), 1),
    ],
)
def test_derived_numbers(changes: list[str], horizon_steps: tuple[int, ...], time_steps: int) -> None:
    """Breaks the shapes of everything: which steps are predicted and how many time steps a sample has."""
    config = configure(*changes)
    assert config.horizon_steps == horizon_steps
    assert config.time_steps == time_steps


# --------------------------------------------------------------------------------------------- what a run is called


def test_logged_configuration_rebuilds_the_run() -> None:
    """Breaks rebuilding a run from its config.yaml: the text that is logged must give back the same configuration."""
    config = configure("look_back=7", "dataset.transforms=[log,difference]", "training.patience=null", "seeds=2")
    text = OmegaConf.to_yaml(OmegaConf.create(plain_config(config)))
    assert typed_config(OmegaConf.create(text)) == config
    assert yaml.safe_load(text)["dataset"]["transforms"] == ["log", "difference"]


@pytest.mark.parametrize(
    "change", ["look_back=4", "dataset.calendar=[hour]", "training.clip_norm=null", "model.units=[8,4]"]
)
def test_a_plain_configuration_is_what_omegaconf_makes_of_it(change: str) -> None:
    """Breaks every name of a run, and its config.yaml: another way to write a number or a choice is another run."""
    config = configure(change)
    config.training.learning_rate = 1  # of Python code
    expected = OmegaConf.to_container(OmegaConf.structured(config), enum_to_str=True)
    assert isinstance(expected, dict)
    expected["model"]["head"] = "point"
    assert json.dumps(plain_config(config)) == json.dumps(expected)


@pytest.mark.parametrize(
    "change",
    [
        *["look_back=4", "horizon=2", "stateful=true", "return_sequences=true", "batch_size=2", "seed=2", "seeds=4"],
        *["dataset.scaler=standard", "dataset.transforms=[log]", "dataset.test_fraction=0.3", "dataset.features=[a]"],
        *["dataset.targets=[a]", "dataset.lags_as=features", "dataset.horizons=all", "dataset.missing=interpolate"],
        *["dataset.order=overlapping", "dataset.segments=2", "dataset.period=2", "model.cell=gru", "model.units=[5]"],
        *["model.dropout=0.1", "training.epochs=3", "training.learning_rate=0.5", "training.loss=mae"],
        *["training.optimizer=sgd", "training.patience=3", "training.clip_norm=null"],
    ],
)
def test_hash_changes_with_what_decides_a_result(change: str) -> None:
    """Breaks resume=true: a changed configuration would be taken for one that is already trained."""
    assert hash_config(configure(change), "digest") != hash_config(configure(), "digest")


@pytest.mark.parametrize(
    "change",
    [
        *["tracking.uri=sqlite:///elsewhere.db", "tracking.experiment_name=other", "tracking.log_model=false"],
        *["tracking.parent_run_id=abc", "resume=true", "experiment=many_to_many", "debug=smoke", "dataset.path=b.csv"],
    ],
)
def test_hash_ignores_what_cannot_change_a_result(change: str) -> None:
    """Breaks resume=true: a finished run would be trained again because of where it is logged or what it is called."""
    assert hash_config(configure(change), "digest") == hash_config(configure(), "digest")


def test_hash_depends_on_the_data() -> None:
    """Breaks resume=true: with new figures in the file the old run would be read back."""
    name = hash_config(configure(), "digest")
    assert re.fullmatch("[0-9a-f]{16}", name)
    assert hash_config(configure(), "other digest") != name


def test_parameters_as_mlflow_shows_them() -> None:
    """Breaks searching runs in MLflow: parameters are the resolved configuration with dotted keys and text values."""
    flat = flat_config(configure("stateful=true", "model.units=[8,4]", "dataset.transforms=[log]"))
    known = {
        "look_back": "3",
        "stateful": "true",
        "return_sequences": "false",
        "model.units": "[8, 4]",
        "model.cell": "lstm",
        "dataset.transforms": '["log"]',
        "dataset.path": "None",
        "training.epochs": "100",
    }
    assert known.items() <= flat.items()
    assert sorted(flat) == [key for key in SCHEMA_KEYS if role_of(key) in PARAMETERS]


# ------------------------------------------------------------------------------------------- conf/ and the schema


@pytest.mark.parametrize(("group", "option"), OPTIONS)
def test_every_option_composes(group: str, option: str) -> None:
    """Breaks `GROUP=OPTION` on the command line: the files of conf/ must fit the schema, every key resolved."""
    config = typed_config(compose_config(f"{group}={option}"))
    if group in ("experiment", "debug"):
        assert getattr(config, group) == option
    if group == "dataset":
        assert config.dataset.name == option
    if group == "model":
        assert config.model.cell.value == option


def written(file: str) -> dict[str, Any]:
    """Return the keys of the schema that a file of conf/ sets."""
    found = yaml.safe_load((conf_dir() / file).read_text())
    return {key: value for key, value in found.items() if key not in ("defaults", "hydra")}


def test_a_command_without_words_is_the_schema_on_the_airline_data() -> None:
    """Breaks the README and the Python door: a bare command and a bare Config() train with other values."""
    airline = {"dataset": written("dataset/airline.yaml")}
    expected = typed_config(OmegaConf.merge(OmegaConf.structured(Config), airline))
    assert typed_config(compose_config()) == expected
    changed = {key for key in flat_config(expected) if flat_config(expected)[key] != flat_config(configure())[key]}
    assert changed <= {f"dataset.{key}" for key in airline["dataset"]}


def shared_file(group: str) -> str:
    """Return the file of conf/ that holds every key of a group: what its options share, or its only option."""
    names = [file.name for file in (conf_dir() / group).glob("*.yaml")]
    (name,) = ["_common.yaml"] if "_common.yaml" in names else names
    return f"{group}/{name}"


@pytest.mark.parametrize(("file", "node"), [("config.yaml", ""), *((shared_file(group), group) for group in GROUPS)])
def test_defaults_in_yaml_and_schema_agree(file: str, node: str) -> None:
    """Breaks a config.yaml that leaves a key out: it would mean something else than what conf/ documents."""
    schema = OmegaConf.to_container(OmegaConf.structured(Config), enum_to_str=True)
    assert isinstance(schema, dict)
    expected = schema[node] if node else {k: v for k, v in schema.items() if k not in GROUPS}
    given = written(file)
    assert given == {key: expected[key] for key in given}
    missing = set(expected) - set(given) - {"cell"}  # each model's own file names its cell
    assert not missing


@pytest.mark.parametrize("key", SCHEMA_KEYS)
def test_every_key_is_explained(key: str) -> None:
    """Breaks conf/ as the manual: a key has no line with a comment that gives its meaning."""
    group, _, name = key.rpartition(".")
    files = [conf_dir() / "config.yaml"] if not group else sorted((conf_dir() / group).glob("*.yaml"))
    explained = [line for file in files for line in key_lines(file, name) if re.search(r"\s#\s+\w.{9,}", line)]
    assert explained, f"no line of conf/{group} explains '{name}' in a comment"


def key_lines(file: Path, name: str) -> list[str]:
    """Return the lines that set a key at the file's top level."""
    return [line for line in file.read_text().splitlines() if line.startswith(f"{name}:")]
