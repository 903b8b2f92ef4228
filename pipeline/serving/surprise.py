"""What a text costs a network that reads it, token by token, and where it surprises the network most."""

from dataclasses import dataclass

import numpy as np

from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.tokens import Tokens, count_characters, tokenize
from pipeline.models.heads.token import token_costs
from pipeline.serving.writer import Writer

_BEFORE, _AFTER = 40, 20  # characters around a place
_APART = 20  # tokens between two places that are told
_AT_ONCE = 1024  # tokens whose logits are held


@dataclass(frozen=True)
class ScoredText:
    """A text that was read.

    Attributes:
        text: The text.
        tokens: Its tokens. Shape (tokens,).
        costs: Of each token after all before it, in nats. Shape (tokens,).
    """

    text: str
    tokens: Tokens
    costs: FloatArray

    @property
    def nats_per_token(self) -> float:
        """Mean cost of a token, in nats."""
        return float(self.costs.mean())

    @property
    def bits_per_character(self) -> float:
        """Mean cost of a character, in bits."""
        return float(self.costs.sum() / np.log(2) / len(self.text))


@dataclass(frozen=True)
class Surprise:
    """A place where a text surprised the network.

    Attributes:
        nats: What the token cost.
        line: Its line, from 1.
        column: Its character in the line, from 1.
        before: Characters before it.
        token: The token.
        after: Characters after it.
    """

    nats: float
    line: int
    column: int
    before: str
    token: str
    after: str


def score_text(writer: Writer, begins: IntArray, text: str) -> ScoredText:
    """Let a network read a text.

    Args:
        writer: The network.
        begins: Ids that are read before it and cost nothing, at least one. Shape (tokens,).
        text: At least one character; a token that is not known counts as the unknown one.

    Raises:
        UserError: If a token is not known, and the vocabulary has none for such.
    """
    tokens = tokenize(text, writer.vocabulary.kind)
    ids = writer.vocabulary.encode(tokens)
    logits, memory = writer.read_all(begins, 1)
    costs = np.empty(len(ids))
    for first in range(0, len(ids), _AT_ONCE):
        some = ids[first : first + _AT_ONCE]
        expected = []  # logits before each token
        for each in some:
            expected.append(logits[0])
            logits, memory = writer.read(np.array([each]), memory)
        costs[first : first + len(some)] = token_costs(np.stack(expected), some)
    return ScoredText(text, tokens, costs)


def find_surprises(scored: ScoredText, most: int) -> list[Surprise]:
    """Return the places that cost most, the costliest first; of neighbours only one."""
    costs, found = scored.costs.copy(), list[Surprise]()
    ends = np.concatenate([[0], count_characters(scored.tokens).cumsum()])  # of each token, one more: (tokens + 1,)
    for _ in range(min(most, len(costs))):
        place = int(costs.argmax())
        if not costs[place] > 0:
            break
        found.append(_describe(scored, place, int(ends[place]), int(ends[place + 1])))
        costs[max(place - _APART, 0) : place + _APART + 1] = 0
    return found


def _describe(scored: ScoredText, place: int, first: int, end: int) -> Surprise:
    text = scored.text
    if first == end:  # a byte that continues a character
        first -= 1
    line_begin = text.rfind("\n", 0, first) + 1
    return Surprise(
        nats=float(scored.costs[place]),
        line=text.count("\n", 0, first) + 1,
        column=first - line_begin + 1,
        before=text[max(first - _BEFORE, 0) : first],
        token=text[first:end],
        after=text[end : end + _AFTER],
    )
