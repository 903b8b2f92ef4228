"""Discounts: those of the formula by hand, the gradient of the search, and that the search helps."""

import numpy as np
from scipy.optimize import check_grad

from pipeline.baselines.text.counts import Tally, count_ngrams
from pipeline.baselines.text.discounts import _measure, estimate_discounts, gather_evidence, tune_discounts
from pipeline.baselines.text.pieces import Piece, join_pieces

START = np.tile([0.5, 1.0, 1.5], (3, 1))


def gather(seed: int):
    text = np.random.default_rng(seed).integers(0, 3, 500).cumsum() % 6
    counts = count_ngrams([text[:300]], 6, most=3)
    found = counts.trace(join_pieces([Piece(text, 300)], 6, context=2), order=3)
    tallies = (*counts.continuations, counts.occurrences[2])
    return [gather_evidence(tally, *each) for tally, each in zip(tallies, found, strict=True)]


def test_the_formula_is_that_of_chen_and_goodman() -> None:
    """The discounts would start from other numbers than the published ones."""
    counts = np.repeat([1, 2, 3, 4, 9, 0], [40, 20, 10, 5, 7, 1])
    tally = Tally(counts, counts[:0], counts[:0])
    # Y = 40 / (40 + 2 * 20) = 1/2: 1 - 2Y * 20/40, 2 - 3Y * 10/20, 3 - 4Y * 5/10
    np.testing.assert_allclose(estimate_discounts(tally), [0.5, 1.25, 2.0])
    without = Tally(counts[counts != 3], counts[:0], counts[:0])
    np.testing.assert_array_equal(estimate_discounts(without), [0.5, 1.0, 1.5])


def test_the_gradient_is_that_of_the_cost() -> None:
    """The search would stop at discounts that are not the best ones."""
    evidence = gather(seed=0)
    error = check_grad(
        lambda flat: _measure(evidence, flat.reshape(3, 3), 1 / 6)[0],
        lambda flat: _measure(evidence, flat.reshape(3, 3), 1 / 6)[1],
        START.ravel(),
    )
    assert error < 1e-6


def test_the_search_finds_discounts_that_no_neighbour_beats() -> None:
    """Tuning would be worse than the formula, or stop half-way, or leave the range where every token is possible."""
    evidence = gather(seed=1)
    best, cost = tune_discounts(evidence, START, 1 / 6)
    assert best.shape == (3, 3)
    assert (best >= 0.01).all() and (best <= [1, 2, 3]).all()
    assert cost < _measure(evidence, START, 1 / 6)[0]
    for place in np.ndindex(best.shape):
        for step in (-0.1, 0.1):
            moved = best.copy()
            moved[place] = np.clip(moved[place] + step, 0.01, place[1] + 1)
            assert _measure(evidence, moved, 1 / 6)[0] > cost - 1e-5
