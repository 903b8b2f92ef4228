"""What tokens cost, in nats, bits per character and perplexity, and what several networks cost together."""

import numpy as np
import pytest

from pipeline.evaluation.tokens import Scored, mix, score_text_run, score_tokens

SCORED = Scored(
    parts={"validation": np.array([True, False, False, False]), "test": np.array([False, True, True, True])},
    characters=np.array([1, 2, 3, 1]),
)
COSTS = np.log([2.0, 4.0, 8.0, 2.0])


def test_scores_have_their_units() -> None:
    """Nats are shown as bits, tokens as characters, or validation as test."""
    scores = score_tokens(SCORED, COSTS, hits=np.array([1.0, 1.0, 0.0, 0.0]))
    assert scores["validation_nats_per_token"] == pytest.approx(np.log(2))
    assert scores["test_nats_per_token"] == pytest.approx(2 * np.log(2))
    assert scores["test_bits_per_character"] == pytest.approx((2 + 3 + 1) / (2 + 3 + 1))
    assert scores["test_perplexity"] == pytest.approx(4)
    assert (scores["validation_accuracy"], scores["test_accuracy"]) == (1.0, pytest.approx(1 / 3))


def test_several_networks_average_their_probabilities() -> None:
    """An ensemble is scored by the mean of its costs, which is another, worse number."""
    together = mix(-np.log(np.array([[0.5, 1e-300], [0.25, 1e-300]])))
    assert together == pytest.approx(-np.log([0.375, 1e-300]))
    assert mix(np.array([[2000.0], [2001.0]])) == pytest.approx(2000 - np.log((1 + np.exp(-1)) / 2))


def test_a_run_is_compared_with_what_needs_no_network() -> None:
    """A skill above 0 is shown where the network is worse."""
    seeds = [score_tokens(SCORED, COSTS), score_tokens(SCORED, 2 * COSTS)]
    metrics = score_text_run(SCORED, seeds, COSTS, {"xz": np.full(3, np.log(4))})
    assert metrics["test_nats_per_token"] == pytest.approx(3 * np.log(2)) and "test_nats_per_token_std" in metrics
    assert metrics["baseline_xz_bits_per_character"] == pytest.approx(1)
    assert metrics["skill_xz"] == pytest.approx(-0.5)
    assert metrics["mean_forecast_nats_per_token"] == pytest.approx(2 * np.log(2))
