"""What a text costs is what the network that writes says, token by token."""

from typing import Any

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Token
from pipeline.serving.sampling import Sampling
from pipeline.serving.surprise import ScoredText, find_surprises, score_text

TEXT = "the wör1d\nis wide, the wörd\nis long\n" * 3


@pytest.mark.parametrize("kind", Token)
def test_costs_are_the_probabilities_that_the_sampler_draws_from(kind: Token, random_writer: Any) -> None:
    """Breaks the certificate: the score of a text would not be that of the network that writes."""
    writer = random_writer(TEXT, kind)
    scored = score_text(writer, writer.vocabulary.encode("\n"), TEXT)
    logits, memory = writer.read_all(writer.vocabulary.encode("\n"), 1)
    costs = []
    for each in writer.vocabulary.encode(TEXT):
        costs.append(-np.log(Sampling().probabilities(logits)[0, each]))
        logits, memory = writer.read(np.array([each]), memory)
    np.testing.assert_allclose(scored.costs, costs, rtol=1e-12)
    assert scored.nats_per_token == pytest.approx(np.mean(costs))
    assert scored.bits_per_character == pytest.approx(np.sum(costs) / np.log(2) / len(TEXT))


def test_scoring_and_stepping_read_the_same_logits(random_writer: Any) -> None:
    """Breaks the certificate to the bit: more than one block of tokens, scored and stepped through, in one order."""
    from pipeline.models.heads.token import token_costs

    writer = random_writer(TEXT)
    text, begins = TEXT * 12, writer.vocabulary.encode("t")  # more than a block of tokens
    states, logits = writer.network.zero_states(1), []
    for each in [*begins, *writer.vocabulary.encode(text)]:
        answer, states = writer.network.step(np.array([[each]], np.float32), states)
        logits.append(answer[0])
    expected = token_costs(np.stack(logits[:-1]), writer.vocabulary.encode(text))
    np.testing.assert_array_equal(score_text(writer, begins, text).costs, expected)


def test_unknown_tokens_cost_what_the_unknown_one_costs_or_are_refused(random_writer: Any) -> None:
    """Breaks a score of a text with other characters: they would be left out, or taken for others."""
    writer = random_writer(TEXT, Token.word, most=3)
    scored = score_text(writer, writer.vocabulary.encode("is"), "the unknown")
    assert np.isfinite(scored.costs).all()
    assert scored.bits_per_character == pytest.approx(scored.costs.sum() / np.log(2) / len("the unknown"))
    with pytest.raises(UserError, match=r"1 token\(s\) of the text do not occur .*: 'ß'; the first is token 3"):
        score_text(random_writer(TEXT), np.array([0]), "orß")


def test_surprising_places_are_named_as_an_editor_counts_them() -> None:
    """Breaks the list of places: a reader would look at the wrong line, or at one place ten times."""
    text = "abc\ndef ghi\njkl mno pqr stu vwx yzä" + "." * 30
    costs = np.zeros(len(text))
    costs[[5, 6, 34, 60]] = [3, 2.5, 4, 1]
    scored = ScoredText(text, np.array([ord(each) for each in text], np.uint32), costs)
    first, second, third = find_surprises(scored, 9)
    assert (first.nats, first.line, first.column, first.token, first.after) == (4.0, 3, 23, "ä", "." * 20)
    assert (second.line, second.column, second.before, second.token) == (2, 2, "abc\nd", "e")
    assert third.nats == 1
    assert len(find_surprises(scored, 2)) == 2
    coded = np.frombuffer("aä!".encode(), np.uint8)
    (place, *_) = find_surprises(ScoredText("aä!", coded, np.array([0.0, 0, 2, 0])), 1)
    assert (place.column, place.before, place.token, place.after) == (2, "a", "ä", "!")
