"""Every preset in conf/experiment/ composes to the jobs it promises, and is executed for an epoch."""

import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from mlflow import MlflowClient

from pipeline.config.schema import Config, TrackingConfig
from pipeline.experiment.jobs import Plan, plan_jobs
from pipeline.experiment.run import run_experiment

FOLDER = Path(__file__).resolve().parent.parent / "conf" / "experiment"
PRESETS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
# In conftest.py, test_golden_tasks.py and test_tutorial.py.
TUTORIAL = [preset for preset in PRESETS if preset.startswith("tutorial")]
TEXTS = ["char_rnn", "keras_text", "shakespeare_smoke", "tensorflow_text"]  # minutes as they are: executed on less
THOROUGH = [
    "airline_best",
    "airline_search",
    "char_rnn",
    "keras_text",
    "shakespeare_smoke",
    "tensorflow_text",
]  # what they train is trained in tests of the runner and the texts; --thorough executes the presets themselves
EXECUTED_ELSEWHERE = ["many_to_many", "adding", "delayed_copy", "seasonal_phase", "shops", *TUTORIAL]


def plan(preset: str, *words: str) -> Plan:
    ConfigStore.instance().store(name="base_config", node=Config)
    words = (f"experiment={preset}", "training.epochs=1", "seeds=1", *words)
    return plan_jobs(get_args_parser().parse_intermixed_args(list(words)))


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_is_what_it_says(preset: str) -> None:
    """A committed preset is refused, sweeps something else, or its first line names another command."""
    text = (FOLDER / f"{preset}.yaml").read_text()
    assert text.startswith(f"# @package _global_\n# python -m pipeline.run experiment={preset}: ")
    params = yaml.safe_load(text).get("hydra", {}).get("sweeper", {}).get("params", {})
    expected = math.prod(len(re.findall(r"\[[^]]*\]|[^,\[\]]+", str(values))) for values in params.values())
    planned = plan(preset)
    assert planned.is_sweep == bool(params)
    assert len(planned.jobs) == expected
    assert len({repr(job) for job in planned.jobs}) == expected
    assert {job.experiment for job in planned.jobs} == {preset}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[[Path], str]) -> Path:
    """A folder with one store for all presets."""
    folder = tmp_path_factory.mktemp("presets")
    make_store(folder)
    return folder


EXECUTED = sorted({*PRESETS} - {*EXECUTED_ELSEWHERE})


@pytest.mark.parametrize(
    "preset", [pytest.param(name, marks=pytest.mark.thorough) if name in THOROUGH else name for name in EXECUTED]
)
def test_a_preset_trains(preset: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A committed preset fails when it is run."""
    monkeypatch.chdir(place)
    store_uri = f"sqlite:///{place / 'mlflow.db'}"
    words: tuple[str, ...] = ()
    if preset in TEXTS:
        Path("text.txt").write_text("To be, or not to be, that is the question.\n" * 200)  # 8,600 characters
        words = ("dataset.path=text.txt", "batch_size=8", "look_back=10", "model.units=[8]")
    config = plan(preset, *words).jobs[-1]
    config.tracking = TrackingConfig(uri=store_uri, experiment_name=preset, log_model=False)
    record = run_experiment(config, preset, lambda text: None)
    assert MlflowClient(store_uri).get_run(record.run_id).info.status == "FINISHED"
