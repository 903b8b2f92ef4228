"""How much of a score is protocol: the same weights, scored as protocol=fair and as protocol=tutorial do it.

The difference has two parts, which add up:

    fair, all test rows --(points scored)--> fair, the tutorial's rows --(cold state)--> tutorial, the same rows

The tutorial windows the training and the test part apart, so the first look_back test rows have no forecast, and it
drops one more sample at the end: those are the points. A stateful network then starts the test part with a zero state
instead of the true past. A stateless one forecasts the same on the same rows, so its second part is zero.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.base.text import show_number
from pipeline.baselines.persistence import forecast_persistence
from pipeline.baselines.task import Task
from pipeline.config.schema import Protocol
from pipeline.data.arrays import FloatArray
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.metrics import rmse


@dataclass(frozen=True)
class ProtocolScores:
    """Test RMSE of one run in the data's own units. Arrays have the shape (seeds,).

    Attributes:
        fair: On all test rows; windows reach back into the past, the state is warm.
        fair_on_tutorial_rows: The same forecasts on the rows that the tutorial scores.
        tutorial: The parts windowed apart, cold state, on the rows that the tutorial scores.
        fair_points: Test rows.
        tutorial_points: Test rows that the tutorial scores.
        fair_persistence: Of repeating the last value, on all test rows.
        tutorial_persistence: The same on the rows that the tutorial scores.
    """

    fair: FloatArray
    fair_on_tutorial_rows: FloatArray
    tutorial: FloatArray
    fair_points: int
    tutorial_points: int
    fair_persistence: float
    tutorial_persistence: float

    @property
    def difference(self) -> float:
        """Tutorial minus fair, mean over seeds."""
        return float(np.mean(self.tutorial) - np.mean(self.fair))

    @property
    def by_points(self) -> float:
        """What of the difference comes from scoring fewer points."""
        return float(np.mean(self.fair_on_tutorial_rows) - np.mean(self.fair))

    @property
    def by_state(self) -> float:
        """What of the difference comes from the cold state of the test part."""
        return float(np.mean(self.tutorial) - np.mean(self.fair_on_tutorial_rows))

    @property
    def share(self) -> float:
        """The difference over the tutorial's score: how much of that is protocol. Negative: it made the score lower."""
        return self.difference / float(np.mean(self.tutorial))

    def under(self, protocol: Protocol) -> float:
        """Return the mean score under a protocol."""
        return float(np.mean(self.fair if protocol is Protocol.fair else self.tutorial))


def score_protocols(
    fair: PreparedData, fair_outputs: FloatArray, tutorial: PreparedData, tutorial_outputs: FloatArray
) -> ProtocolScores:
    """Score one run under both protocols.

    Args:
        fair: Its data under protocol=fair, with the scaler it was trained with.
        fair_outputs: Scaled outputs at every window of `fair`. Shape (seeds, windows, outputs).
        tutorial: Its data under protocol=tutorial, with the same scaler.
        tutorial_outputs: Scaled outputs at every window of `tutorial`. Shape (seeds, windows, outputs).
    """
    truth = take_truth(fair)
    test, tutorial_test = truth.scored("test"), take_truth(tutorial).scored("test")  # each (time, targets)
    forecasts = [fair.head.points(align_outputs(fair, each)) for each in fair_outputs]
    apart = [tutorial.head.points(align_outputs(tutorial, each)) for each in tutorial_outputs]
    repeated = forecast_persistence(Task(truth.actual, fair.windows.spec.horizon_steps, truth.slices, period=1))

    def score(each: FloatArray, rows: FloatArray) -> float:
        return rmse(truth.actual, each, rows)

    return ProtocolScores(
        fair=np.array([score(each, test) for each in forecasts]),
        fair_on_tutorial_rows=np.array([score(each, tutorial_test) for each in forecasts]),
        tutorial=np.array([score(each, tutorial_test) for each in apart]),
        fair_points=int(test.any(axis=1).sum()),
        tutorial_points=int(tutorial_test.any(axis=1).sum()),
        fair_persistence=score(repeated, test),
        tutorial_persistence=score(repeated, tutorial_test),
    )


def describe_protocols(name: str, scores: ProtocolScores, stateful: bool) -> str:
    """Say in a sentence how much of a run's score is protocol, and where it comes from.

    Args:
        name: The run.
        scores: Its scores.
        stateful: Whether a state is carried.
    """
    way = "higher" if scores.difference > 0 else "lower"
    by_points, by_state = (show_number(part, 3, sign="+") for part in (scores.by_points, scores.by_state))
    points = f"{by_points} by scoring {scores.tutorial_points} of the {scores.fair_points} points"
    state = (
        f"{by_state} by the cold state of the test part"
        if stateful
        else "nothing by windowing the parts apart, because each window answers for itself"
    )
    size, whole = show_number(abs(scores.difference), 3), show_number(scores.under(Protocol.tutorial))
    return (
        f"{name}: protocol=tutorial scores the same weights {size} {way} than fair "
        f"({scores.share * 100:+.1f} % of {whole} is protocol): {points}, {state}"
    )
