"""Scores of a text: what the true tokens cost, as nats, bits per character, perplexity; and how often one is hit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.evaluation.metrics import skill
from pipeline.evaluation.statistics import summarize_seeds
from pipeline.models.heads.token import NATS

BITS = "bits_per_character"


@dataclass(frozen=True)
class Scored:
    """The tokens that are scored.

    Attributes:
        parts: True for those of `validation` and of `test`. Each of shape (tokens,).
        characters: Characters that each stands for. Shape (tokens,).
    """

    parts: Mapping[str, BoolArray]
    characters: IntArray


def score_tokens(scored: Scored, costs: FloatArray, hits: FloatArray | None = None) -> dict[str, float]:
    """Score one seed, or a baseline.

    Args:
        scored: The tokens.
        costs: Nats that each true token cost. Shape (tokens,).
        hits: 1 where the true token was the most probable one. Shape (tokens,); None: not known.

    Returns:
        For validation and test: nats_per_token, bits_per_character, perplexity (the exponential of the nats), accuracy.
    """
    scores: dict[str, float] = {}
    for part, rows in scored.parts.items():
        nats = float(costs[rows].mean(dtype=float))
        scores[NATS.of(part)] = nats
        scores[f"{part}_{BITS}"] = float(costs[rows].sum(dtype=float) / np.log(2) / scored.characters[rows].sum())
        scores[f"{part}_perplexity"] = float(np.exp(nats))
        if hits is not None:
            scores[f"{part}_accuracy"] = float(hits[rows].mean(dtype=float))
    return scores


def score_text_run(
    scored: Scored, seeds: Sequence[Mapping[str, float]], mixed: FloatArray, baselines: Mapping[str, FloatArray]
) -> dict[str, float]:
    """Summarize the seeds of a run, and compare their mean with models that need no network.

    Args:
        scored: The tokens.
        seeds: Result of `score_tokens` for each seed.
        mixed: Nats of each true token if the seeds' probabilities are averaged. Shape (tokens,).
        baselines: Nats of each true token of the test part, by name. Each (test tokens,).

    Returns:
        Every metric of the run by its MLflow name.
    """
    metrics: dict[str, float] = {}
    for name in seeds[0]:
        metrics |= summarize_seeds(name, [seed[name] for seed in seeds])
    test = scored.parts["test"]
    characters = scored.characters[test].sum()
    metrics[NATS.of("mean_forecast")] = float(mixed[test].mean())
    for name, costs in baselines.items():
        metrics[NATS.of(f"baseline_{name}")] = nats = float(costs.mean())
        metrics[f"baseline_{name}_{BITS}"] = float(costs.sum() / np.log(2) / characters)
        metrics[f"skill_{name}"] = skill(metrics[NATS.of("test")], nats)
    return metrics


def mix(costs: FloatArray) -> FloatArray:
    """Return what the tokens cost if the probabilities of all seeds are averaged. (seeds, tokens) to (tokens,)."""
    lowest = costs.min(axis=0)
    return np.asarray(lowest - np.log(np.mean(np.exp(lowest - costs, dtype=float), axis=0)))
