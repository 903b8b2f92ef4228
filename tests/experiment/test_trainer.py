"""Which jobs of a sweep are trained together; that their bits are those of a training alone: tests/training."""

from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from pipeline.config.schema import Config, DatasetConfig, TrainingConfig
from pipeline.data.prepared import PreparedData
from pipeline.experiment.trainer import Trainer
from pipeline.models.heads.point import PointHead
from pipeline.training import train as train_module
from pipeline.training.groups import Job


def make_data(name: str = "data", windows: int = 10) -> PreparedData:
    """What a trainer looks at: which values they are, and how many forecasts a seed will have."""
    series = SimpleNamespace(digest=lambda: name)
    sizes = SimpleNamespace(starts=range(windows), num_outputs=1)
    return cast(PreparedData, SimpleNamespace(series=series, windows=sizes, head=PointHead()))


DATA = make_data()


def make_job(look_back: int = 3, **changes: Any) -> Config:
    training = TrainingConfig(**changes.pop("training", {}))
    config = Config(look_back=look_back, dataset=DatasetConfig(name="a"), training=training, **{"seeds": 1} | changes)
    return replace(config, tracking=replace(config.tracking, parent_run_id=str(id(config))))


RATES = [make_job(training={"learning_rate": rate}) for rate in (0.1, 0.2, 0.3)]


@dataclass(frozen=True)
class Trained:
    config: Config
    data: PreparedData
    forecasts: np.ndarray


@pytest.fixture
def companies(monkeypatch) -> list[list[Config]]:
    """The configurations of each call of the engine; every training remembers what it was made of."""
    found: list[list[Config]] = []

    def train(jobs: list[Job], programs: object, report: object) -> list[Trained]:
        found.append([job.config for job in jobs])
        return [Trained(job.config, job.data, np.zeros(1)) for job in jobs]

    monkeypatch.setattr(train_module, "train_side_by_side", train)
    monkeypatch.setattr(train_module, "most_side_by_side", lambda config, data: 4)
    return found


def train_in_turn(jobs: list[Config], **more: Any) -> list[str]:
    told: list[str] = []
    with Trainer(jobs) as trainer:
        for job in jobs:
            again = replace(job, tracking=replace(job.tracking, sweep_keys=["a"]))  # as Hydra composes it once more
            trained = cast(Trained, trainer.train(again, again, DATA, "job", told.append, **more))
            assert replace(trained.config, tracking=job.tracking) == job
    return told


def sizes(companies: list[list[Config]]) -> list[int]:
    return [len(company) for company in companies]


def test_jobs_that_one_program_trains_are_trained_when_the_first_comes(companies) -> None:
    """A sweep over learning rates would train one after another, or log one job's training as another's."""
    assert train_in_turn(RATES) == ["job: trained side by side with 2 other job(s) of this sweep"]
    assert sizes(companies) == [3]


def test_they_need_not_follow_each_other(companies) -> None:
    """A sweep in another order of its keys would be slower."""
    train_in_turn([RATES[0], make_job(look_back=5), *RATES[1:]])
    assert sizes(companies) == [3, 1]


@pytest.mark.parametrize(
    ("jobs", "expected"),
    [
        ([*RATES, *[make_job(seed=seed) for seed in (5, 6, 7)]], [4, 2]),  # as many seeds as keep the cores busy
        ([make_job(seeds=2, seed=seed) for seed in (1, 3, 5)], [2, 1]),
        ([make_job(seeds=4, seed=seed) for seed in (1, 5)], [1, 1]),
        ([make_job(), make_job(training={"patience": None})], [1, 1]),  # another program
        ([make_job(), make_job()], [1, 1]),  # the same again: its place in the sweep must not be mistaken
    ],
)
def test_how_many_are_trained_together(jobs, expected, companies) -> None:
    """Ctrl-C would lose a long sweep, or a job would be trained with what needs another program."""
    train_in_turn(jobs)
    assert sizes(companies) == expected


def test_what_a_finished_run_stands_for_is_not_trained(companies) -> None:
    """resume=true would train again what it then reads back."""
    with Trainer(RATES) as trainer:
        trainer.train(RATES[0], RATES[0], DATA, "job", print, lambda other: other.training.learning_rate == 0.2)
    assert [config.training.learning_rate for config in companies[0]] == [0.1, 0.3]


def test_each_origin_has_a_training_of_its_own(companies) -> None:
    """A rolling origin would be scored with the network of another origin, which may know its test part."""
    with Trainer(RATES) as trainer:
        for job in RATES:
            for origin in (0, 1):
                data = make_data(f"origin {origin}")
                trained = cast(Trained, trainer.train(job, job, data, "job", print, origin=origin))
                assert trained.config == job
                assert trained.data.series.digest() == data.series.digest()
    assert sizes(companies) == [3, 3]


def test_what_the_data_decided_goes_to_all(companies) -> None:
    """With dataset.transforms=auto the others would be trained with a word instead of transforms."""
    with Trainer(RATES) as trainer:
        chosen = replace(RATES[0], dataset=replace(RATES[0].dataset, period=12))
        trainer.train(RATES[0], chosen, DATA, "job", print)
    assert {config.dataset.period for config in companies[0]} == {12}


def test_a_file_that_has_grown_is_learnt_again(companies) -> None:
    """A job is scored on rows that came after the others were trained, by a network that never saw the new scale."""
    with Trainer(RATES) as trainer:
        for number, job in enumerate(RATES):
            data = make_data(f"{number} rows more")
            trained = cast(Trained, trainer.train(job, job, data, "job", print))
            assert (trained.config, trained.data) == (job, data)


def test_forecasts_that_wait_for_their_turn_are_bounded(companies) -> None:
    """Side by side a sweep runs out of memory, whose jobs one after another would not."""
    with Trainer(RATES) as trainer:
        trainer.train(RATES[0], RATES[0], make_data(windows=2**26), "job", print)  # 256 MB a seed
    assert sizes(companies) == [2]
