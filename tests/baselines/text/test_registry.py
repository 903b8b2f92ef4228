"""The baselines of a text: each has a cost for every scored token, and the strong ones cost less."""

import numpy as np
import pytest

from pipeline.baselines.text.ngrams import fit_ngrams
from pipeline.baselines.text.pieces import Piece
from pipeline.baselines.text.registry import TEXT_BASELINES, TextTask

WORDS = (b"the ", b"ship ", b"and ", b"rain ", b"or ", b"a ", b"goes ", b"north ")
TEXT = b"".join(np.random.default_rng(0).choice(WORDS, 3000).tolist())
IDS = np.frombuffer(TEXT, np.uint8).astype(int)
TRAIN, PART = (IDS[:5000], IDS[5000:9000]), (Piece(IDS[9000:11000], 500), Piece(IDS[11000:12000]))


@pytest.fixture(scope="module")
def task() -> TextTask:
    ngrams = fit_ngrams(TRAIN, [Piece(IDS[8000:9000])], 256, most=6)
    return TextTask(PART, ngrams, TEXT[:9000], TEXT[9500:12000])


@pytest.mark.parametrize("name", TEXT_BASELINES)
def test_every_scored_token_has_a_cost(name: str, task: TextTask) -> None:
    """Means would be over different tokens, and the comparison with the network unfair."""
    costs = TEXT_BASELINES[name].costs(task)
    assert costs.shape == (2500,)
    assert (costs > 0).all()
    assert (np.ptp(costs) > 0) == TEXT_BASELINES[name].per_token


def test_what_knows_more_costs_less(task: TextTask) -> None:
    """A baseline would stand under another one's name, or in another unit."""
    costs = {name: each.costs(task).mean() for name, each in TEXT_BASELINES.items()}
    assert costs["kneser_ney"] < costs["bigram"] < costs["unigram"] < np.log(256)
    assert costs["kneser_ney"] < costs["xz"] < costs["unigram"]
    letters = np.mean([len(word) for word in WORDS])
    assert costs["kneser_ney"] == pytest.approx(np.log(len(WORDS)) / letters, rel=0.1)  # the entropy of the text


def test_an_order_below_2_has_no_bigram_but_its_own(task: TextTask) -> None:
    """A text of which only single tokens are counted would have no baselines at all."""
    ngrams = fit_ngrams(TRAIN, task.part, 256, most=1)
    single = TextTask(PART, ngrams, task.train_text, task.part_text)
    np.testing.assert_array_equal(TEXT_BASELINES["bigram"].costs(single), TEXT_BASELINES["unigram"].costs(single))
