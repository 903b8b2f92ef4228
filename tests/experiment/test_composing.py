"""What the jobs of a sweep share is composed once, and each is what Hydra would have composed for it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore
from hydra.errors import HydraException
from omegaconf import OmegaConf

from pipeline.config.schema import Config, typed_config
from pipeline.experiment.composing import Composer, open_composer, read_once


@pytest.fixture
def composer() -> Iterator[Composer]:
    ConfigStore.instance().store(name="base_config", node=Config)
    with open_composer(get_args_parser().parse_args([])) as opened:
        yield opened


@pytest.mark.parametrize(
    "words",
    [
        ["look_back=6", "model.units=[8,4]", "training.learning_rate=1", "training.clip_norm=null"],
        ["model=gru", "look_back=6", "experiment=many_to_many", "stateful=false"],
        ["look_back=2", "experiment=many_to_many"],  # a preset, and what is said beside it, in any order
        ["dataset=csv", "dataset.path=a b.csv", "dataset.transforms=auto", "dataset.features=[a,'b c']"],
        ["dataset.transforms=[log,difference]", "dataset.calendar=[month]", "dataset.scaler=standard"],
        ["horizon=2", "look_back=${horizon}"],
        ["look_back=4", "dataset={period: 3}", "dataset.period=5"],
        ["hydra.verbose=true", "+hydra.extra=1", "seeds=2"],
        ["++look_back=5", "seeds=2"],
    ],
)
def test_a_job_is_what_hydra_composes(words: Sequence[str], composer: Composer) -> None:
    """A sweep trains, or checks, another configuration than its command line says."""
    composer.compose_job(["look_back=9", *words[1:]])  # what was made for one job must not reach another
    assert composer.compose_job(words) == typed_config(composer.compose(words))


def test_what_jobs_share_is_composed_once(composer: Composer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checking a sweep of thousands of jobs takes as many tenths of a second."""
    composed: list[Sequence[str]] = []
    whole = composer.compose
    monkeypatch.setattr(composer, "compose", lambda words: composed.append(words) or whole(words))
    for cell in ("lstm", "gru"):
        for look_back in range(1, 5):
            job = composer.compose_job([f"look_back={look_back}", f"model={cell}", "seeds=1"])
            assert (job.look_back, job.model.cell.value, job.seeds) == (look_back, cell, 1)
    assert composed == [["model=lstm"], ["model=gru"]]


def test_a_preset_that_refers_to_keys_is_composed_for_each_job(tmp_path: Path) -> None:
    """A preset of the user with `${look_back}` has the value of another job."""
    ConfigStore.instance().store(name="base_config", node=Config)
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text("# @package _global_\nhorizon: ${look_back}\n")
    with open_composer(get_args_parser().parse_args(["--config-dir", str(tmp_path)])) as composer:
        jobs = [composer.compose_job(["experiment=mine", f"look_back={look_back}"]) for look_back in (2, 5)]
    assert [job.horizon for job in jobs] == [2, 5]


def test_files_that_are_read_once_make_the_same_configurations(tmp_path: Path) -> None:
    """One job of a sweep changes what another one is; or a folder that was named later is not looked into."""
    ConfigStore.instance().store(name="base_config", node=Config)
    (tmp_path / "experiment").mkdir()
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.write_text("# @package _global_\ndefaults:\n  - override /model: gru\nhorizon: 2\n")
    mine_too = ["experiment=mine", "look_back=4"]
    jobs = [["experiment=many_to_many"], ["experiment=mine"], ["model=gru", "hydra.verbose=true"], [], mine_too]
    wide, narrow = (get_args_parser().parse_args(words) for words in (["--config-dir", str(tmp_path)], []))

    def compose() -> list[str]:
        with open_composer(wide) as composer:
            return [OmegaConf.to_yaml(composer.compose(words)) for words in jobs]

    expected = compose()
    with read_once():
        with open_composer(narrow) as composer, pytest.raises(HydraException, match="mine"):
            composer.compose(["experiment=mine"])
        assert compose() == expected
        mine.write_text("# @package _global_\nhorizon: 9\n")
        assert compose() == expected  # what was checked is what runs
    assert compose() != expected


@pytest.mark.parametrize(("word", "told"), [("look_back=many", "look_back=many"), ("look_bak=3", "look_bak")])
def test_a_wrong_value_is_refused_as_hydra_does(word: str, told: str, composer: Composer) -> None:
    """An error of a sweep is a traceback, or told in other words than that of a single job."""
    with pytest.raises(HydraException, match=told) as found:
        composer.compose_job(["seeds=1", word])
    with pytest.raises(HydraException, match=told) as expected:
        composer.compose(["seeds=1", word])
    assert str(found.value) == str(expected.value)
    assert str(found.value.__cause__) == str(expected.value.__cause__)
