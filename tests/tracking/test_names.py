"""Names and values from outside stay apart in MLflow and come back whole; tests/test_names.py sends them through."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.tracking.names import (
    escape_name,
    join_value,
    shorten_value,
    split_value,
)

NAMES = st.text("aZ9_-. :/%()€漢\n", min_size=1, max_size=30) | st.text("a(", min_size=240, max_size=300)


@given(st.lists(NAMES, unique=True, max_size=8))
def test_different_names_stay_different(names: list[str]) -> None:
    """The score of one column is overwritten by that of another."""
    assert len({escape_name(name) for name in names}) == len(names)


@given(st.integers(0, 20_000))
def test_a_value_that_may_not_be_cut_is_split_and_joined(length: int) -> None:
    """A long command line cannot be repeated, because its end is missing."""
    value = "".join(chr(97 + number % 26) for number in range(length))
    tags = split_value("command", value)
    assert max(map(len, tags.values())) <= 8000
    assert join_value("command", tags) == value


def test_long_values_that_begin_alike_stay_different() -> None:
    """Two configurations look the same in MLflow, and are pooled."""
    first, second = shorten_value("a" * 7000 + "b"), shorten_value("a" * 7000 + "c")
    assert first != second and len(first) <= 6000
    assert shorten_value("short") == "short"
