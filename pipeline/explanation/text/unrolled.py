"""The boxes of one sample, drawn with characters: red inputs below, green layers above them, blue outputs on top."""

from dataclasses import dataclass

from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.labels import name_rows, name_some, show_few
from pipeline.explanation.facts.sentences import count_numbers, explain_stateless, name_hidden
from pipeline.explanation.facts.unrolled import Feed, Stage
from pipeline.explanation.text.canvas import Canvas, Ink, Line
from pipeline.models.plan import LayerPlan

_NAMES = 21  # columns for what stands left of the boxes
_LEAST_BOX, _GAP, _ELLIPSIS, _BETWEEN = 9, 2, 5, 3
_LEVEL = 4  # lines of a box and the arrow above it
_MOST_ALONE, _MOST_TOGETHER = 5, 3


@dataclass(frozen=True)
class _Grid:
    """Where boxes stand: `levels` green ones between the red and the blue ones, `box` columns wide."""

    levels: int
    box: int

    def y(self, level: int) -> int:
        """Return the first line of the boxes of a level: 0 is the input, levels + 1 the output on top."""
        return 1 + (self.levels + 1 - level) * _LEVEL

    def middle(self, x: int) -> int:
        """Return the column of the arrow above a box."""
        return x + self.box // 2


def draw_unrolled(explanation: Explanation) -> list[Line]:
    """Draw every stage side by side."""
    canvas, stages = Canvas(), explanation.stages
    names = [name_rows(rows) for stage in stages for rows in (*stage.input_rows, *stage.output_rows)]
    names += [f"copy, {name_rows(rows)}" for stage in stages if stage.reads_ahead for rows in stage.input_rows]
    if len(stages) == 1:  # of two the drawing would be too wide
        names += [name_hidden(layer) for layer in stages[0].layers]
    grid = _Grid(max(len(stage.layers) for stage in stages), max(_LEAST_BOX, 2 + max(map(len, names))))
    together = len(stages) > 1
    left = _NAMES + _GAP
    for number, stage in enumerate(stages):
        if together:
            canvas.write(left, 0, ("encoder", "decoder")[number], Ink.heading)
        columns = show_few(stage.num_steps, _MOST_TOGETHER if together else _MOST_ALONE)
        right = _draw_stage(canvas, grid, stage, columns, left)
        if explanation.is_stateful:
            _carry(canvas, grid, stage, left, right)
        if number + 1 < len(stages):
            _hand_over(canvas, grid, right)
        left = right + _BETWEEN
    _name_levels(canvas, grid, explanation)
    return canvas.lines()


def _draw_stage(canvas: Canvas, grid: _Grid, stage: Stage, columns: list[int | None], left: int) -> int:
    """Draw one stage from column `left` on; return the column after it."""
    x, top = left, len(stage.layers)
    for place, step in enumerate(columns):
        if step is None:
            for level in range(top + 1 + (stage.num_outputs > 1)):
                canvas.write(x, grid.y(level) + 1, "...", Ink.quiet)
            x += _ELLIPSIS
            continue
        copied = stage.feed is Feed.copied_state or (stage.feed is Feed.copied_input and step > 0)
        ahead = f", {name_rows(stage.input_rows[step])}" if stage.reads_ahead else ""
        name = f"copy{ahead}" if copied else name_rows(stage.input_rows[step])
        canvas.box(x, grid.y(0), grid.box, name, Ink.green if stage.feed is Feed.copied_state else Ink.red)
        for level, layer in enumerate(stage.layers, start=1):
            canvas.write(grid.middle(x), grid.y(level) + 3, "↑", Ink.quiet)
            canvas.box(x, grid.y(level), grid.box, name_hidden(layer), Ink.green)
            if layer.cell is not None and place > 0:
                canvas.write(x - _GAP, grid.y(level) + 1, "─>", Ink.green)
        rows = stage.output_of(step)
        if rows is not None:
            canvas.write(grid.middle(x), grid.y(grid.levels + 1) + 3, "↑", Ink.quiet)
            canvas.box(x, grid.y(grid.levels + 1), grid.box, name_rows(rows), Ink.blue)
        x += grid.box + _GAP
    return x - _GAP


def _carry(canvas: Canvas, grid: _Grid, stage: Stage, left: int, right: int) -> None:
    """Draw the state that comes from the batch before, and goes on to the next one."""
    for level, layer in enumerate(stage.layers, start=1):
        if layer.cell is not None:
            canvas.write(left - _GAP, grid.y(level) + 1, "─>", Ink.green)
            canvas.write(right, grid.y(level) + 1, "─>", Ink.green)


def _hand_over(canvas: Canvas, grid: _Grid, right: int) -> None:
    """Draw the way of the encoder's last h down to the decoder's inputs."""
    top, bottom = grid.y(grid.levels) + 1, grid.y(0) + 1
    canvas.write(right, top, "─┐", Ink.green)
    for y in range(top + 1, bottom):
        canvas.write(right + 1, y, "│", Ink.green)
    canvas.write(right + 1, bottom, "└>", Ink.green)


def _name_levels(canvas: Canvas, grid: _Grid, explanation: Explanation) -> None:
    first, last = explanation.stages[0], explanation.stages[-1]
    trained = "all trained on" if last.num_outputs > 1 else "trained on"
    _name(
        canvas,
        grid.y(grid.levels + 1),
        Ink.blue,
        "blue: output",
        *_holds(count_numbers(explanation, last.output_width), explanation.targets),
        trained,
    )
    for level, layer in enumerate(last.layers, start=1):
        name = first.layers[level - 1].name  # of the encoder; the decoder's has a prefix
        _name(canvas, grid.y(level), Ink.green, f"green: {name}", *_state(layer, explanation))
    _name(
        canvas, grid.y(0), Ink.red, "red: input", *_holds(count_numbers(explanation, first.width), explanation.features)
    )


def _state(layer: LayerPlan, explanation: Explanation) -> tuple[str, ...]:
    if layer.cell is None:
        return (explain_stateless(layer),)
    start = "carried on" if explanation.is_stateful else "first from zero"
    return f"─> {explanation.state_names}", start


def _holds(value: str, names: tuple[str, ...]) -> tuple[str, ...]:
    """Say how many numbers a box holds, and of which columns: in one line where it fits."""
    one = f"{value}: {name_some(names)}"
    return (one,) if len(one) < _NAMES else (value, name_some(names, most=1, longest=_NAMES))


def _name(canvas: Canvas, y: int, ink: Ink, *texts: str) -> None:
    for line, text in enumerate(texts):
        canvas.write(0, y + line, text if len(text) < _NAMES else f"{text[: _NAMES - 2]}…", ink)
