"""How pages are made: every text is escaped, and a typo in a template is an error."""

import re

import pytest
from jinja2 import UndefinedError

from pipeline.report.page.template import _environment, render_page


def test_every_text_is_escaped_unless_the_template_trusts_it() -> None:
    """What a run was named becomes a part of the page, in whatever place a template shows it."""
    made = _environment().from_string("{{ told | bound }} {{ told | value }} {{ told }}").render(told="<b> 3 %")
    assert made == "&lt;b&gt; 3\N{NO-BREAK SPACE}% &lt;b&gt; 3 % &lt;b&gt; 3 %"


def test_only_style_and_our_own_figures_are_trusted() -> None:
    """A template would let a text through as markup."""
    names = _environment().list_templates()
    pages = ["comparison", "dashboard", "gates", "page", "parts", "search", "service", "sweep"]
    assert names == [f"{page}.html.j2" for page in pages]
    loader = _environment().loader
    assert loader is not None
    sources = "".join(loader.get_source(_environment(), name)[0] for name in names)
    trusted = re.findall(r"\{\{ ([\w.]+) \| safe \}\}", sources)
    # Files of the package, and figures.
    assert sorted(set(trusted)) == ["css", "figure.broad", "figure.narrow", "script", "style"]
    assert sources.count("safe }}") == len(trusted) and "autoescape" not in sources


def test_what_a_template_is_not_given_is_an_error() -> None:
    """A renamed field leaves a gap on the page that nobody sees."""
    with pytest.raises(UndefinedError, match="'parts' is undefined"):
        render_page("sweep", "heading", failed=[], command="")
