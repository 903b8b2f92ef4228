"""Challenger and champion on rows that arrived since both ended, as plain values: table, CSV and JSON are made of them.

The names of the fields of `NewerDocument` are the keys of its JSON, and so an interface.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class NewerRun:
    """One of the two runs.

    Attributes:
        run: Its id.
        label: The keys in which the two differ.
        seeds: Number of each seed that forecast.
        end: Last timestamp of its data.
        score: What the verdict is about, mean over the seeds.
    """

    run: str
    label: str
    seeds: tuple[int, ...]
    end: str
    score: float


@dataclass(frozen=True)
class NewerScore:
    """Points of one forecast for one target, one number of steps ahead, in the data's own units.

    Attributes:
        forecast: challenger, champion, persistence or seasonal.
        target: What is forecast.
        ahead: Steps ahead.
        seeds: How many; None for what needs no network.
        rmse: Mean over the seeds.
        std: Over the seeds; None for one seed.
        mae: Mean over the seeds.
        difference: RMSE minus that of the champion; None for the champion itself.
        low: Lower end of the 95 % bootstrap interval over seeds of the difference; None where a run has one seed.
        high: Upper end.
        p: Diebold-Mariano with the champion, of squared errors; None where there are too few timestamps.
    """

    forecast: str
    target: str
    ahead: int
    seeds: int | None
    rmse: float
    std: float | None
    mae: float
    difference: float | None
    low: float | None
    high: float | None
    p: float | None


@dataclass(frozen=True)
class NewerCoverage:
    """What the intervals of one run are worth on these rows: they are those of the seed that is served.

    Attributes:
        forecast: challenger or champion.
        level: Share they should cover.
        share: Share they cover.
        low: Lower end of the 95 % interval of that share, as if timestamps did not depend on each other.
        high: Upper end.
    """

    forecast: str
    level: float
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class NewerDocument:
    """Challenger against champion.

    Attributes:
        challenger: The one.
        champion: The other.
        span: What is scored, in words.
        timestamps: How many are scored.
        unit: Of the targets.
        measure: What the verdict is about: RMSE, of several targets RMSSE, with quantiles CRPS.
        p: Diebold-Mariano over the timestamps, of that; None with too few.
        p_seeds: Welch's t test over the seeds; None where a run has one seed.
        verdict: challenger or champion, where the evidence says that it is better; undecided; too few.
        scores: For each target and steps ahead the two runs and two baselines.
        coverage: Of each run with intervals, each level.
        sentences: The verdict, what was left out and why, and what the numbers are.
    """

    challenger: NewerRun
    champion: NewerRun
    span: str
    timestamps: int
    unit: str
    measure: str
    p: float | None
    p_seeds: float | None
    verdict: str
    scores: tuple[NewerScore, ...]
    coverage: tuple[NewerCoverage, ...]
    sentences: tuple[str, ...]
