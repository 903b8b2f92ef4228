"""A text as a series of one column: code points, bytes or numbers of words, before a vocabulary gives them ids."""

import numpy as np
import pandas as pd

from pipeline.config.schema import DatasetConfig, Token
from pipeline.data.series import Series
from pipeline.data.text_files import read_text
from pipeline.data.tokens import Tokens, tokenize

COLUMN = "token"


def load_text(dataset: DatasetConfig, first_tokens: int | None = None) -> Series:
    """Load a text as a series of one column.

    Args:
        dataset: The `dataset` node of the configuration.
        first_tokens: How many are kept, so that a text which has grown gives what it held before; None: all.

    Returns:
        Code points, bytes, or with dataset.token=word numbers of `series.words`.

    Raises:
        UserError: If there is no such file, or it cannot be read as text.
    """
    source = read_text(dataset)
    tokens = tokenize(source.text, dataset.token)[:first_tokens]
    words: tuple[str, ...] = ()
    if dataset.token is Token.word:
        tokens, distinct = pd.factorize(tokens)
        words = tuple(map(str, distinct))
    values = tokens[:, None].astype(float)
    return Series(
        timestamps=pd.RangeIndex(len(values), name="position"),
        values=values,
        columns=(COLUMN,),
        features=(COLUMN,),
        targets=(COLUMN,),
        filled=np.zeros(values.shape, dtype=bool),
        origin=source.origin,
        notes=source.notes,
        words=words,
    )


def tokens_of(series: Series, kind: Token) -> Tokens:
    """Return the tokens of a text that `load_text` gave. Shape (tokens,)."""
    codes = series.values[:, 0]
    if kind is Token.word:
        return np.array(series.words, dtype=object)[codes.astype(np.int64)]
    return codes.astype(np.uint8 if kind is Token.byte else np.uint32)
