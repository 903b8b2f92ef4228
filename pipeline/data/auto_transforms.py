"""dataset.transforms=auto: which transforms a series asks for, decided on its training part alone.

- log: every value is above zero, and the spread of the changes grows with the level;
- seasonal_difference: the season explains most of what is left of the series without its trend;
- difference: KPSS rejects a constant level, after the two above.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.text import show_name
from pipeline.config.schema import Config, Transform
from pipeline.data.arrays import FloatArray
from pipeline.data.series import Series
from pipeline.data.series_statistics import kpss_statistic, seasonal_strength, spread_slope
from pipeline.data.short_lanes import leave_out_short
from pipeline.data.split import split_series
from pipeline.data.transforms import forward_transforms
from pipeline.data.window_spec import make_window_spec

KPSS_CRITICAL = 0.463  # 5 % level of a constant level: Kwiatkowski et al. 1992, table 1
STRONG_SEASON = 0.64  # Wang, Smith and Hyndman 2006; as R's forecast::nsdiffs has it
GROWING_SPREAD = 0.5  # nearer to 1, where the logarithm is right, than to 0: Bartlett 1947, Tukey 1977
_LEAST_PERIODS = 3  # in the training part, of which one is lost to the difference
_ROUNDING = 1e-12  # of the largest value: what a difference leaves of a straight line


@dataclass(frozen=True)
class Choice:
    """What was chosen, and why.

    Attributes:
        steps: The transforms, in order of application.
        reasons: One sentence without a final stop for each that was looked at.
    """

    steps: tuple[Transform, ...]
    reasons: tuple[str, ...]

    def tell(self) -> str:
        """Say both in one line."""
        chosen = ",".join(step.value for step in self.steps)
        return f"dataset.transforms=auto chose [{chosen}] by the training part: {'; '.join(self.reasons)}"


def resolve_transforms(config: Config, series: Series) -> tuple[Config, Choice | None]:
    """Put the transforms that the training part asks for in place of auto.

    Args:
        config: The configuration of a run.
        series: What it names, loaded.

    Returns:
        The configuration to go on with, and the choice; the same configuration and None if there was none to make.

    Raises:
        UserError: If the logarithm is chosen and a value after the training part has none.
    """
    if Transform.auto not in config.dataset.transforms:
        return config, None
    bare = replace(config, dataset=replace(config.dataset, transforms=[]))
    kept = leave_out_short(bare, series)
    choice = choose_transforms(bare, kept)
    if Transform.log in choice.steps:
        _check_later(config, kept, choice)
    return replace(config, dataset=replace(config.dataset, transforms=list(choice.steps))), choice


def choose_transforms(config: Config, series: Series) -> Choice:
    """Choose the transforms of all series of a panel together; what more than half of its targets ask for is done.

    Args:
        config: The configuration, without transforms. With rolling origins, the first one decides for all.
        series: One series or a panel.
    """
    split = split_series(series, config.dataset, config.protocol, 0, config.evaluation.origins)
    in_train = split.rows("train")
    values = series.transformable()
    train = [values[rows][in_train[rows]] for rows in series.slices()]  # each (time, columns)
    chooser = _Chooser(config, series, train, series.column_numbers(series.targets))
    steps: list[Transform] = []
    reasons = []
    for look in (chooser.look_at_log, chooser.look_at_season, chooser.look_at_level):
        step, reason = look(tuple(steps))
        steps += [step] if step is not None else []
        reasons += [reason] if reason else []
    ordered = [step for step in Transform if step in steps]  # log, difference, seasonal_difference
    return Choice(tuple(ordered), tuple(reasons))


_Look = tuple[Transform | None, str]


@dataclass(frozen=True)
class _Chooser:
    """The training part of each series, and one look at it for each transform.

    Attributes:
        config: Names the period and the windows.
        series: Names the columns.
        train: The training part of each series. Each (time, columns).
        targets: The columns that decide.
    """

    config: Config
    series: Series
    train: Sequence[FloatArray]
    targets: Sequence[int]

    def look_at_log(self, steps: tuple[Transform, ...]) -> _Look:
        """Look whether the changes grow with the level."""
        for values in self.train:
            bad = np.argwhere(values <= 0)
            if bad.size:
                name = show_name(self.series.columns[int(bad[0, 1])])
                return None, f"no log, because '{name}' is not above zero everywhere"
        asked = [spread_slope(each, self.config.dataset.period) for each in self._each(steps)]
        many = [slope is not None and slope >= GROWING_SPREAD for slope in asked]
        shown = _show([0.0 if slope is None else slope for slope in asked], "spread grows with level to the power of")
        if not _most(many):
            return None, f"no log, because the spread does not grow with the level{_count(many)}"
        return Transform.log, f"log, because the {shown}{_count(many)}"

    def look_at_season(self, steps: tuple[Transform, ...]) -> _Look:
        """Look whether the season is strong, and long enough a training part is left without its first one."""
        period, step = self.config.dataset.period, Transform.seasonal_difference
        if period < 2:
            return None, ""
        shortest = min(len(values) for values in self.train)
        needed = max(_LEAST_PERIODS * period, period + 1 + make_window_spec(self.config, self.series).num_rows)
        if shortest < needed:
            return None, f"no seasonal_difference, because {shortest} training steps hold too few periods of {period}"
        strengths = [seasonal_strength(each, period) for each in self._each(steps)]
        many = [strength > STRONG_SEASON for strength in strengths]
        shown = _show(strengths, "strength of the season is")
        if not _most(many):
            return None, f"no seasonal_difference, because the {shown}, not above {STRONG_SEASON}{_count(many)}"
        if self._is_flat((*steps, step)):
            return None, "no seasonal_difference, because it would leave a column constant"
        return step, f"seasonal_difference, because the {shown}, above {STRONG_SEASON}{_count(many)}"

    def look_at_level(self, steps: tuple[Transform, ...]) -> _Look:
        """Look whether the level is constant."""
        found = [kpss_statistic(each) for each in self._each(steps)]
        many = [statistic > KPSS_CRITICAL for statistic in found]
        shown = _show(found, "KPSS statistic of a constant level is")
        after = f" after {_name(steps)}" if steps else ""
        if not _most(many):
            return None, f"no difference, because the {shown}{after}, not above {KPSS_CRITICAL}{_count(many)}"
        if self._is_flat((*steps, Transform.difference)):
            return None, "no difference, because it would leave a column constant"
        return Transform.difference, f"difference, because the {shown}{after}, above {KPSS_CRITICAL}{_count(many)}"

    def _each(self, steps: tuple[Transform, ...]) -> list[FloatArray]:
        """Return every target of every series after some steps. Each (time,)."""
        return [values[:, column] for values in self._after(steps) for column in self.targets]

    def _after(self, steps: tuple[Transform, ...]) -> list[FloatArray]:
        stages = [forward_transforms(values, steps, self.config.dataset.period) for values in self.train]
        return [stage.values[stage.lost :] for stage in stages]

    def _is_flat(self, steps: tuple[Transform, ...]) -> bool:
        """Return whether a column would have nothing left to learn from."""
        before, after = np.concatenate(self._after(steps[:-1])), np.concatenate(self._after(steps))
        return bool((np.ptp(after, axis=0) <= _ROUNDING * np.abs(before).max(axis=0)).any())


def _most(many: Sequence[bool]) -> bool:
    return 2 * sum(many) > len(many)


def _count(many: Sequence[bool]) -> str:
    return f" ({sum(many)} of {len(many)} series)" if len(many) > 1 else ""


def _show(found: Sequence[float], what: str) -> str:
    many = "median " if len(found) > 1 else ""
    return f"{many}{what} {float(np.median(found)):.2f}"


def _name(steps: Sequence[Transform]) -> str:
    return " and ".join(step.value for step in steps)


def _check_later(config: Config, series: Series, choice: Choice) -> None:
    """Refuse a series whose later values have no logarithm: they had no say in the choice."""
    values = series.transformable()
    bad = np.argwhere(values <= 0)
    if not bad.size:
        return
    row, column = (int(position) for position in bad[0])
    rest = ",".join(step.value for step in choice.steps if step is not Transform.log)
    raise UserError(
        f"dataset '{config.dataset.name}'{series.describe_row(row)}: the column '{series.columns[column]}' holds "
        f"{values[row, column]:g}, which has no logarithm; dataset.transforms=auto chose log because every value of "
        f"the training part is above zero; set dataset.transforms=[{rest}]"
    )
