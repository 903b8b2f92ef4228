"""What a network does along an excerpt of a text: the tokens it reads, what it expected, what moved the cost."""

from collections.abc import Sequence

import numpy as np

from pipeline.base.text import show_excerpt
from pipeline.config.schema import Token
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.split import PARTS
from pipeline.data.vocabulary import Vocabulary
from pipeline.evaluation.gates import find_signs, follow_text
from pipeline.models.gradient import gradient_lengths
from pipeline.models.heads.token import token_costs
from pipeline.models.trace import Trace
from pipeline.report.page.shown import TextShown
from pipeline.serving.excerpt import Excerpt, Reading, Study
from pipeline.serving.model import ServedModel

_LIKELY = 8  # next tokens
_CONTEXT = 2000  # tokens before the excerpt in which its line, and its quotes, may have begun
_LONGEST = 24  # characters of a token
_SPACE = "·"


def find_text_reading(model: ServedModel, excerpt: Excerpt, most_before: int | None) -> Reading:
    """Find the steps of an excerpt of a text, read as the network is trained and scored; it ends with its piece.

    A step reads a token and forecasts the next one, which decides the part. A fresh state reads `look_back` tokens
    before validation or test begin; in the training part it begins with each lane:

        stateful     look_back tokens | the piece          one step per token, the state carried
                     lane | lane | lane                    in the training part of dataset.split=end
        stateless    chunk | chunk | chunk                 each from a zero state, the first forecasts the first token

    Args:
        model: The network, with its text.
        excerpt: Its first row is the first token that is read.
        most_before: Steps read before the excerpt, at most; None: since the state was zero.
    """
    config, parts, length = model.config, model.data.split.parts, model.config.look_back
    first = min(excerpt.first_row, len(parts) - 2)
    borders = np.array([0, *(np.flatnonzero(np.diff(parts)) + 1), len(parts)])
    piece = int(np.searchsorted(borders, first + 1, side="right")) - 1
    begin, end = int(borders[piece]), int(borders[piece + 1])
    rows = np.arange(first, min(first + excerpt.steps, end - 1))
    in_train = parts[first + 1] == PARTS.index("train")
    if config.stateful:
        begins = _lane_begins(model) if in_train else np.array([max(begin - length, 0)])
        zero = int(begins[begins <= first].max())
        resets = np.isin(rows, begins)
    else:
        anchor = begin if in_train else begin - 1
        zero = max(first - (first - anchor) % length, 0)
        resets = (rows - anchor) % length == 0
    before = np.arange(zero if most_before is None else max(zero, first - most_before), first)
    if not before.size:
        resets[0] = True
    return Reading(before, rows, rows, resets)


def _lane_begins(model: ServedModel) -> IntArray:
    """Return the rows at which the training lanes begin, each from a zero state. Shape (lanes,)."""
    assert model.data.lanes is not None
    return model.data.lanes.starts[0]


def study_text(model: ServedModel, reading: Reading, trace: Trace) -> Study:
    """Study what was traced along a reading of a text."""
    vocabulary = model.data.vocabulary
    assert vocabulary is not None
    every = model.data.series.values[:, 0].astype(int)
    ids, following = every[reading.rows], every[reading.rows + 1]
    costs = token_costs(trace.outputs, following)
    wanted = _softmax(trace.outputs)
    likely = np.argsort(-wanted, axis=1, kind="stable")[:, :_LIKELY]  # (steps, tokens)
    probabilities = np.take_along_axis(wanted, likely, 1)
    wanted[np.arange(len(ids)), following] -= 1  # derivative of the cost by the logits
    shown = TextShown(name_tokens(vocabulary), ids, following, costs, likely, probabilities)
    signs = _find_signs(vocabulary, every, reading)
    gradients = gradient_lengths(model.network, model.weights, trace, wanted.astype(np.float32))
    return Study(shown, gradients, lambda signals: follow_text(signals, signs))


def name_tokens(vocabulary: Vocabulary) -> list[str]:
    """Return every token as it can be seen on a page: `⏎` for a line break, `·` for a space, `0xc3` for a byte."""
    if vocabulary.kind is Token.byte:
        return [_name(each) if ord(each) < 128 else f"0x{ord(each):02x}" for each in vocabulary.tokens]
    return [_name(each) for each in vocabulary.tokens]


def _name(token: str) -> str:
    return show_excerpt(token, _LONGEST).replace(" ", _SPACE)


def _softmax(logits: FloatArray) -> FloatArray:
    """Return probabilities. Shape (steps, vocabulary), float64."""
    powers = np.exp(logits.astype(float) - logits.max(-1, keepdims=True))
    return np.asarray(powers / powers.sum(-1, keepdims=True))


def _find_signs(vocabulary: Vocabulary, ids: IntArray, reading: Reading) -> dict[str, FloatArray]:
    """Return the signs of the text at each step, with the steps since the state was zero."""
    rows = reading.rows
    context = slice(max(int(rows[0]) - _CONTEXT, 0), int(rows[-1]) + 1)
    tokens: Sequence[str] = [vocabulary.tokens[each] for each in ids[context].tolist()]
    signs = {name: each[-len(rows) :] for name, each in find_signs(tokens).items()}
    return signs | {"position": reading.count_since_zero().astype(float)}
