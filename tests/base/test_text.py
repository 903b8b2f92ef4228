"""Names, units and numbers stay readable and true, whatever they hold."""

import shlex
import unicodedata

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.base.text import show_name, show_names, show_number, show_p, show_setting, show_text, suggest, unquote

TEXTS = st.text("a $[\n\t\x00\x1b\u202e\u200b\u2028é漢…", max_size=30)


@given(TEXTS, st.integers(3, 40))
@example("\x1b[31mred", 60)
def test_names_are_seen_in_one_line_of_a_known_length(text: str, most: int) -> None:
    """A column name moves the cursor, hides letters or breaks a table."""
    shown = show_name(text, most)
    assert len(shown) <= most
    assert not {unicodedata.category(each) for each in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@given(TEXTS)
def test_what_can_be_seen_is_not_changed(text: str) -> None:
    """A name of other scripts is shown as escapes, or lines of a message are joined."""
    shown = show_text(text)
    assert shown.count("\n") == text.count("\n")
    assert shown == text or any(unicodedata.category(each) in {"Cc", "Cf", "Zl", "Zp"} for each in text)


def test_names_that_are_left_out_are_counted() -> None:
    """An error about 400 lanes fills the screen, or hides that there are more."""
    assert show_names([f"lane{number}" for number in range(5)]) == "lane0, lane1, lane2, lane3, lane4"
    assert show_names(["a\nb"] * 400).endswith("a\\nb and 395 more")


@settings(deadline=None, max_examples=40)
@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1))
@example("Sales (EUR)")
@example("a[b]{c},d=e:f")
@example('it\'s "x" $y')
@example("a\\")
@example('\\"')
@example("007")
@example("null")
def test_what_is_shown_to_paste_gives_the_name(name: str) -> None:
    """The line that an error proposes names another column than the one of the file, or no shell takes it."""
    for value in (name, [name, "b"]):
        (word,) = shlex.split(show_setting("dataset.features", value))  # type: ignore[arg-type]
        assert OverridesParser.create().parse_overrides([word])[0].value() == value


@given(st.text("ab,'\"\\ ", max_size=12))
def test_quotes_are_taken_off_as_they_were_put_on(text: str) -> None:
    """compare, forecast and stream read another value than run does from the same words."""
    (word,) = shlex.split(show_setting("key", text))
    assert unquote(word.removeprefix("key=")) == text
    assert unquote(text + "x") == text + "x"  # no quote at its end


@given(st.floats(1e-200, 1e200) | st.floats(-1e200, -1e-200), st.integers(2, 6))
def test_numbers_keep_the_digits_that_matter(value: float, digits: int) -> None:
    """A score in a small or a large unit is shown as 0.000, or with a digit that is wrong."""
    shown = show_number(value, digits)
    assert float(shown) == pytest.approx(value, rel=0.51 * 10.0 ** (1 - digits))
    assert "e" not in shown or not 1 <= abs(value) < 0.99e6


@pytest.mark.parametrize(
    ("p", "shown"),
    [(0.0, "<0.001"), (0.00099, "<0.001"), (0.049, "0.049"), (0.0501, "0.050"), (1.0, "1.00"), (float("nan"), "-")],
)
def test_a_p_value_shows_on_which_side_it_is(p: float, shown: str) -> None:
    """0.049 is shown as 0.05, and nobody sees that it is below."""
    assert show_p(p) == shown


def test_a_near_word_is_suggested() -> None:
    """A typo is answered with a list of everything, or with a word that has nothing to do with it."""
    known = ["look_back", "horizon"]
    assert suggest("lookback", known, "see --help") == "did you mean 'look_back'?"
    assert suggest("zzz", known, "see --help") == "see --help"
