"""Texts that are being written side by side, token by token, and what is kept of them to go on later."""

import codecs
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.config.schema import Token
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.vocabulary import Vocabulary
from pipeline.serving.sampling import Dice, Sampling
from pipeline.serving.state_file import SavedState, load_state, save_state
from pipeline.serving.writer import Memory, Writer

_LONGEST = 4  # bytes of a character


class Writing:
    """Texts that are being written by one network."""

    def __init__(
        self, writer: Writer, sampling: Sampling, dice: Dice, logits: FloatArray, memory: Memory, speller: "Speller"
    ):
        """Take up the texts where they are.

        Args:
            writer: The network.
            sampling: How a token is chosen.
            dice: The random numbers.
            logits: Of the next token of each text. Shape (rows, vocabulary).
            memory: Of each text.
            speller: What puts its tokens into characters.
        """
        self._writer, self._sampling, self._dice = writer, sampling, dice
        self._logits, self._memory, self._speller = logits, memory, speller

    @property
    def rows(self) -> int:
        """How many texts."""
        return len(self._logits)

    @property
    def length(self) -> int:
        """Tokens of each text that were written."""
        return self._dice.rolled

    def read(self, ids: IntArray) -> None:
        """Let every text go on with the same tokens, shape (tokens,)."""
        for each in ids:
            self._logits, self._memory = self._writer.read(np.full(self.rows, each), self._memory)

    def write(self, length: int) -> Iterator[list[str]]:
        """Write so many tokens of each text, and yield after each what has become legible of each text."""
        for _ in range(length):
            ids = self._sampling.choose(self._logits, self._dice.roll())
            self._logits, self._memory = self._writer.read(ids, self._memory)
            yield self._speller.spell(ids)

    def save(self, path: Path) -> None:
        """Save everything, atomically: who resumes writes what would have been written without a stop."""
        arrays = [self._dice.seeds, self._speller.pending(self.rows), self._logits, *self._memory]
        names = [f"text {number + 1}" for number in range(self.rows)]
        save_state(
            path, self._writer.digest, SavedState(names, [self._dice.rolled] * self.rows, [np.nan] * self.rows, arrays)
        )


def begin_writing(writer: Writer, sampling: Sampling, seed: int, begins: IntArray, rows: int) -> Writing:
    """Begin texts.

    Args:
        writer: The network.
        sampling: How a token is chosen.
        seed: Of the random numbers.
        begins: Ids that every text is taken to begin with, at least one. Shape (tokens,).
        rows: How many texts.
    """
    logits, memory = writer.read_all(begins, rows)
    return Writing(writer, sampling, Dice(np.full(rows, seed)), logits, memory, Speller(writer.vocabulary, rows))


def resume_writing(writer: Writer, sampling: Sampling, path: Path, seed: int | None = None) -> Writing:
    """Go on with saved texts; a seed begins new random numbers.

    Raises:
        UserError: If the file is damaged, or was written by another network.
    """
    saved = load_state(path, writer.digest)
    rows = len(saved.names)
    expected = [(rows,), (rows, _LONGEST), (rows, len(writer.vocabulary))]
    expected += [(rows, *array.shape[1:]) for array in writer.begin(1)] if writer.carries else []
    given = [array.shape for array in saved.arrays]
    if not rows or (given if writer.carries else given[:3]) != expected or len(given) < 4:
        raise UserError(f"state={path} does not hold what a network of this run remembers; remove it to start anew")
    seeds, pending, logits, *memory = saved.arrays
    dice = Dice(seeds if seed is None else np.full(rows, seed), saved.rows[0])
    return Writing(writer, sampling, dice, logits, memory, Speller(writer.vocabulary, rows, pending))


class Speller:
    """Puts the ids of several texts into characters as soon as these are whole: bytes wait for the rest of theirs."""

    def __init__(self, vocabulary: Vocabulary, rows: int, pending: IntArray | None = None):
        """Begin, or take up what was pending."""
        self._vocabulary = vocabulary
        kind = codecs.getincrementaldecoder("utf-8")
        self._decoders = [kind("replace") for _ in range(rows)] if vocabulary.kind is Token.byte else []
        if pending is not None:
            for decoder, (count, *waiting) in zip(self._decoders, pending.tolist(), strict=False):
                decoder.decode(bytes(waiting[:count]))

    def spell(self, ids: IntArray) -> list[str]:
        """Return what has become legible of each text. Shape of the ids (rows,)."""
        if self._decoders:
            return [decoder.decode(bytes((each,))) for decoder, each in zip(self._decoders, ids.tolist(), strict=True)]
        return [self._vocabulary.tokens[each] for each in ids.tolist()]

    def pending(self, rows: int) -> IntArray:
        """Return the bytes of each text that wait: their number, then they. Shape (rows, 4), uint8."""
        found = np.zeros((rows, _LONGEST), np.uint8)
        for row, decoder in zip(found, self._decoders, strict=False):
            waiting, _ = decoder.getstate()
            row[: 1 + len(waiting)] = [len(waiting), *waiting]
        return found
