"""Which window sits where in the first batches, as a drawing: arrows carry the state, a bar stops it."""

from pipeline.explanation.facts.batch_map import Filling
from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.labels import show_few
from pipeline.explanation.facts.sentences import name_places
from pipeline.explanation.svg.drawing import FILLS, GREEN, INK, QUIET, RED, RULE, Drawing, text_width

_MOST_ROWS = 4
_NAMES, _ARROW = 62.0, 38.0
_LEAST_SIZE = 11.0


def draw_batches(drawing: Drawing, explanation: Explanation, x: float, y: float, width: float, height: float) -> float:
    """Draw rows of batches into a rectangle; return where they end."""
    shown = explanation.batches
    rows = show_few(shown.num_rows, _MOST_ROWS)
    column = min((width - _NAMES) / len(shown.numbers), 250.0)
    cell = column - _ARROW - 6
    cells = name_places(explanation, rows, dates=True)
    if max(text_width(text, _LEAST_SIZE) for text in cells.values()) > cell - 6:
        cells = name_places(explanation, rows, dates=False)
    high = min(34.0, (height - 26) / len(rows) - 7)
    for number, batch in enumerate(shown.numbers):
        left = x + _NAMES + number * column + _ARROW
        gap = "…  " if number and batch != shown.numbers[number - 1] + 1 else ""
        drawing.text(left, y + 12, f"{gap}batch {batch}", 14, QUIET, bold=True)
    for place, row in enumerate(rows):
        top = y + 22 + place * (high + 7)
        if row is None:
            drawing.text(x, top + high / 2 + 5, "…", 18, QUIET)
            continue
        drawing.text(x, top + high / 2 + 5, f"row {row + 1}", 14, INK, room=_NAMES - 4)
        for number in range(len(shown.numbers)):
            held = shown.place(row, number)
            if held is None:
                continue
            left = x + _NAMES + number * column + _ARROW
            _draw_state(drawing, explanation, number, left, top + high / 2, column)
            empty = held.filling is not Filling.window
            colour, fill = (RULE, "#F6F8FA") if empty else (RED, FILLS[RED])
            drawing.box(left, top, cell, high, colour, fill, dashed=empty)
            drawing.text(
                left + cell / 2,
                top + high / 2 + 5,
                cells[row, number],
                14,
                QUIET if empty else INK,
                "middle",
                room=cell - 6,
            )
    return y + 22 + len(rows) * (high + 7)


def _draw_state(drawing: Drawing, explanation: Explanation, number: int, left: float, y: float, column: float) -> None:
    """Draw how the state comes to a cell: from the batch before, or from zero."""
    if not explanation.state_names:
        return
    if explanation.batches.from_zero[number]:
        drawing.reset(left - 2, y, _ARROW - 6, GREEN)
    else:
        drawing.arrow([(left - _ARROW - 4, y), (left - 2, y)], GREEN, 2.5)
