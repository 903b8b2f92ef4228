"""Rolling-origin validation on the past: each fold is a series that ends where the fold ends, and is prepared as one.

    the series   |------------------ past ------------------|---- test: never looked at ----|
    fold 0       |------ train ------|-- stop --|- scored -|
    fold 1                  |------ train ------|-- stop --|- scored -|
    fold 2                             |------ train ------|-- stop --|- scored -|

Training stops by the part `stop`; the score is that of the steps after it. Scaler and network are fitted anew in each.
All folds have the same length, so that one compiled program trains them.
"""

from dataclasses import dataclass, replace

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, ShortLanes
from pipeline.data.auto_transforms import resolve_transforms
from pipeline.data.cycles import add_cycles
from pipeline.data.past import count_past, count_steps, cut_series
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series

NUM_FOLDS = 3
_SCORED, _STOP = 0.1, 0.15  # share of the past, and of the fold


@dataclass(frozen=True)
class Fold:
    """A part of the past.

    Attributes:
        series: What it sees: nothing after its end.
        stop: Time steps by which training stops.
        scored: Time steps after them, at the end, by which it is judged.
    """

    series: Series
    stop: int
    scored: int


def make_folds(config: Config, series: Series) -> list[Fold]:
    """Cut the past of a series into folds, the newest last.

    Raises:
        UserError: If the past is too short.
    """
    past = count_past(config, series)
    scored = max(config.horizon, round(past * _SCORED))
    length = past - (NUM_FOLDS - 1) * scored
    stop = max(config.horizon, round(length * _STOP))
    if length - stop - scored < 2:
        raise UserError(
            f"dataset '{config.dataset.name}' has {past} time steps before its test part, too few for {NUM_FOLDS} "
            f"folds with horizon={config.horizon}; lower dataset.test_fraction or horizon"
        )
    begins = [number * scored for number in range(NUM_FOLDS)]
    return [Fold(cut_series(series, first + length, first), stop, scored) for first in begins]


def prepare_fold(config: Config, fold: Fold) -> PreparedData:
    """Prepare a fold as a run prepares its series; its test part is what is scored.

    Raises:
        UserError: If the fold and the configuration do not go together.
    """
    series = with_calendar(config, fold.series)
    return prepare_data(fold_config(config, replace(fold, series=series)), series)


def with_calendar(config: Config, series: Series) -> Series:
    """Return a series with the inputs of dataset.calendar, unless it was loaded with them."""
    return series if series.computed else add_cycles(series, config.dataset)


def fold_config(config: Config, fold: Fold) -> Config:
    """Return the configuration of a training on a fold: parts by number of steps, short lanes left out.

    dataset.transforms=auto chooses by the training part of the fold.
    """
    length = count_steps(fold.series)
    dataset = replace(
        config.dataset,
        validation_start=None,
        test_start=None,
        validation_fraction=fold.stop / length,
        test_fraction=fold.scored / length,
        short_lanes=ShortLanes.leave_out if fold.series.series_ids else config.dataset.short_lanes,
    )
    return resolve_transforms(replace(config, dataset=dataset), fold.series)[0]
