"""Names of columns on the command line: any characters come through, and an error shows how to quote them."""

import shlex

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.base.errors import UserError
from pipeline.base.text import show_setting
from pipeline.command.jobs import explained


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


@pytest.mark.parametrize(
    ("override", "proposal"),
    [
        ("dataset.features=[Sales (EUR)]", """quote it: 'dataset.features=["Sales (EUR)"]'"""),
        ("dataset.targets=[a{b}, c]", """quote it: 'dataset.targets=["a{b}","c"]'; a comma inside a name stays"""),
        ("dataset.unit=x (y)", """quote it: 'dataset.unit="x (y)"'"""),
        ("dataset.features=['a]", """quote it: 'dataset.features=["a"]'"""),
    ],
)
def test_an_error_of_the_grammar_shows_the_quotes(override: str, proposal: str) -> None:
    """A person with a column `Sales (EUR)` reads of an unknown function and cannot use it."""
    with pytest.raises(UserError) as caught, explained():
        OverridesParser.create().parse_overrides([override])
    assert proposal in str(caught.value)
