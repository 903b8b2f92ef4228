"""An alarm for forecasts that have become worse than they were: three running sums of one-step errors (CUSUM).

An error is told by its rank among errors of the same lane before: those of the validation and test parts. Ranks become
normal scores, so neither the unit nor the distribution of errors matters: as long as the next error is like those
before, the scores are standard normal, but for what few errors leave unknown. Three sums, after Page ("Continuous
inspection schemes", 1954), grow where scores stay above ALLOWANCE and begin anew at zero:

    forecasts too low     of the error, actual - forecast
    forecasts too high    of its negative
    errors too large      of its absolute value

One above the threshold is an alarm. The threshold is such that all three together give RATE false alarms a row, on
average over what the errors before could have been, in the first 10,000 rows: with few errors before it is higher
(`benchmarks/alarm.py` finds it by simulation). Errors that hang together make sums wander farther, and say
less about what is usual: scores are divided by what that adds to their long-run deviation, as if of an autoregression
of order one, and so many fewer errors count as known.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

Array = np.ndarray

RATE = 1e-4  # false alarms per row of a lane
ALLOWANCE = 0.5  # half the shift, in deviations, that is found fastest
QUIET = 200  # rows without a sum above the threshold that end an alarm
FEWEST = 20  # errors before, without which nothing is an alarm
MOST_OF_ONE = 1000  # errors before, newest, that are kept where there is one series
MOST_OF_MANY = 127  # of each lane, where there are more
MEANINGS = ("forecasts are too low", "forecasts are too high", "errors are too large")  # of the sums
_THRESHOLDS = {20: 18.0, 30: 12.4, 50: 10.5, 80: 9.65, 127: 9.05, 250: 8.6, 500: 8.45, 1000: 8.35}  # by errors before
_MOST_CORRELATED = 0.9


_MOVES = np.array([[1.0, -1.0, 0.0], [0.0, 0.0, 1.0]])  # of the three sums, by a signed and an absolute score


@dataclass(frozen=True)
class ErrorsBefore:
    """What errors of each lane were like, up to the end of the test part; the last lane is one of which none is known.

    Attributes:
        scale: Root mean square of the errors, by which targets are made comparable. Shape (lanes + 1, targets).
        tables: Means over the targets of scaled errors, and of their absolute values, ascending; inf behind the last.
            Shape (lanes + 1, 2, kept + 1), float32.
        scores: Of an error that so many of them are below; NaN with too few of them. Shape (lanes + 1, 2, kept + 1).
        count: How many there are. Shape (lanes + 1,).
        threshold: Above which a sum is an alarm. Shape (lanes + 1,).
    """

    scale: Array
    tables: Array
    scores: Array
    count: Array
    threshold: Array

    def score(self, places: Array, errors: Array) -> Array:
        """Return normal scores of errors, signed and absolute; NaN for one that is not known, or has no errors before.

        Args:
            places: The lane of each error here. Shape (n,).
            errors: Shape (n, targets).

        Returns:
            Shape (n, 2).
        """
        kinds = np.arange(2)
        if len(self.tables) == 2:  # one series, whatever its lanes
            scaled, (signed, sizes) = _combine(errors / self.scale[0]), self.tables[0, :, :-1]
            ranks = np.array([signed.searchsorted(scaled[:, 0]), sizes.searchsorted(scaled[:, 1])]).T
            scores = self.scores[0][kinds, ranks]
        else:
            scaled = _combine(errors / self.scale[places])
            below = self.tables[places] < scaled[..., None].astype(np.float32)  # (n, 2, kept + 1), the last one False
            ranks = below.argmin(axis=2)
            scores = self.scores[places[:, None], kinds, ranks]
        known = np.isfinite(scaled)
        return scores if known.all() else np.where(known, scores, np.nan)


def measure_errors(errors: Sequence[Array], targets: int, ahead: int = 1) -> ErrorsBefore:
    """Measure the errors of each lane.

    Args:
        errors: Of each lane, oldest first, each (rows, targets); rows without a number are left out.
        targets: How many there are.
        ahead: Steps ahead that were forecast: errors are compared that are so many rows apart.
    """
    most = MOST_OF_ONE if len(errors) == 1 else MOST_OF_MANY
    known = [each[np.isfinite(each).all(axis=1)][-most:] for each in errors]
    kept, places = max(map(len, known), default=0), len(known) + 1
    scale, count, threshold = np.ones((places, targets)), np.zeros(places, int), np.full(places, np.inf)
    shape = (places, 2, kept + 1)
    tables, scores = np.full(shape, np.inf, np.float32), np.full(shape, np.nan, np.float32)
    for place, each in enumerate(known):
        count[place] = len(each)
        if len(each) < FEWEST:
            continue
        mean = np.sqrt((each**2).mean(axis=0))
        scale[place] = np.where(mean > 0, mean, 1.0)
        values = _combine(each / scale[place]).T  # (2, rows)
        tables[place, :, : len(each)] = ascending = np.sort(values, axis=1)
        of_ranks = _normal((np.arange(len(each) + 1) + 0.5) / (len(each) + 1))
        spread = [_spread(row, order, ahead) for row, order in zip(values, ascending, strict=True)]
        scores[place, :, : len(each) + 1] = of_ranks / np.array(spread)[:, None]
        threshold[place] = find_threshold(len(each) / max(spread) ** 2)
    return ErrorsBefore(scale, tables, scores, count, threshold)


def advance_sums(sums: Array, scores: Array) -> Array:
    """Return the sums after another error of each lane; those of a score that is NaN stay.

    Args:
        sums: Shape (n, 3), in the order of MEANINGS.
        scores: Signed and absolute. Shape (n, 2).
    """
    moved = np.maximum(sums + (scores @ _MOVES - ALLOWANCE), 0.0)
    return moved if np.isfinite(moved).all() else np.where(np.isnan(moved), sums, moved)


def find_threshold(count: float) -> float:
    """Return the threshold for so many errors before: between those that were simulated, straight in 1 / count."""
    known = np.array(list(_THRESHOLDS))
    return float(np.interp(-1 / count, -1 / known, list(_THRESHOLDS.values())))


def _combine(scaled: Array) -> Array:
    """Return the means over the targets, of errors and of their absolute values. Shape (n, 2)."""
    if scaled.shape[1] == 1:
        return np.concatenate([scaled, np.abs(scaled)], axis=1)
    return np.stack([scaled.mean(axis=1), np.abs(scaled).mean(axis=1)], axis=1)


def _normal(shares: Array) -> Array:
    """Return the normal scores of shares between 0 and 1."""
    return np.array([NormalDist().inv_cdf(share) for share in shares.tolist()])


def _spread(values: Array, ascending: Array, ahead: int) -> float:
    """Return how much farther sums of scores wander than if each were by itself."""
    if len(values) < FEWEST + ahead:
        return 1.0
    scores = _normal((np.searchsorted(ascending, values) + 0.5) / len(values))
    correlation = float((scores[ahead:] * scores[:-ahead]).mean() / (scores**2).mean())
    correlation = min(max(correlation, 0.0), _MOST_CORRELATED)
    return float(((1 + correlation) / (1 - correlation)) ** 0.5)
