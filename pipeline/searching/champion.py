"""The champion: the best trial, trained again with fresh seeds as an ordinary run, and judged once by the test part."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pipeline.base.disk import explain_disk
from pipeline.base.errors import PipelineError, TrainingError
from pipeline.base.record import RunRecord
from pipeline.baselines.registry import BASELINES
from pipeline.config.schema import Config, flat_config
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.searching.folds import with_calendar
from pipeline.searching.space import Values, parse_words, set_values
from pipeline.searching.trials import Trial

FRESH = 1000  # the champion's first seed is so many after that of the trials


@dataclass(frozen=True)
class Champion:
    """What a search found.

    Attributes:
        trial: The best trial that can be trained on the whole series.
        values: The text of each key that the search chose or set.
        record: The run that was trained with it.
        config: What was trained.
    """

    trial: Trial
    values: Values
    record: RunRecord
    config: Config

    @property
    def parameters(self) -> dict[str, Any]:
        """The same as values."""
        found = parse_words([f"{key}={text}" for key, text in self.values.items()])
        return {str(override.key_or_group): override.value() for override in found}

    @property
    def ensemble(self) -> float:
        """Test score of the mean forecast of all seeds."""
        return self.record.metrics[self.record.measure.of("mean_forecast")]

    @property
    def baselines(self) -> dict[str, float]:
        """Test score of each baseline that has a forecast."""
        names = (name for name in BASELINES if self.record.measure.of(f"baseline_{name}") in self.record.metrics)
        return {name: score for name in names if math.isfinite(score := self.record.baseline(name))}


def train_champion(
    config: Config, fixed: Mapping[str, str], ranked: Sequence[Trial], series: Series, seeds: int,
    tell: Callable[[str], None], train: Callable[[Config], RunRecord],
) -> Champion:  # fmt: skip
    """Train the best trial with fresh seeds.

    Args:
        config: What all trials share; its `tracking` names the search.
        fixed: The text of each key that the space sets.
        ranked: The complete trials, the best first.
        series: The whole series.
        seeds: How many trainings.
        tell: Shows a sentence to the person who waits.
        train: Trains a configuration on the whole series.

    Raises:
        TrainingError: If no complete trial goes with the whole series and can be trained on it, or a disk is full.
    """
    lost: PipelineError | None = None
    for trial in ranked:
        values = {**fixed, **trial.values}
        chosen = set_values(config, values)
        names = [key for key in trial.values if flat_config(chosen)[key] != flat_config(config)[key]]
        tracking = replace(chosen.tracking, log_model=True, sweep_keys=names)
        chosen = replace(chosen, seeds=seeds, seed=config.seed + FRESH, tracking=tracking)
        try:
            whole = with_calendar(chosen, series)
            prepare_data(resolve_transforms(chosen, whole)[0], whole)
            record = train(chosen)
        except PipelineError as error:
            if explain_disk(error) is not None:
                raise
            tell(f"trial {trial.number} is no champion, the next best is taken: {error}")
            lost = error
        else:
            return Champion(trial, values, record, chosen)
    raise TrainingError(f"no complete trial can be trained on the whole series; the last one: {lost}") from lost
