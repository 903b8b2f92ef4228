"""The scores that the airline tutorial printed, one run per recipe, and where each falls among ours.

Source: J. Brownlee, "Time Series Prediction with LSTM Recurrent Neural Networks in Python with Keras", as of 2016/17,
https://machinelearningmastery.com/time-series-prediction-lstm-recurrent-neural-networks-python-keras/
RMSE in thousand passengers, on 94 and 46 (look_back=1) or 92 and 44 (look_back=3) points. The page contradicts itself
once: it prints a test RMSE of 47.53 and speaks of "about 52" below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.base.text import show_number


@dataclass(frozen=True)
class Published:
    """What one variant printed: train and test RMSE of one run, in thousand passengers."""

    train: float
    test: float


PUBLISHED = {
    "tutorial_regression": Published(22.93, 47.53),
    "tutorial_window": Published(24.19, 58.03),
    "tutorial_time_steps": Published(23.69, 58.88),
    "tutorial_stateful": Published(20.74, 52.23),
    "tutorial_stacked": Published(20.49, 56.35),
}

# What is known of the tutorial's environment.
WHY = (
    "The tutorial ran each recipe once, with a seed that does not reach TensorFlow, so its numbers cannot be repeated. "
    "Its Keras 1 and 2 computed the gates with hard_sigmoid, today's with sigmoid; we tested that "
    "(benchmarks/tutorial_gates.py repeats it), and it is not the reason: of 256 other seeds of tutorial_stateful, 5 % "
    "have a train RMSE of 20.74 or less with sigmoid and 2 % with hard_sigmoid."
)


@dataclass(frozen=True)
class Place:
    """Where a published number falls among the scores of our seeds.

    Attributes:
        published: The number.
        scores: Of our seeds. Shape (seeds,).
    """

    published: float
    scores: np.ndarray

    @property
    def percentile(self) -> float:
        """Per cent of our seeds that are as low, or lower.

        Example:
            >>> Place(2.5, np.array([1.0, 2.0, 3.0, 4.0])).percentile
            50.0
        """
        return float(np.mean(self.scores <= self.published) * 100)

    @property
    def inside(self) -> bool:
        """Whether some seed is as low and some as high."""
        return bool(self.scores.min() <= self.published <= self.scores.max())


def expected_outside(numbers: int, seeds: int) -> float:
    """Return how many of some numbers fall outside the range of our seeds by chance, if nothing sets them apart.

    The largest and the smallest of n + 1 draws from one distribution are equally likely to be any of them.

    Example:
        >>> round(expected_outside(10, 32), 1)
        0.6
    """
    return numbers * 2 / (seeds + 1)


def describe_place(variant: str, train: Place, test: Place) -> str:
    """Say whether the two published numbers of a variant fall inside our distribution.

    Example:
        >>> ours = np.array([1.0, 2.0, 3.0, 4.0])
        >>> describe_place("a", Place(2.0, ours), Place(9.0, ours))
        'a: OUTSIDE: the published test RMSE of 9.000 is above all of our 4 seeds (1.000 to 4.000); train RMSE inside'
    """
    if train.inside and test.inside:
        return (
            f"{variant}: inside: {test.percentile:.0f} % of our {len(test.scores)} seeds have a test RMSE of "
            f"{show_number(test.published)} or less, {train.percentile:.0f} % a train RMSE of "
            f"{show_number(train.published)} or less"
        )
    out = [_outside(part, place) for part, place in (("train", train), ("test", test)) if not place.inside]
    within = [f"{part} RMSE inside" for part, place in (("train", train), ("test", test)) if place.inside]
    return f"{variant}: OUTSIDE: {'; '.join([*out, *within])}"


def _outside(part: str, place: Place) -> str:
    side = "below" if place.published < place.scores.min() else "above"
    span = f"{show_number(place.scores.min())} to {show_number(place.scores.max())}"
    published = show_number(place.published)
    return f"the published {part} RMSE of {published} is {side} all of our {len(place.scores)} seeds ({span})"


def describe_baselines(
    tests: Sequence[float], ours: Sequence[float], baselines: Sequence[tuple[str, Sequence[float]]]
) -> str:
    """Say what the published and our mean test scores are worth beside forecasts without a network, point by point.

    Args:
        tests: Published, of each variant.
        ours: Our mean over seeds, of each variant.
        baselines: Name, and RMSE on the points of each variant.
    """
    told = []
    for name, scores in baselines:
        published = sum(test < score for test, score in zip(tests, scores, strict=True))
        mean = sum(test < score for test, score in zip(ours, scores, strict=True))
        span = " and ".join(dict.fromkeys(map(show_number, scores)))
        told.append(f"{name} ({span}) by {published} of the published numbers and {mean} of our means")
    return (
        f"On the same points of the {len(tests)} variants, forecasts without a network are beaten: {'; '.join(told)}."
    )
