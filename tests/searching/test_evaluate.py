"""Configurations that one program can train are tried together, and each keeps its own score and failure."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from pipeline.config.schema import Config, DatasetConfig, Source
from pipeline.data.sources import load_series
from pipeline.searching.evaluate import Evaluator, Scorer
from pipeline.searching.folds import make_folds
from pipeline.searching.halving import RUNGS

CONFIG = Config(dataset=DatasetConfig(name="airline", source=Source.packaged, path="airline.csv", time_column="month"))


def test_each_configuration_has_the_score_it_has_alone() -> None:
    """A score lands at another configuration, a fold is left out, or one that diverged takes others with it."""
    calls: list[int] = []

    def train(pairs: Sequence[Any]) -> Any:
        calls.append(len(pairs))
        found = []
        for config, data in pairs:
            rate = config.training.learning_rate
            shape = (config.seeds, len(data.windows.starts), data.windows.num_outputs)
            seeds = [SimpleNamespace(failure="the loss is nan" if rate > 1 else "")] * config.seeds
            found.append(SimpleNamespace(seeds=seeds, forecasts=np.full(shape, rate)))
        return found

    folds = make_folds(CONFIG, load_series(CONFIG.dataset))
    scorer = Scorer(folds, train)
    evaluator = Evaluator(CONFIG, lambda groups, rung: (scorer.score(group, rung) for group in groups))
    candidates = [
        {"training.learning_rate": rate, "model.units": units}
        for units, rate in (("[4]", "0.1"), ("[8]", "0.2"), ("[4]", "2.0"), ("[4]", "0.2"), ("[0]", "0.1"))
    ]
    rung = RUNGS[-1]
    groups = list(evaluator(candidates, rung))
    assert calls == [3 * rung.folds, rung.folds]  # [4] with three rates, [8] with one
    assert [list(group) for group in groups] == [[4], [0, 2, 3], [1]]  # each whole; what is refused costs no time
    together = {place: outcome for group in groups for place, outcome in group.items()}
    for place in (0, 1, 3):
        assert together[place] == next(evaluator([candidates[place]], rung))[0]
        assert len(together[place].folds) == rung.folds and not together[place].failure
    assert together[1].score == together[3].score != together[0].score
    assert together[2].failure == "the loss is nan"
    assert "model.units must list" in together[4].failure
    assert [together[place].trained for place in range(5)] == [True, True, True, True, False]
