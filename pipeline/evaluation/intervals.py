"""Intervals around forecasts, and what they are worth: how much they cover, how wide they are, their score.

The interval score is that of Gneiting and Raftery, "Strictly Proper Scoring Rules, Prediction, and Estimation", 2007;
over the error of repeating the last value in training it is MSIS, as in the M4 competition.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from pipeline.data.prepared import PreparedData
from pipeline.evaluation.conformal import Conformal, follow_series
from pipeline.evaluation.metrics import naive_errors
from pipeline.evaluation.scores import Truth
from pipeline.models.heads.head import Head

Array = np.ndarray

Middles = Mapping[str, tuple[Array, Array]]

_NARROWEST, _TINY = 1e-9, 1e-300  # half a width, over the middle and at all: nothing is divided by zero
_SURE = 0.95  # of the interval of a coverage
_MOST_NUMBERS = 2**27  # radii of a run: 1 GB
_FEWEST_BEFORE_A_CHANGE = 10  # rows on either side
_CHANGED = 5.0  # gain in log-likelihood from which on two shares tell more than one


@dataclass(frozen=True)
class Bounds:
    """Intervals of forecasts, as wide below their middle as above.

    Attributes:
        levels: Shares they should cover, ascending.
        centres: Their middles: the forecasts, or what quantiles of a head lie around. Shape (time, steps, targets).
        radii: How far they reach; NaN outside the test part. Shape (time, steps, targets, levels).
        after: What goes on after the last row.
    """

    levels: tuple[float, ...]
    centres: Array
    radii: Array
    after: Conformal


@dataclass(frozen=True)
class Coverage:
    """What the intervals of one level are worth on the test part.

    Attributes:
        level: Share they should cover.
        share: Share they cover.
        low: Lower end of the 95 % interval of that share, as if timestamps did not depend on each other.
        high: Its upper end.
        widths: Mean width for each target, in its own unit. Shape (targets,).
        msis: Mean interval score over the error of repeating the last value in training.
        hits: Share that is covered at each scored timestamp that has an interval, by timestamp, ascending.
    """

    level: float
    share: float
    low: float
    high: float
    widths: Array
    msis: float
    hits: pd.Series


def name_level(level: float) -> str:
    """Name a level in columns and metrics.

    Example:
        >>> name_level(0.95), name_level(0.999)
        ('95', '99.9')
    """
    return f"{round(100 * level, 6):g}"


def name_quantile(level: float) -> str:
    """Name a quantile in columns.

    Example:
        >>> name_quantile(0.05)
        'quantile_0.05'
    """
    return f"quantile_{level:g}"


def find_middle(head: Head, answers: Array) -> tuple[Array, Array]:
    """Return the middle between the outermost quantiles, and how far they lie from it.

    Args:
        head: Whose answers they are.
        answers: Shape (..., targets, *shape of an answer).

    Returns:
        Each (..., targets). Of points the point, and 1: their errors are counted in the data's own units.
    """
    if not head.levels:
        points = head.points(answers)
        return points, np.ones_like(points)
    low, high = answers[..., 0], answers[..., -1]
    middle = low + (high - low) / 2
    width = high - low + (1.0 if head.rule is not None and head.rule.counts else 0.0)  # a count is a unit wide
    return middle, np.maximum(width / 2, _NARROWEST * np.abs(middle) + _TINY)


def bound_forecasts(
    data: PreparedData, truth: Truth, middles: Middles, levels: Sequence[float], adaptive: bool
) -> dict[str, Bounds]:
    """Put conformal intervals around forecasts of the test part, from their errors in the validation part on.

    Args:
        data: The data, with the whole test part.
        truth: What really happened.
        middles: Of several, by name, what `find_middle` gives of the answers for each row. Each (time, steps, targets).
        levels: Shares the intervals should cover, ascending.
        adaptive: Whether errors of the test part are learnt from, each from its own row on.

    Returns:
        By name; empty where there are no levels, no validation part, or more forecasts than memory holds.
    """
    validation, test = data.split.rows("validation"), data.split.rows("test")
    numbers = sum(each.size for each, _ in middles.values()) * len(levels)
    if not levels or not validation.any() or numbers > _MOST_NUMBERS:
        return {}
    slices = data.series.slices()
    begin = [_first(test, rows, rows.stop) for rows in slices]
    first = [_first(validation, rows, start) for rows, start in zip(slices, begin, strict=True)]
    counts = truth.scorable & (truth.parts["validation"] | truth.parts["test"])[:, None]
    actual, targets = np.where(counts, truth.actual, np.nan), len(truth.targets)
    centres, halves = (np.concatenate(each, axis=2) for each in zip(*middles.values(), strict=True))  # one pass
    actual = np.tile(actual, len(middles))  # as if they were targets
    ahead = data.windows.spec.horizon_steps
    sure = halves if truth.head.levels else None
    radii, after = follow_series(actual, centres, slices, first, begin, levels, ahead, adaptive, sure)
    own = {name: slice(place * targets, (place + 1) * targets) for place, name in enumerate(middles)}
    return {
        name: Bounds(tuple(levels), centres[:, :, each], radii[:, :, each], after.of_targets(each))
        for name, each in own.items()
    }


def _first(part: Array, rows: slice, otherwise: int) -> int:
    inside = part[rows]
    return rows.start + int(np.argmax(inside)) if inside.any() else otherwise


def measure_coverage(truth: Truth, timestamps: pd.Index, bounds: Bounds) -> list[Coverage]:
    """Return what intervals are worth on the scored rows of the test part, one entry for each level."""
    import scoringrules  # imported late: half a second

    scored = truth.scored("test")  # (time, targets)
    away = np.abs(bounds.centres - truth.actual[:, None])  # (time, steps, targets)
    each = naive_errors(truth.actual, truth.scored("train"), truth.slices)  # (lanes, targets)
    scale = np.concatenate(
        [np.broadcast_to(each[lane], scored[rows].shape) for lane, rows in enumerate(truth.slices)]
    )  # (time, targets)
    found = []
    for place, level in enumerate(bounds.levels):
        radii = bounds.radii[..., place]
        known = scored[:, None] & np.isfinite(radii)
        if not known.any():
            continue
        hits = np.where(known, away <= radii, np.nan)
        score = scoringrules.interval_score(away[known], -radii[known], radii[known], 1 - level, backend="numpy")
        scaled = score / np.broadcast_to(scale[:, None], known.shape)[known]
        rows = known.any(axis=(1, 2))
        by_time = pd.Series(np.nanmean(hits[rows], axis=(1, 2))).groupby(timestamps[rows]).mean()
        share = float(np.nanmean(hits))
        low, high = share_interval(share, len(by_time))
        widths = [2 * float(np.mean(radii[:, :, one][known[:, :, one]])) for one in range(scored.shape[1])]
        msis = float(np.nanmean(scaled)) if np.isfinite(scaled).any() else float("nan")
        found.append(Coverage(level, share, low, high, np.array(widths), msis, by_time))
    return found


def share_interval(share: float, count: int) -> tuple[float, float]:
    """Return the exact 95 % interval of a share among so many independent trials.

    Source: Clopper and Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
    1934.

    Example:
        >>> [round(each, 4) for each in share_interval(0.9, 100)]
        [0.8238, 0.951]
    """
    from scipy.special import betaincinv

    hits, tail = share * count, (1 - _SURE) / 2
    low = float(betaincinv(hits, count - hits + 1, tail)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, count - hits, 1 - tail)) if hits < count else 1.0
    return low, high


def interval_metrics(
    truth: Truth, network: Sequence[Coverage], baselines: Mapping[str, Sequence[Coverage]]
) -> dict[str, float]:
    """Return what intervals are worth, by MLflow name."""
    metrics: dict[str, float] = {}
    for each in network:
        name = name_level(each.level)
        metrics |= {
            f"coverage_{name}": each.share,
            f"coverage_{name}_low": each.low,
            f"coverage_{name}_high": each.high,
        }
        metrics |= {f"width_{name}{ending}": float(each.widths[only[0]]) for ending, only in truth.by_target()}
        metrics[f"msis_{name}"] = each.msis
    for baseline, found in baselines.items():
        for each in found:
            name = name_level(each.level)
            metrics[f"baseline_{baseline}_coverage_{name}"] = each.share
            metrics[f"baseline_{baseline}_msis_{name}"] = each.msis
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def describe_coverage(coverage: Coverage) -> str:
    """Say in one sentence whether an interval can be relied on.

    Returns:
        For example: the 95 % interval covers 91 % of the test part (88 to 94): too narrow from 1958-01 on.
    """
    level = coverage.level
    told = (
        f"the {name_level(level)} % interval covers {show_percent(coverage.share)} % of the test part "
        f"({show_percent(coverage.low)} to {show_percent(coverage.high)})"
    )
    change = find_change(coverage.hits.to_numpy(), level)
    if change is not None:
        place, share = change
        kind = "too narrow" if share < level else "too wide"
        return (
            f"{told}: {kind} from {coverage.hits.index.astype(str)[place]} on, where it covers {show_percent(share)} %"
        )
    if coverage.high < level:
        return f"{told}: too narrow"
    return f"{told}: too wide" if coverage.low > level else f"{told}, as it should"


def find_change(hits: Array, level: float) -> tuple[int, float] | None:
    """Find from where on an interval covers another share than it should, and did not before.

    Args:
        hits: Share that is covered at each timestamp. Shape (timestamps,).
        level: Share it should cover.

    Returns:
        The place, and the share from there on; None if there is no such place.
    """
    count = len(hits)
    places = np.arange(_FEWEST_BEFORE_A_CHANGE, count - _FEWEST_BEFORE_A_CHANGE + 1)
    if not places.size:
        return None
    before = np.cumsum(hits)[places - 1]
    after = hits.sum() - before
    gains = _likelihood(before, places) + _likelihood(after, count - places) - _likelihood(hits.sum(), count)
    best = int(np.argmax(gains))
    place, earlier, later = int(places[best]), before[best] / places[best], after[best] / (count - places[best])
    early, late = share_interval(earlier, place), share_interval(later, count - place)
    if gains[best] < _CHANGED or not early[0] <= level <= early[1] or late[0] <= level <= late[1]:
        return None
    return place, float(later)


def _likelihood(hits: Array, count: Array | int) -> Array:
    """Return the logarithm of the likelihood of so many hits at the share that is likeliest."""
    from scipy.special import xlogy

    return np.asarray(xlogy(hits, hits / count) + xlogy(count - hits, 1 - hits / count))


def show_percent(share: float) -> str:
    """Return a share in per cent; one that is nearly all keeps a decimal."""
    return f"{100 * share:.0f}" if share < 0.995 or share == 1 else f"{100 * share:.1f}"
