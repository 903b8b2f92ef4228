"""Try configurations on the folds of the past: train, forecast, score, in the data's own units."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.base.environment import hushed_stderr
from pipeline.base.errors import PipelineError
from pipeline.base.interrupt import wait_for_safe_point
from pipeline.base.moments import root_mean_square
from pipeline.base.terminal import say
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.scores import dress, score_part
from pipeline.experiment.scoring import forecast_baselines
from pipeline.searching.folds import Fold, fold_config, prepare_fold
from pipeline.searching.halving import Rung
from pipeline.searching.loop import Outcome
from pipeline.searching.space import Values, set_values
from pipeline.training.hyperparameters import without_hyperparameters

if TYPE_CHECKING:
    from pipeline.training.record import Training


Pair = tuple[Config, PreparedData]
Train = Callable[[Sequence[Pair]], "Sequence[Training]"]


@dataclass(frozen=True)
class Evaluator:
    """Tries configurations.

    Attributes:
        config: What all trials share.
        score: Scores groups of configurations, each of which one program can train, one group after another; what it is
            not asked for is not begun.
    """

    config: Config
    score: Callable[[Sequence[Sequence[Config]], Rung], Iterator[Sequence[Outcome]]]

    def __call__(self, candidates: Sequence[Values], rung: Rung) -> Iterator[Mapping[int, Outcome]]:
        """Yield what those scored that one program can train, group after group; first what is refused."""
        refused: dict[int, Outcome] = {}
        groups: dict[str, dict[int, Config]] = {}
        for place, values in enumerate(candidates):
            try:
                config = self._on_rung(values, rung)
                groups.setdefault(_program_of(config), {})[place] = config
            except PipelineError as error:
                refused[place] = Outcome(failure=str(error), trained=False)
        if refused:
            yield refused
        scored = self.score([list(alike.values()) for alike in groups.values()], rung)
        for alike, outcomes in zip(groups.values(), scored, strict=True):
            yield dict(zip(alike, outcomes, strict=True))

    def _on_rung(self, values: Values, rung: Rung) -> Config:
        config = set_values(self.config, values)
        epochs = max(1, round(config.training.epochs * rung.epochs))
        config = replace(config, seeds=rung.seeds, training=replace(config.training, epochs=epochs))
        check_ranges(config)
        return config


@dataclass(frozen=True)
class Scorer:
    """Scores configurations as they are on a rung.

    Attributes:
        folds: Of the past, the newest last.
        train: Trains configurations that one program can train, each with its data.
    """

    folds: Sequence[Fold]
    train: Train

    def score(self, configs: Sequence[Config], rung: Rung) -> list[Outcome]:
        """Score configurations that differ in hyperparameters only, on all folds of a rung at once."""
        try:
            folds = [(fold, prepare_fold(configs[0], fold)) for fold in self.folds[-rung.folds :]]
            pairs = [(fold_config(config, fold), data) for config in configs for fold, data in folds]
        except PipelineError as error:
            return [Outcome(failure=str(error), trained=False)] * len(configs)
        try:
            trainings = self.train(pairs)
        except PipelineError as error:
            return [Outcome(failure=str(error))] * len(configs)
        scored = [_score(data, training) for (_, data), training in zip(pairs, trainings, strict=True)]
        return [_join(scored[first : first + len(folds)]) for first in range(0, len(scored), len(folds))]


def _program_of(config: Config) -> str:
    """Name what configurations must share to be trained together."""
    return repr(without_hyperparameters(config))


def _score(data: PreparedData, training: "Training") -> np.ndarray | str:
    """Return the score of each seed on a fold, shape (seeds,), or why there is none."""
    if failures := [seed.failure for seed in training.seeds if seed.failure]:
        return failures[0]
    truth = take_truth(data)
    scored = truth.scored("test")
    scores = np.array([score_part(truth, align_outputs(data, each), scored) for each in training.forecasts])
    if not np.isfinite(scores).all():
        return "a score is not a finite number, although the losses are: the forecasts are too large"
    return scores


def _join(folds: Sequence[np.ndarray | str]) -> Outcome:
    """Score a configuration: the mean over seeds, of each seed the root of the mean square over the folds."""
    if failures := [each for each in folds if isinstance(each, str)]:
        return Outcome(failure=failures[0])
    scores = np.stack([each for each in folds if not isinstance(each, str)])  # (folds, seeds)
    by_seed = [root_mean_square(each) for each in scores.T]
    return Outcome(float(np.mean(by_seed)), tuple(scores.mean(axis=1).tolist()))


def score_persistence(config: Config, folds: Sequence[Fold]) -> float:
    """Return what repeating the last value scores on the folds, as configurations are scored."""
    scores = []
    for fold in folds:
        data = prepare_fold(config, fold)
        truth = take_truth(data)
        forecast = forecast_baselines(config, data)["persistence"]
        scores.append(score_part(truth, dress(truth, forecast), truth.scored("test")))
    return float(root_mean_square(np.array(scores)))


@contextmanager
def open_trainer() -> Iterator[Train]:
    """Give what trains configurations side by side; its programs stay open until the block ends."""
    with wait_for_safe_point(), hushed_stderr():
        from pipeline.training.groups import Job
        from pipeline.training.programs import Programs
        from pipeline.training.train import start_tensorflow, train_or_again

        start_tensorflow()

    def train(pairs: Sequence[Pair]) -> "Sequence[Training]":
        alike: dict[str, list[int]] = {}  # with transforms=auto folds may have chosen differently
        for place, (config, _) in enumerate(pairs):
            alike.setdefault(_program_of(config), []).append(place)
        found: dict[int, Training] = {}
        for places in alike.values():
            jobs = [Job(*pairs[place]) for place in places]
            with wait_for_safe_point():
                trainings = train_or_again(jobs, programs, lambda report: None, say)
            found |= dict(zip(places, trainings, strict=True))
        return [found[place] for place in range(len(pairs))]

    with Programs() as programs:
        yield train
