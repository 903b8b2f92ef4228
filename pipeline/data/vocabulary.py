"""The tokens that a network knows: learnt from the training part, saved with the run, checked when it is loaded.

A token has an id, from 0 on. Where a text holds tokens that the vocabulary has not, one more stands for all of them.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.paths import replace_file
from pipeline.base.text import show_names
from pipeline.config.schema import Token
from pipeline.data.arrays import IntArray
from pipeline.data.tokens import Tokens, show_tokens, tokenize

FILE_NAME = "vocabulary.json"
UNKNOWN = "<unk>"  # no character is that long, and no word holds its signs: it cannot stand in a text
_FORMAT = "lstm-pipeline vocabulary 1"
_LARGEST = 256 << 20  # bytes


@dataclass(frozen=True)
class Vocabulary:
    """The known tokens, in the order of their ids.

    Attributes:
        kind: What a text is cut into.
        tokens: A character each, in the order of code points; a word each, the commonest first; of bytes all 256, each
            as the character of that code. `<unk>`, if there is one, comes last.
    """

    kind: Token
    tokens: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def unknown(self) -> int | None:
        """The id that stands for every unknown token; None if there is none."""
        return len(self.tokens) - 1 if self.tokens[-1] == UNKNOWN else None

    def encode(self, text: str | bytes | Tokens) -> IntArray:
        """Return the id of each token.

        Args:
            text: A text, or its tokens as `tokenize` cuts them.

        Returns:
            Shape (tokens,), int32.

        Raises:
            UserError: If a token is unknown and no id stands for such; the text names them and the first position.
        """
        ids = self._look_up(self._cut(text))
        if self.unknown is not None:
            return np.where(ids < 0, np.int32(self.unknown), ids)
        if (ids < 0).any():
            unknown = self.list_unknown(text)
            raise UserError(
                f"{len(unknown)} token(s) of the text do not occur in what the network was trained on: "
                f"{show_names([repr(each) for each in unknown])}; the first is token {min(unknown.values()) + 1} of "
                "the text; leave them out"
            )
        return ids

    def list_unknown(self, text: str | bytes | Tokens) -> dict[str, int]:
        """Return every token that is not known, in order of appearance, with its first position, from 0."""
        tokens = self._cut(text)
        places = np.flatnonzero(self._look_up(tokens) < 0)
        found: dict[str, int] = {}
        for place, token in zip(places.tolist(), show_tokens(tokens[places]), strict=True):
            found.setdefault(token, place)
        return found

    def decode(self, ids: IntArray) -> str:
        """Return the text of some ids. Bytes that are no character, such as one that is cut at an edge, become �."""
        if self.kind is Token.byte:
            return bytes(np.asarray(ids, np.uint8)).decode(errors="replace")
        return "".join([self.tokens[each] for each in np.asarray(ids).tolist()])

    def digest(self) -> str:
        """Return the sha256 of kind and tokens: equal digests mean equal ids."""
        return hashlib.sha256(json.dumps([self.kind.value, self.tokens]).encode()).hexdigest()

    def _cut(self, text: str | bytes | Tokens) -> Tokens:
        return tokenize(text, self.kind) if isinstance(text, str | bytes) else text

    def _look_up(self, tokens: Tokens) -> IntArray:
        """Return ids, -1 for what is unknown. Shape (tokens,), int32."""
        if self.kind is Token.byte:
            return tokens.astype(np.int32)
        if self.kind is Token.word:
            return np.fromiter((self._ids.get(each, -1) for each in tokens), np.int32, len(tokens))
        places = np.searchsorted(self._points, tokens).clip(max=self._points.size - 1)
        return np.where(self._points[places] == tokens, places, -1).astype(np.int32)

    @cached_property
    def _known(self) -> tuple[str, ...]:
        return self.tokens if self.unknown is None else self.tokens[:-1]

    @cached_property
    def _points(self) -> IntArray:
        return np.array([ord(each) for each in self._known], np.uint32)

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {each: number for number, each in enumerate(self._known)}


def build_vocabulary(kind: Token, training: Tokens, others: Tokens, most: int) -> tuple[Vocabulary, tuple[str, ...]]:
    """Learn the vocabulary of a text from its training part.

    Args:
        kind: What the text is cut into.
        training: Tokens of the training part.
        others: Tokens of the other parts: read only to see whether they hold what the training part has not. That
            decides whether there is a `<unk>`, one output more, and is accepted: nothing else of them is known.
        most: Words that are known, at most; the commonest ones.

    Returns:
        The vocabulary, and what a person should know of it.
    """
    if kind is Token.byte:
        return Vocabulary(kind, tuple(map(chr, range(256)))), ()
    if kind is Token.char:
        known = tuple(map(chr, np.unique(training).tolist()))
        kept = "each character of the training part"
    else:
        counts = Counter(training.tolist())  # in order of appearance, which most_common keeps among equals
        known = tuple(word for word, _ in counts.most_common(most))
        kept = f"the {len(known)} commonest words of the training part, of {len(counts)}"
    plain = Vocabulary(kind, known)
    lost, lost_later = (int((plain._look_up(part) < 0).sum()) for part in (training, others))
    if not lost + lost_later:
        return plain, ()
    parts = ((lost, len(training), "training part"), (lost_later, len(others), "other parts"))
    shares = (f"{missed} of {size} tokens of the {name} ({missed / size:.2%})" for missed, size, name in parts if size)
    note = (
        f"the network knows {kept}; every other is {UNKNOWN}: {', '.join(shares)}; what such a token costs, in bits as "
        "well, is that it is unknown, not which it is: only xz and bzip2 pay for all of the text"
    )
    return Vocabulary(kind, (*known, UNKNOWN)), (note,)


def save_vocabulary(path: Path, vocabulary: Vocabulary) -> None:
    """Write the file in one move, as plain JSON."""
    content = {
        "format": _FORMAT,
        "token": vocabulary.kind.value,
        "unknown": vocabulary.unknown,
        "sha256": vocabulary.digest(),
        "tokens": vocabulary.tokens,
    }
    with replace_file(path) as file:
        file.write(json.dumps(content, ensure_ascii=False, indent=0).encode())


def load_vocabulary(path: Path) -> Vocabulary:
    """Read the file.

    Raises:
        UserError: If it is damaged, or none that this version wrote.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError(f"it has more than {_LARGEST >> 20} MiB")
        return _parse(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path.name} of the run cannot be read: {reason}; train the run again") from error


def _parse(content: Any) -> Vocabulary:
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise ValueError(f"it does not say that it is '{_FORMAT}'")
    tokens = content["tokens"]
    if not isinstance(tokens, list) or not tokens or not all(isinstance(each, str) for each in tokens):
        raise ValueError("its tokens are no list of texts")
    vocabulary = Vocabulary(Token(content["token"]), tuple(tokens))
    _check(vocabulary.kind, vocabulary._known)
    if vocabulary.digest() != content["sha256"]:
        raise ValueError("its tokens are not those that were saved")
    return vocabulary


def _check(kind: Token, known: Sequence[str]) -> None:
    if len(set(known)) != len(known) or not known:
        raise ValueError("its tokens are not different ones")
    if kind is Token.char and (max(map(len, known)) > 1 or list(known) != sorted(known)):
        raise ValueError("its tokens are not single characters in order")
    if kind is Token.byte and known != tuple(map(chr, range(256))):
        raise ValueError("its tokens are not the 256 bytes")
