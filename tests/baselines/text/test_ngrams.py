"""N-grams: a hand-computed example, the formula written plainly, sums of 1, borders, and what is chosen by what."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.baselines.text.counts import count_ngrams
from pipeline.baselines.text.ngrams import NGrams, fit_ngrams
from pipeline.baselines.text.pieces import Piece

SIZE = 3  # of the vocabulary
PIECES = st.lists(st.lists(st.integers(0, SIZE - 1), max_size=12), max_size=4)
DISCOUNTS = np.array([0.5, 1.0, 1.5])


def build(pieces: list[list[int]], most: int) -> NGrams:
    counts = count_ngrams([np.array(each, int) for each in pieces], SIZE, most)
    return NGrams(counts, tuple(np.tile(DISCOUNTS, (order, 1)) for order in range(1, most + 1)), (0.0,) * most)


def predict(model: NGrams, context: list[int], order: int) -> np.ndarray:
    """Return the probability of every token after a context."""
    pieces = [Piece(np.array([*context, token]), len(context)) for token in range(SIZE)]
    return np.exp(-model.costs(pieces, order))


def define(pieces: list[list[int]], context: tuple[int, ...], token: int, order: int) -> float:
    """Return the probability by the formula, with a set of left neighbours for each n-gram and no array."""

    def count(gram: tuple[int, ...]) -> int:
        places = [(each, at) for each in pieces for at in range(len(each)) if tuple(each[at : at + len(gram)]) == gram]
        return len(places) if len(gram) == order else len({each[at - 1] if at else None for each, at in places})

    def chance(context: tuple[int, ...]) -> float:
        lower = chance_of_shorter(context)
        counts = [count((*context, each)) for each in range(SIZE)]
        if not sum(counts):
            return lower
        taken = [min(each, DISCOUNTS[min(each, 3) - 1]) if each else 0.0 for each in counts]
        return (counts[token] - taken[token] + sum(taken) * lower) / sum(counts)

    def chance_of_shorter(context: tuple[int, ...]) -> float:
        return chance(context[1:]) if context else 1 / SIZE

    return chance(context[max(len(context) - order + 1, 0) :])


def test_a_tiny_text_has_the_probabilities_that_a_hand_computes() -> None:
    """The model would not be interpolated modified Kneser-Ney."""
    model = build([[0, 1, 0, 1, 0, 0]], most=2)  # a b a b a a; c never occurs
    # Before a stand b, a and the start: 3; before b only a: 1. (3 - 1.5)/4 + 2/4/3, (1 - 0.5)/4 + 2/4/3, 2/4/3:
    shortest = np.array([13, 7, 4]) / 24
    np.testing.assert_allclose(predict(model, [2], order=2), shortest)  # nothing is known after c
    # After a: a once, b twice, of 3. After b: a twice, of 2.
    np.testing.assert_allclose(predict(model, [0], order=2), np.array([0.5, 1, 0]) / 3 + 1.5 / 3 * shortest)
    np.testing.assert_allclose(predict(model, [1], order=2), np.array([1, 0, 0]) / 2 + 1 / 2 * shortest)
    # Order 1 counts occurrences, of 6: (4 - 1.5, 2 - 1, 0) and 2.5 for the three alike.
    np.testing.assert_allclose(predict(model, [0], order=1), np.array([2.5, 1, 0]) / 6 + 2.5 / 6 / 3)


@given(pieces=PIECES, context=st.lists(st.integers(0, SIZE - 1), max_size=4), order=st.integers(1, 4))
@settings(deadline=None, derandomize=True, max_examples=60)
def test_probabilities_are_those_of_the_formula_and_sum_to_1(pieces, context, order) -> None:
    """A model would promise more or less than everything, or count over the border of a piece, or exclude a token."""
    chances = predict(build(pieces, most=4), context, order)
    np.testing.assert_allclose(chances.sum(), 1.0, rtol=1e-12)
    assert (chances > 0).all()
    np.testing.assert_allclose(chances, [define(pieces, tuple(context), token, order) for token in range(SIZE)])


def test_tuned_models_sum_to_1_on_words_at_order_8() -> None:
    """Keys of a large vocabulary would overflow or collide, or tuned discounts would break the sum."""
    random, size = np.random.default_rng(0), 10_000
    text = random.zipf(1.3, 6000) % size
    model = fit_ngrams([text[:5000]], [Piece(text, 5000)], size)
    context = text[2000:2007]
    for order in range(1, 9):
        costs = model.costs([Piece(np.append(context, token), 7) for token in range(size)], order)
        np.testing.assert_allclose(np.exp(-costs).sum(), 1.0, rtol=1e-9)


def test_noise_costs_the_logarithm_of_the_vocabulary() -> None:
    """A model would find in noise what is not there: its discounts would not be chosen on other tokens."""
    tokens = np.random.default_rng(0).integers(0, 8, 30_000)
    model = fit_ngrams([tokens[:20_000]], [Piece(tokens[:25_000], 20_000)], 8, most=5)
    assert model.costs([Piece(tokens, 25_000)]).mean() == pytest.approx(np.log(8), abs=0.01)


def test_the_order_is_that_of_the_text() -> None:
    """The order would be chosen by what was counted, where the highest always wins, or without looking far enough."""
    random = np.random.default_rng(0)
    tokens = random.integers(0, 4, 6000)
    for place in range(2, len(tokens)):  # the token two places ago decides, nine times of ten
        if random.random() < 0.9:
            tokens[place] = 3 - tokens[place - 2]
    model = fit_ngrams([tokens[:4000]], [Piece(tokens[:5000], 4000)], 4, most=6)
    assert model.order == 3
    assert model.validation_costs[2] == pytest.approx(model.costs([Piece(tokens[:5000], 4000)], 3).mean())


def test_pieces_are_scored_with_their_own_context_only() -> None:
    """A token would be predicted from another piece, from what comes after it, or without what stands before it."""
    random = np.random.default_rng(0)
    text = random.integers(0, 4, 600).cumsum() % 5
    model = fit_ngrams([text[:200], text[300:500]], [Piece(text[180:300], 20)], 5, most=4)
    pieces = [Piece(text[200:300], 50), Piece(text[:0]), Piece(text[500:])]
    whole = model.costs([Piece(text[200:300]), Piece(text[500:])])
    assert whole.shape == (200,)
    np.testing.assert_array_equal(model.costs(pieces), whole[50:])
    changed = text[200:300].copy()
    changed[90:] = 0
    np.testing.assert_array_equal(model.costs([Piece(changed)])[:90], whole[:90])


def test_counts_stay_within_pieces() -> None:
    """A lane would teach n-grams that never occur: the end of one with the start of the next."""
    counts = count_ngrams([np.array([0, 1]), np.array([2, 2])], SIZE, most=2)
    assert counts.keys[1][:-1].tolist() == [0 * SIZE + 1, 2 * SIZE + 2]
    assert Counter(counts.continuations[0].counts[:-1].tolist()) == Counter([1, 1, 2])  # 2 follows a start and itself


def test_what_cannot_be_a_token_or_teach_is_refused() -> None:
    """An id beyond the vocabulary would be counted as another n-gram, or a model be chosen by nothing."""
    text = np.array([0, 1, 2, 3])
    with pytest.raises(ValueError, match=r"ids must lie between 0 and 2, but 0 to 3 occur"):
        fit_ngrams([text], [Piece(text)], 3)
    with pytest.raises(ValueError, match="the validation part has no token"):
        fit_ngrams([text], [Piece(text, 4)], 4)
