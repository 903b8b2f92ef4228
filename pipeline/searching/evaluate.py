"""Try configurations on the folds of the past: train, forecast, score, in the data's own units."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.base.environment import hushed_stderr
from pipeline.base.errors import PipelineError, TrainingError
from pipeline.base.interrupt import wait_for_safe_point
from pipeline.base.moments import root_mean_square
from pipeline.base.programs import forget_programs
from pipeline.config.gates import check_ranges
from pipeline.config.schema import Config
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.scores import score_part
from pipeline.experiment.scoring import forecast_baselines
from pipeline.searching.folds import Fold, fold_config, prepare_fold
from pipeline.searching.halving import Rung
from pipeline.searching.loop import Outcome
from pipeline.searching.space import Values, set_values

if TYPE_CHECKING:
    from pipeline.training.train import Training


@dataclass(frozen=True)
class Evaluator:
    """Tries configurations.

    Attributes:
        config: What all trials share.
        folds: Of the past, the newest last.
        train: Trains all seeds of a configuration.
    """

    config: Config
    folds: Sequence[Fold]
    train: "Callable[[Config, PreparedData], Training]"

    def __call__(self, candidates: Sequence[Values], rung: Rung) -> Iterator[Outcome]:
        """Yield what each scored, in order."""
        for values in candidates:
            try:
                yield self._try(set_values(self.config, values), rung)
            except PipelineError as error:
                yield Outcome(failure=str(error))

    def _try(self, config: Config, rung: Rung) -> Outcome:
        """Score one configuration: the mean over seeds, of each seed the root of the mean square over the folds."""
        epochs = max(1, round(config.training.epochs * rung.epochs))
        config = replace(config, seeds=rung.seeds, training=replace(config.training, epochs=epochs))
        check_ranges(config)
        scores = np.stack([self._score(config, fold) for fold in self.folds[-rung.folds :]])  # (folds, seeds)
        if not np.isfinite(scores).all():
            raise TrainingError("a score is not a finite number, although the losses are: the forecasts are too large")
        by_seed = [root_mean_square(each) for each in scores.T]
        return Outcome(float(np.mean(by_seed)), tuple(scores.mean(axis=1).tolist()))

    def _score(self, config: Config, fold: Fold) -> np.ndarray:
        data = prepare_fold(config, fold)
        training = self.train(fold_config(config, fold), data)
        failures = [seed.failure for seed in training.seeds if seed.failure]
        if failures:
            raise TrainingError(failures[0])
        truth = take_truth(data)
        scored = truth.scored("test")
        return np.array([score_part(truth, align_outputs(data, each), scored) for each in training.forecasts])


def score_persistence(config: Config, folds: Sequence[Fold]) -> float:
    """Return what repeating the last value scores on the folds, as configurations are scored."""
    scores = []
    for fold in folds:
        data = prepare_fold(config, fold)
        truth = take_truth(data)
        forecast = forecast_baselines(config, data)["persistence"]
        scores.append(score_part(truth, truth.head.spread(forecast), truth.scored("test")))
    return float(root_mean_square(np.array(scores)))


def train_alone(config: Config, data: PreparedData) -> "Training":
    """Train all seeds of one configuration on one fold."""
    with wait_for_safe_point(), hushed_stderr():
        from pipeline.training.train import start_tensorflow, train_seeds

        start_tensorflow()
    with wait_for_safe_point():
        try:
            return train_seeds(config, data, lambda report: None)
        except Exception as error:
            if forget_programs(str(error)) is None:
                raise
        return train_seeds(config, data, lambda report: None)
