"""Pages from templates: self-contained, no network, light and dark, readable on a phone, every text escaped.

Only what a template marks as `safe` is not escaped: our own style sheet, and figures that we have drawn ourselves.
"""

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.base.text import show_number, show_p, show_value
from pipeline.report.wording import explain_intervals, explain_tests, list_interval_columns, show_interval, show_spread

MOST_SENTENCES = 200
_MOST_OPEN = 8  # sentences of one list that a reader takes in; more are unfolded on demand
_FOLDER = Path(__file__).parent


def render_page(template: str, heading: str, **facts: Any) -> str:
    """Return a whole page.

    Args:
        template: Name of a file in templates/, without its ending.
        heading: Of the page.
        facts: What the template shows.
    """
    return _environment().get_template(f"{template}.html.j2").render(heading=heading, **facts)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_FOLDER / "templates", encoding="utf-8"),
        autoescape=True,
        undefined=StrictUndefined,  # a typo in a template is an error, not a gap
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False, "allow_nan": False}  # facts keep their order
    environment.filters |= {
        "bound": _bind_signs,
        "number": show_number,
        "spread": show_spread,
        "interval": show_interval,
        "p": show_p,
        "value": show_value,
        "explain_tests": explain_tests,
        "interval_columns": list_interval_columns,
        "explain_intervals": explain_intervals,
    }
    environment.globals |= {
        "css": (_FOLDER / "page.css").read_text(encoding="utf-8"),
        "most_open": _MOST_OPEN,
    }
    return environment


def _bind_signs(sentence: str) -> str:
    """Keep the per cent signs of a sentence on the line of their numbers."""
    return sentence.replace(" %", "\N{NO-BREAK SPACE}%")
