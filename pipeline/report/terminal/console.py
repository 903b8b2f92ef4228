"""The terminal as reports write to it: text is text, whatever is in it."""

from typing import Any

from rich.console import Console
from rich.text import Text

from pipeline.base.text import show_text


class PlainConsole(Console):
    """Shows texts from outside as they are: no `[red]`, no `:smile:`, no control character has an effect."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, markup=False, emoji=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Return a text as rich draws it."""
        return super().render_str(show_text(text), **options)
