"""The boxes of one sample as a drawing: red inputs below, green layers above them, blue outputs on top."""

from dataclasses import dataclass

from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.labels import name_rows, name_some, show_few
from pipeline.explanation.facts.sentences import count_numbers, explain_stateless, name_hidden
from pipeline.explanation.facts.unrolled import Feed, Rows, Stage
from pipeline.explanation.svg.drawing import BLUE, FILLS, GREEN, QUIET, RED, Drawing, text_width

_NAMES = 168.0  # pixels for what stands left of the boxes
_START = 34.0  # pixels for the arrow into the first box
_GAP, _BETWEEN = 0.45, 0.55  # an ellipsis, and what lies between two stages, in columns
_MOST_ALONE, _MOST_TOGETHER, _MOST_LAYERS = 5, 3, 4


@dataclass(frozen=True)
class _Grid:
    """Positions of the boxes, in pixels.

    Attributes:
        layers: Numbers of the layers shown, from 0; None for those left out.
        bottom: Lower end of the red boxes.
        level: From one level to the next.
        column: From one time step to the next.
        box: Width and height of a box.
    """

    layers: list[int | None]
    bottom: float
    level: float
    column: float
    box: tuple[float, float]

    def y(self, level: int) -> float:
        """Return the upper end of the boxes of a level: 0 the input, then layers, then the output."""
        return self.bottom - self.box[1] - level * self.level

    @property
    def top(self) -> int:
        """Level of the output."""
        return len(self.layers) + 1


def draw_unrolled(drawing: Drawing, explanation: Explanation, x: float, y: float, width: float, height: float) -> None:
    """Draw every stage side by side into a rectangle."""
    stages = explanation.stages
    most = _MOST_TOGETHER if len(stages) > 1 else _MOST_ALONE
    columns = [show_few(stage.num_steps, most) for stage in stages]
    slots = sum(_GAP if step is None else 1 for shown in columns for step in shown) + _BETWEEN * (len(stages) - 1)
    layers = show_few(len(stages[-1].layers), _MOST_LAYERS)
    column = min((width - _NAMES - 2 * _START) / slots, 180.0)
    level = min(height / (len(layers) + 2), 104.0)
    used = (len(layers) + 1) * level + min(level * 0.6, 54)
    grid = _Grid(layers, y + (height + used) / 2, level, column, (min(column * 0.7, 118.0), min(level * 0.6, 54)))
    left, between = x + _NAMES + _START, (1 + _BETWEEN) * column - grid.box[0]
    for number, stage in enumerate(stages):
        if len(stages) > 1:
            name = ("encoder", "decoder")[number]
            drawing.text(left, y + 4, name, 15, QUIET, bold=True)
        right = _draw_stage(drawing, grid, explanation, stage, columns[number], left)
        if number + 1 < len(stages):
            _hand_over(drawing, grid, right, left=right + between, steps=columns[number + 1])
        left = right + between
    _name_levels(drawing, grid, explanation, x)


def _draw_stage(
    drawing: Drawing, grid: _Grid, explanation: Explanation, stage: Stage, columns: list[int | None], left: float
) -> float:
    """Draw one stage from `left` on; return the right end of its last box."""
    x, (wide, high) = left, grid.box
    for place, step in enumerate(columns):
        if step is None:
            for level in range(grid.top + (stage.num_outputs > 1)):
                drawing.text(
                    x - grid.column + wide + (grid.column - wide + (_GAP - 0.25) * grid.column) / 2,
                    grid.y(level) + high / 2 + 4,
                    "…",
                    20,
                    QUIET,
                    "middle",
                )
            x += _GAP * grid.column
            continue
        _draw_input(drawing, grid, explanation, stage, step, x)
        skipped = place > 0 and columns[place - 1] is None
        _draw_hidden(drawing, grid, explanation, stage, step, x, 0.25 * grid.column if skipped else grid.column - wide)
        rows = stage.output_of(step)
        if rows is not None:
            middle = x + wide / 2
            drawing.arrow([(middle, grid.y(grid.top - 1)), (middle, grid.y(grid.top) + high)], QUIET)
            _box(drawing, grid, x, grid.top, BLUE, name_rows(rows), _when(explanation, rows))
        x += grid.column
    if stage.feed is Feed.copied_input:
        _repeat(drawing, grid, left, columns)
    return x - grid.column + wide


def _draw_hidden(
    drawing: Drawing, grid: _Grid, explanation: Explanation, stage: Stage, step: int, x: float, reach: float
) -> None:
    """Draw the green boxes of a column, and the arrows of length `reach` that bring them their state."""
    wide, high = grid.box
    for level, number in enumerate(grid.layers, start=1):
        y = grid.y(level) + high / 2
        drawing.arrow([(x + wide / 2, grid.y(level - 1)), (x + wide / 2, grid.y(level) + high)], QUIET)
        if number is None:
            drawing.text(x + wide / 2, y + 5, "…", 20, GREEN, "middle", bold=True)
            continue
        _box(drawing, grid, x, level, GREEN, name_hidden(stage.layers[number]), "")
        if stage.layers[number].cell is None:
            continue
        if step > 0:
            drawing.arrow([(x - reach, y), (x, y)], GREEN, 2.5)
        elif explanation.is_stateful:
            drawing.arrow([(x - _START + 4, y), (x, y)], GREEN, 3.5)
        else:
            drawing.reset(x - 1, y, min(_START, 0.55 * grid.column) - 4, GREEN)
        if explanation.is_stateful and step == stage.num_steps - 1:
            drawing.arrow([(x + wide, y), (x + wide + _START - 4, y)], GREEN, 3.5)


def _draw_input(drawing: Drawing, grid: _Grid, explanation: Explanation, stage: Stage, step: int, x: float) -> None:
    if stage.feed is Feed.copied_state:
        ahead = name_rows(stage.input_rows[step]) if stage.reads_ahead else ""
        _box(drawing, grid, x, 0, GREEN, "copy", ahead, dashed=True)
    elif stage.feed is Feed.copied_input and step > 0:
        _box(drawing, grid, x, 0, RED, "copy", "", dashed=True)
    else:
        rows = stage.input_rows[step]
        _box(drawing, grid, x, 0, RED, name_rows(rows), _when(explanation, rows))


def _when(explanation: Explanation, rows: Rows) -> str:
    """Return the timestamps of a box in the first training window, or its tokens."""
    origin = explanation.example[1]
    return explanation.labels.read(origin + rows[0], origin + rows[-1])


def _box(
    drawing: Drawing, grid: _Grid, x: float, level: int, colour: str, name: str, below: str, dashed: bool = False
) -> None:
    wide, high = grid.box
    y, middle = grid.y(level), x + wide / 2
    drawing.box(x, y, wide, high, colour, FILLS[colour], dashed)
    two = high >= 38 and 0 < text_width(below, 11) <= wide - 6
    drawing.text(middle, y + high / 2 + (-2 if two else 5), name, 16, anchor="middle", bold=True, room=wide - 10)
    if two:
        drawing.text(middle, y + high / 2 + 16, below, 12, QUIET, "middle", room=wide - 4)


def _hand_over(drawing: Drawing, grid: _Grid, right: float, left: float, steps: list[int | None]) -> None:
    """Draw the way of the encoder's last h to the copies in the decoder."""
    wide, high = grid.box
    turn, y = (right + left) / 2 - 6, grid.y(grid.top - 1) + high / 2
    floor = grid.bottom + 16
    drawing.line([(right, y), (turn, y), (turn, floor), (left + wide / 2, floor)], GREEN, 2.5)
    _bus(drawing, grid, left, steps, floor, GREEN, first=0)


def _repeat(drawing: Drawing, grid: _Grid, left: float, steps: list[int | None]) -> None:
    """Draw the way of the one input to its copies."""
    floor, middle = grid.bottom + 16, left + grid.box[0] / 2
    drawing.line([(middle, grid.bottom), (middle, floor)], RED, 2.5)
    _bus(drawing, grid, left, steps, floor, RED, first=1)


def _bus(
    drawing: Drawing, grid: _Grid, left: float, steps: list[int | None], floor: float, colour: str, first: int
) -> None:
    x, middles = left, []
    for step in steps:
        if step is not None:
            middles.append(x + grid.box[0] / 2)
        x += grid.column * (_GAP if step is None else 1)
    if len(middles) > 1:
        drawing.line([(middles[0], floor), (middles[-1], floor)], colour, 2.5)
    for middle in middles[first:]:
        drawing.arrow([(middle, floor), (middle, grid.bottom)], colour)


def _name_levels(drawing: Drawing, grid: _Grid, explanation: Explanation, x: float) -> None:
    first, last = explanation.stages[0], explanation.stages[-1]
    trained = "all trained on" if last.num_outputs > 1 else "trained on"
    every = last.feed is not Feed.series or explanation.vocabulary
    scored = ", last scored" if last.num_outputs > 1 and not every else ""
    holds = _holds(count_numbers(explanation, last.output_width), explanation.targets)
    _name(drawing, grid, x, grid.top, BLUE, f"{last.num_outputs} blue: output", holds, trained + scored)
    for level, number in enumerate(grid.layers, start=1):
        if number is None:
            _name(drawing, grid, x, level, GREEN, f"{len(last.layers) - _MOST_LAYERS + 1} more layers")
            continue
        layer = last.layers[number]
        count = sum(stage.num_steps for stage in explanation.stages)
        start = "carried on" if explanation.is_stateful else "from zero"
        told = f"{explanation.state_names} {start}" if layer.cell is not None else explain_stateless(layer)
        _name(drawing, grid, x, level, GREEN, f"{count} green: {first.layers[number].name}", told)
    count = sum(stage.num_inputs for stage in explanation.stages)
    _name(
        drawing,
        grid,
        x,
        0,
        RED,
        f"{count} red: input",
        _holds(count_numbers(explanation, first.width), explanation.features),
    )


def _holds(value: str, names: tuple[str, ...]) -> str:
    return f"{value}: {name_some(names, most=2, longest=12)}"


def _name(drawing: Drawing, grid: _Grid, x: float, level: int, colour: str, *texts: str) -> None:
    step = min(18.0, grid.level / 3.2)
    y = grid.y(level) + grid.box[1] / 2 + 5 - step * (len(texts) - 1) / 2
    for line, text in enumerate(texts):
        size = min(15.0 if line == 0 else 13.0, step)
        drawing.text(x, y + line * step, text, size, colour, bold=line == 0, room=_NAMES - 8)
