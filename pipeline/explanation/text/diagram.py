"""An explanation as text for a terminal: at most 100 columns, boxes of Unicode lines."""

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.sentences import explain_boxes, explain_epoch, explain_left_over, explain_map
from pipeline.explanation.text.batch_map import draw_batches
from pipeline.explanation.text.canvas import Ink, Line
from pipeline.explanation.text.unrolled import draw_unrolled

WIDTH = 100
_INDENT = "  "


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
            ("part", f"{explanation.row}s", "from", "to", explanation.windows),
            *(
                (part.name, str(part.num_rows), part.first, part.last, str(part.num_windows))
                for part in explanation.parts
            ),
        ]
    )
    yield from _wrapped([*explain_epoch(explanation), *explain_left_over(explanation)], _INDENT)


def _map_heading(explanation: Explanation) -> str:
    if explanation.is_stateful:
        return (
            f"Which lane sits where (lane: its {explanation.row}s), every epoch: -> state carried on, 0> it starts "
            "from zero"
        )
    zero = ": 0> the state starts from zero" if explanation.state_names else ""
    return f"Which window sits where in epoch 1 of the first seed{zero}"


def _batches(explanation: Explanation) -> Iterator[Line]:
    yield from draw_batches(explanation, WIDTH)
    yield from _wrapped(explain_map(explanation), _INDENT)


def _table(rows: Sequence[tuple[str, ...]]) -> Iterator[Line]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        yield Line.of(_INDENT + "   ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)))
