"""Where an explanation goes: the terminal, a text file, a drawing."""

import os
import sys
from pathlib import Path

from pipeline.base.paths import replace_file
from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.svg.diagram import draw_svg
from pipeline.explanation.text.canvas import colour
from pipeline.explanation.text.diagram import draw_text

OF_A_RUN = ("explanation.txt", "diagram.svg")  # what every run logs of itself


def print_explanation(explanation: Explanation) -> None:
    """Print the text; in colour where a person looks at it and has not set NO_COLOR."""
    lines = draw_text(explanation)
    if is_terminal() and not os.environ.get("NO_COLOR"):
        from rich.console import Console

        Console(highlight=False, force_terminal=True).print(colour(lines), end="", soft_wrap=True)
    else:
        print("\n".join(map(str, lines)))


def is_terminal() -> bool:
    """Return whether a person, not a pipe or a file, reads what is printed."""
    return sys.stdout.isatty()


def write_explanation(path: Path, explanation: Explanation) -> None:
    """Write a `.svg` drawing, or the text; a reader sees the old file or the whole new one.

    Args:
        path: The file. Its folder must exist.
        explanation: The facts.
    """
    text = draw_svg(explanation) if path.suffix == ".svg" else "\n".join(map(str, draw_text(explanation))) + "\n"
    with replace_file(path) as file:
        file.write(text.encode())
