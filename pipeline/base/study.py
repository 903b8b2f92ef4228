"""The answers of the studies as plain values, from which tables, CSV and JSON are made.

The names of the fields of `ProtocolDocument` are the keys of its JSON, and so an interface.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ProtocolScore:
    """The score of a run under one protocol, in the data's own units.

    Attributes:
        test_rmse: Mean over the seeds.
        std: Over the seeds; None for one seed.
        per_seed: Of each seed.
        points: How many rows are scored.
        persistence_rmse: Of repeating the last value, on the same rows.
    """

    test_rmse: float
    std: float | None
    per_seed: tuple[float, ...]
    points: int
    persistence_rmse: float


@dataclass(frozen=True)
class RescoredRun:
    """A run whose weights were scored under both protocols.

    Attributes:
        run: Its id.
        label: Names it.
        parameters: All of them, as the values that the logged texts stand for.
        unit: Of the targets.
        trained_under: The protocol of its training.
        seeds: Number of each seed.
        logged_test_rmse: What MLflow has; None if it was not logged.
        fair: Under protocol=fair.
        tutorial: Under protocol=tutorial.
        difference: Tutorial minus fair, mean over the seeds.
        by_points: What of it comes from scoring fewer points.
        by_state: What of it comes from the cold state of the test part.
        share: The difference over the score under tutorial.
        sentence: The same in words.
    """

    run: str
    label: str
    parameters: Mapping[str, Any]
    unit: str
    trained_under: str
    seeds: tuple[int, ...]
    logged_test_rmse: float | None
    fair: ProtocolScore
    tutorial: ProtocolScore
    difference: float
    by_points: float
    by_state: float
    share: float
    sentence: str


@dataclass(frozen=True)
class RefusedRun:
    """A run that cannot be re-scored, and why."""

    run: str
    label: str
    reason: str


@dataclass(frozen=True)
class ProtocolDocument:
    """How much of each score is protocol.

    Attributes:
        selection: Which runs were chosen, in words.
        runs: Those that were re-scored.
        refused: Those that cannot be.
        mismatches: Sentences about scores under a run's own protocol that are not those which were logged.
        sentences: What holds for all of them.
    """

    selection: str
    runs: tuple[RescoredRun, ...]
    refused: tuple[RefusedRun, ...]
    mismatches: tuple[str, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class PlacedScore:
    """A published score among those of our seeds, in the data's own units.

    Attributes:
        published: The number.
        mean: Of our seeds.
        std: Of our seeds; None for one seed.
        lowest: Of our seeds.
        highest: Of our seeds.
        percentile: Per cent of our seeds that are as low, or lower.
        num_seeds: How many there are.
    """

    published: float
    mean: float
    std: float | None
    lowest: float
    highest: float
    percentile: float
    num_seeds: int


@dataclass(frozen=True)
class Variant:
    """A published variant of the tutorial: its preset, its scores among ours, our baseline, and a sentence."""

    name: str
    train: PlacedScore
    test: PlacedScore
    persistence_rmse: float
    sentence: str


@dataclass(frozen=True)
class TutorialDocument:
    """Where the published numbers fall among ours: each variant, and sentences about all of them."""

    variants: tuple[Variant, ...]
    sentences: tuple[str, ...]


@dataclass(frozen=True)
class NeighbourRow:
    """What others report, beside a run.

    Attributes:
        name: Names it.
        network: Its layers.
        train: Lowest and highest training loss that is reported, in nats per character; None if none is.
        validation: The same of a validation part.
        differences: One line for each facet in which its protocol differs from the run's.
        source: Where the number stands.
        quote: What stands there.
    """

    name: str
    network: str
    train: tuple[float, float] | None
    validation: tuple[float, float] | None
    differences: tuple[str, ...]
    source: str
    quote: str


@dataclass(frozen=True)
class TextRun:
    """A run on a text, with what others report beside it. Scores are nats per character, means over the seeds.

    Attributes:
        run: Its id.
        label: Names it.
        network: Its layers.
        seeds: Number of each seed.
        train: Training loss of the epoch whose weights are scored, mean over that epoch.
        validation: On the validation part.
        test: On the test part.
        std: Of the test score over the seeds; None for one seed.
        epochs: Made by each seed.
        seconds: All seeds together.
        ngram: What the test part costs the n-gram model.
        ngram_order: Its order, which the validation part chose.
        neighbours: What others report.
        sentence: Whether the network beats the n-gram model.
    """

    run: str
    label: str
    network: str
    seeds: tuple[int, ...]
    train: float
    validation: float
    test: float
    std: float | None
    epochs: tuple[int, ...]
    seconds: float
    ngram: float
    ngram_order: int
    neighbours: tuple[NeighbourRow, ...]
    sentence: str


@dataclass(frozen=True)
class NeighbourDocument:
    """Runs on a text beside what others report: which runs were chosen, each run, and sentences about all of them."""

    selection: str
    runs: tuple[TextRun, ...]
    sentences: tuple[str, ...]
