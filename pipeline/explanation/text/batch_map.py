"""Which window sits where in the first batches, with characters: `->` carries the state, `0>` starts it from zero."""

from collections.abc import Iterator

from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.labels import show_few
from pipeline.explanation.facts.sentences import name_places
from pipeline.explanation.text.canvas import Ink, Line

_INDENT = "  "
_MOST_ROWS = 4


def draw_batches(explanation: Explanation, wide: int) -> Iterator[Line]:
    """Draw rows of batches into `wide` columns."""
    shown = explanation.batches
    columns = list(range(len(shown.numbers)))
    rows = show_few(shown.num_rows, _MOST_ROWS)
    names = [f"batch {number}" for number in shown.numbers]
    left = len(f"{_INDENT}row {shown.num_rows} ")
    dates = left + 3 * (4 + max(map(len, name_places(explanation, rows, dates=True).values()))) <= wide
    cells = name_places(explanation, rows, dates)  # where dates are too long, rows are numbered
    width = 4 + max(len(text) for text in [*cells.values(), *names])
    while len(columns) > 1 and left + len(columns) * width > wide:
        columns.pop()
    yield Line.of(" " * left + "".join(f"{'   ' + names[column]:<{width}}" for column in columns))
    for row in rows:
        if row is None:
            yield Line.of(f"{_INDENT}...", Ink.quiet)
            continue
        pieces = [(f"{_INDENT}row {row + 1}".ljust(left), Ink.plain)]
        for column in columns:
            text = cells[row, column]
            arrow = ("0> " if shown.from_zero[column] else "-> ") if text and explanation.state_names else "   "
            pieces += [(arrow, Ink.green), (f"{text:<{width - 3}}", Ink.red)]
        yield Line(pieces)
