"""An explanation as text for a terminal: at most 100 columns, boxes of Unicode lines."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pipeline.report.batch_map import Filling, Place
from pipeline.report.canvas import Ink, Line
from pipeline.report.explanation import Explanation
from pipeline.report.labels import show_few
from pipeline.report.unrolled import Feed
from pipeline.report.unrolled_text import draw_unrolled

WIDTH = 100
_INDENT = "  "
_MOST_ROWS = 4


def draw_text(explanation: Explanation) -> list[Line]:
    """Draw the whole experiment.

    Args:
        explanation: Its facts.

    Returns:
        The lines; `str(line)` is one without colours.
    """
    sections = {
        "One sample, unrolled over its time steps": _unrolled(explanation),
        "Tensors: [samples, time steps, features]": _tensors(explanation),
        "Parameters": _parameters(explanation),
        "One epoch": _epoch(explanation),
        _map_heading(explanation): _batches(explanation),
        "In brief": _wrapped(explanation.answers, "- "),
    }
    lines = [Line.of(explanation.title[:WIDTH], Ink.heading), *_wrapped([explanation.summary])]
    for heading, body in sections.items():
        section = list(body)
        if section:
            lines += [Line.of(""), Line.of(heading, Ink.heading), *section]
    return lines


def _wrapped(texts: Iterable[str], bullet: str = "") -> Iterator[Line]:
    for text in texts:
        for line in textwrap.wrap(text, WIDTH, initial_indent=bullet, subsequent_indent=" " * len(bullet)):
            yield Line.of(line)


def _unrolled(explanation: Explanation) -> Iterator[Line]:
    for line in draw_unrolled(explanation):
        yield Line([(_INDENT, Ink.plain), *line.pieces])
    yield from _wrapped([*explain_boxes(explanation)], _INDENT)


def explain_boxes(explanation: Explanation) -> Iterator[str]:
    """Say how many boxes there are, which outputs are trained on, and what the first training window is."""
    stages, labels = explanation.stages, explanation.labels
    red, green, blue = (
        sum(getattr(stage, f"num_{kind}") for stage in stages) for kind in ("inputs", "hidden", "outputs")
    )
    if blue == 1:
        trained = "The blue box is trained on and scored"
    elif stages[-1].feed is Feed.series:
        trained = "Every blue box is trained on, the last one is the forecast that is scored"
    else:
        trained = "Every blue box is trained on and scored"
    yield (
        f"{red} red, {green} green and {blue} blue box{'es' * (blue > 1)}. {trained}. "
        "t is the last row that a forecast may know."
    )
    copies = {Feed.copied_input: "the input", Feed.copied_state: "the encoder's last h"}.get(stages[-1].feed)
    if copies is not None:
        yield f"The decoder reads {copies} at every step: the copies hold the same numbers."
    first, origin, target, last_target = explanation.example
    yield (
        f"The first training window reads {labels.span(first, origin)}; "
        f"its forecast is for {labels.span(target, last_target)}."
    )


def _tensors(explanation: Explanation) -> Iterator[Line]:
    counts = explanation.counts
    rows = [("tensor", "one batch", "an epoch", "axes")]
    for tensor in explanation.tensors:
        each = [counts.batch_size, *tensor.shape]
        whole = "-" if tensor.is_state else str([counts.num_windows, *tensor.shape])
        first = "rows" if tensor.is_state else "samples"
        rows.append((tensor.name, str(each), whole, ", ".join((first, *tensor.axes))))
    yield from _table(rows)
    if not explanation.is_stateful and counts.last_batch < counts.batch_size:
        yield Line.of(f"{_INDENT}The last batch of an epoch has {counts.last_batch} windows.")


def _parameters(explanation: Explanation) -> Iterator[Line]:
    rows = [(layer.name, layer.formula, f"= {layer.num_parameters}") for layer in explanation.layers]
    yield from _table([*rows, ("all", "", f"= {explanation.num_parameters}")])


def _epoch(explanation: Explanation) -> Iterator[Line]:
    yield from _table(
        [
            ("part", "rows", "from", "to", "windows"),
            *(
                (part.name, str(part.num_rows), part.first, part.last, str(part.num_windows))
                for part in explanation.parts
            ),
        ]
    )
    yield from _wrapped([*explain_epoch(explanation), *explain_left_over(explanation)], _INDENT)


def explain_epoch(explanation: Explanation) -> Iterator[str]:
    """Say how windows make batches, and how often weights change and states are reset."""
    counts = explanation.counts
    batches = f"{counts.num_batches} batch{'es' * (counts.num_batches > 1)} of {counts.batch_size}"
    if explanation.is_stateful:
        shortest, longest = counts.lane_lengths
        chunks = f"{longest}" if shortest == longest else f"{shortest} to {longest}"
        lanes = f"{counts.num_lanes} lane{'s' * (counts.num_lanes > 1)} of {chunks} chunk{'s' * (longest > 1)}"
        padded = f", {counts.num_padded} place{'s are' if counts.num_padded > 1 else ' is'} padding"
        resets = f"{counts.num_resets} reset{'s' * (counts.num_resets > 1)}"
        batches = f"{lanes} in {batches}{padded if counts.num_padded else ''}, {resets} of the state"
    yield f"An epoch: {counts.num_windows} windows, {batches}."
    yield (
        f"Weights change after every batch: {counts.num_batches} times an epoch, "
        f"{counts.num_batches * explanation.epochs} times in {explanation.epochs} epochs at most."
    )


def explain_left_over(explanation: Explanation) -> Iterator[str]:
    """Say at which rows of the training part no window begins, and why."""
    for left in explanation.left_over:
        rows = f"the row {left.first}" if len(left.rows) == 1 else f"{len(left.rows)} rows"
        where = f" ({left.first} to {left.last})" if len(left.rows) > 1 else ""
        yield f"No training window begins at {rows}{where}: {left.reason}."


def _map_heading(explanation: Explanation) -> str:
    if explanation.is_stateful:
        return "Which lane sits where (lane: its rows), every epoch: -> state carried on, 0> it starts from zero"
    zero = ": 0> the state starts from zero" if explanation.state_names else ""
    return f"Which window sits where in epoch 1 of the first seed{zero}"


def _batches(explanation: Explanation) -> Iterator[Line]:
    shown = explanation.batches
    columns = list(range(len(shown.numbers)))
    rows = show_few(shown.num_rows, _MOST_ROWS)
    names = [f"batch {number}" for number in shown.numbers]
    left = len(f"{_INDENT}row {shown.num_rows} ")
    dates = left + 3 * (4 + max(map(len, name_places(explanation, rows, dates=True).values()))) <= WIDTH
    cells = name_places(explanation, rows, dates)  # where dates are too long, rows are numbered
    width = 4 + max(len(text) for text in [*cells.values(), *names])
    while len(columns) > 1 and left + len(columns) * width > WIDTH:
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
    yield from _wrapped(explain_map(explanation), _INDENT)


def name_places(explanation: Explanation, rows: Sequence[int | None], dates: bool) -> dict[tuple[int, int], str]:
    """Return what the shown rows of every shown batch hold, by row and position of the batch."""
    shown = explanation.batches
    return {
        (row, column): _name_place(explanation, shown.place(row, column), dates)
        for row in rows
        if row is not None
        for column in range(len(shown.numbers))
    }


def _name_place(explanation: Explanation, place: Place | None, dates: bool) -> str:
    if place is None:
        return ""
    if place.filling is Filling.padding:
        return "(padding)"
    first, last = place.rows
    text = explanation.labels.span(first, last) if dates else _number(first, last)
    text = text if place.lane is None else f"{place.lane}: {text}"
    return f"({text})" if place.filling is Filling.unscored else text


def _number(first: int, last: int) -> str:
    """Number rows as error messages do: the first data row is 1."""
    return f"data row {first + 1}" if first == last else f"rows {first + 1}..{last + 1}"


def explain_map(explanation: Explanation) -> Iterator[str]:
    """Say where the state is reset, and what the brackets mean."""
    counts, shown = explanation.counts, explanation.batches
    if explanation.is_stateful and counts.num_resets > 1:
        later = next(number for number, zero in zip(shown.numbers[1:], shown.from_zero[1:], strict=True) if zero)
        yield (
            f"Every state is set to zero before batch 1, before batch {later} and so on, {counts.num_resets} times an "
            "epoch: there other lanes begin."
        )
    elif explanation.is_stateful:
        yield "Every state is set to zero before batch 1 of every epoch, and never inside it."
    fillings = {filling for batch in shown.fillings for filling in batch}
    if Filling.unscored in fillings:
        yield "(In brackets): its target was filled in, so it only moves the state on."


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[Line]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield Line.of(_INDENT + "   ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)))
