"""Cut a text into tokens: characters, bytes of UTF-8, or words. Nothing is lost: the tokens joined are the text."""

import re
import unicodedata
from functools import cache
from itertools import islice

import numpy as np

from pipeline.config.schema import Token
from pipeline.data.arrays import IntArray

Tokens = np.ndarray  # uint32 code points, uint8 bytes, or words as objects; shape (tokens,)
_JOINERS = "\u200c\u200d"  # without width, between the letters of one word
_FIRST_MARK, _LAST_MARK = 0x300, 0x1F000  # between them lie all but a few marks of rare scripts


def tokenize(text: str | bytes, kind: Token) -> Tokens:
    """Cut a text.

    A word is a run of letters, digits and underscores with the space before it, if there is one; so is a single
    punctuation mark; what is left is one white space. Accents and vowel signs belong to their word.

    Args:
        text: Characters; bytes are read as UTF-8.
        kind: What it is cut into.

    Returns:
        Shape (tokens,): code points, uint32; bytes, uint8; or words, objects.

    Example:
        >>> tokenize("Aé", Token.char), tokenize("é", Token.byte)
        (array([ 65, 233], dtype=uint32), array([195, 169], dtype=uint8))
        >>> list(tokenize("To be,  or", Token.word))
        ['To', ' be', ',', ' ', ' or']
    """
    if kind is Token.byte:
        return np.frombuffer(text.encode() if isinstance(text, str) else text, np.uint8)
    characters = text.decode() if isinstance(text, bytes) else text
    if kind is Token.char:
        return np.frombuffer(characters.encode("utf-32-le"), "<u4")
    found = _word_pattern().findall(characters)
    words = np.empty(len(found), dtype=object)
    words[:] = found
    return words


def show_tokens(tokens: Tokens) -> list[str]:
    """Return the tokens as texts: characters, `0xc3` for a byte, or words."""
    if tokens.dtype == np.uint8:
        return [f"0x{each:02x}" for each in tokens.tolist()]
    return tokens.tolist() if tokens.dtype == object else list(map(chr, tokens.tolist()))


def count_characters(tokens: Tokens) -> IntArray:
    """Return how many characters begin in each token. Shape (tokens,), int64.

    Example:
        >>> count_characters(tokenize("né", Token.byte)), count_characters(tokenize("To be", Token.word))
        (array([1, 1, 0]), array([2, 3]))
    """
    if tokens.dtype == object:
        return np.fromiter(map(len, tokens), np.int64, len(tokens))
    if tokens.dtype == np.uint8:
        return (tokens & 0xC0 != 0x80).astype(np.int64)  # what begins with bits 10 continues a character
    return np.ones(len(tokens), np.int64)


def spell_tokens(tokens: Tokens) -> bytes:
    """Return the text of some tokens, as bytes of UTF-8; bytes may begin or end within a character."""
    if tokens.dtype == np.uint8:
        return tokens.tobytes()
    text = "".join(tokens) if tokens.dtype == object else tokens.astype("<u4").tobytes().decode("utf-32-le")
    return text.encode()


def reaches(text: str | bytes, kind: Token, count: int) -> bool:
    """Return whether a text has at least so many tokens; a long one is not cut for it."""
    if kind is Token.byte:
        return len(text.encode() if isinstance(text, str) else text) >= count
    characters = text.decode() if isinstance(text, bytes) else text
    if kind is Token.char:
        return len(characters) >= count
    return sum(1 for _ in islice(_word_pattern().finditer(characters), count)) == count


@cache
def _word_pattern() -> re.Pattern[str]:
    """Return what one word is. Python's own class of letters lacks accents and vowel signs that stand by themselves."""
    points = range(_FIRST_MARK, _LAST_MARK)
    marks = "".join(chr(each) for each in points if unicodedata.category(chr(each))[0] == "M")
    letter = rf"\w{marks}{_JOINERS}"
    return re.compile(rf" ?[{letter}]+| ?[^\s{letter}]|\s")
