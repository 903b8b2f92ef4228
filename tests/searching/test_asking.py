"""What a search asks of workers: scores come group by group, in their order, whoever is done first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source, TrainingConfig
from pipeline.launching.answers import write_failure
from pipeline.searching.asking import score_groups
from pipeline.searching.halving import RUNGS

JOB = Config(dataset=DatasetConfig(name="sine", source=Source.sine))


def alike(units: int, number: int) -> list[Config]:
    """Return so many configurations that one program trains; each is known by its learning rate."""
    rates = [units + step / 10 for step in range(number)]
    return [
        replace(JOB, model=ModelConfig(units=[units]), training=TrainingConfig(learning_rate=each)) for each in rates
    ]


@dataclass
class LastFirst:
    """So many workers, of which the last is done first; a trial scores its learning rate."""

    number: int
    fails: int = -1
    asked: list[int] = field(default_factory=list)

    def ask(self, batches: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[Mapping[str, Any]]:
        for (task,) in reversed(batches):
            self.asked.append(len(task["trials"]))
            if task["place"] == self.fails:
                yield write_failure(task, "its worker was ended by signal 9, 2 times")
                continue
            scores = [trial["training"]["learning_rate"] for trial in task["trials"]]
            outcomes = [{"score": score, "folds": [score], "failure": "", "trained": True} for score in scores]
            yield {"place": task["place"], "kind": "", "error": "", "outcomes": outcomes}


@pytest.mark.parametrize(("workers", "sizes"), [(1, [1, 2, 5]), (3, [1, 2, 2, 3]), (9, [1] * 8)])
def test_scores_come_group_by_group_in_their_order(workers: int, sizes: list[int]) -> None:
    """With workers a budget of trainings ends after another trial than in one process: there is another champion."""
    asked = LastFirst(workers)
    groups = [alike(1, 5), alike(2, 2), alike(3, 1)]
    found = [[outcome.score for outcome in group] for group in score_groups(asked, JOB, JOB, groups, RUNGS[0])]
    assert found == [[config.training.learning_rate for config in group] for group in groups]
    assert asked.asked == sizes  # every worker has something to do


def test_a_trial_that_kills_its_workers_fails_with_its_batch_alone() -> None:
    """One network that does not fit into memory ends the search."""
    first, second = score_groups(LastFirst(2, fails=1), JOB, JOB, [alike(1, 1), alike(2, 2)], RUNGS[0])
    assert [outcome.failure for outcome in (*first, *second)] == [
        "",
        *["its worker was ended by signal 9, 2 times"] * 2,
    ]
