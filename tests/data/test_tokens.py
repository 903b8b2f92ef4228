"""No character of a text is lost or changed by cutting it."""

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.schema import Token
from pipeline.data.tokens import count_characters, reaches, show_tokens, spell_tokens, tokenize

texts = st.text(st.one_of(st.sampled_from(" \n\t.,'-a_9é"), st.characters(exclude_categories=["Cs"])), max_size=40)


@settings(max_examples=150, deadline=None)
@given(texts)
def test_tokens_joined_are_the_text(text: str) -> None:
    """Breaks bits per character and what `write` prints: tokens would stand for another text."""
    assert "".join(tokenize(text, Token.word)) == text
    assert "".join(map(chr, tokenize(text, Token.char))) == text
    assert tokenize(text, Token.byte).tobytes().decode() == text
    for kind in Token:
        tokens = tokenize(text, kind)
        count = len(tokens)
        assert spell_tokens(tokens).decode() == text and count_characters(tokens).sum() == len(text)
        assert reaches(text, kind, count) and not reaches(text, kind, count + 1)


def test_words_take_the_space_before_them() -> None:
    """Breaks the words of languages whose vowels are signs of their own, or tokens that the vocabulary counts twice."""
    assert list(tokenize("हिन्दी में  don't stop!\n", Token.word)) == [
        *("हिन्दी", " में", " ", " don", "'", "t", " stop", "!", "\n"),
    ]
    assert show_tokens(tokenize("é", Token.byte)) == ["0xc3", "0xa9"]
