"""An explanation as one drawing for a slide, 16:9: the boxes of a sample, shapes, batches, and one epoch."""

from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.labels import show_few
from pipeline.explanation.facts.sentences import explain_epoch, explain_left_over
from pipeline.explanation.svg.batch_map import draw_batches
from pipeline.explanation.svg.drawing import BLUE, GREEN, INK, QUIET, RED, RULE, Drawing, text_width, wrap
from pipeline.explanation.svg.unrolled import draw_unrolled

_WIDTH, _HEIGHT = 1280, 720
_LEFT, _RIGHT, _SPLIT = 36.0, 1244.0, 880.0  # margins, and where the right column begins
_TOP, _MIDDLE, _BOTTOM = 118.0, 486.0, 706.0
_MOST_TENSORS, _FORMULA = 13, 18.0  # rows of the table, and pixels for a formula below a row


def draw_svg(explanation: Explanation) -> str:
    """Draw the whole experiment.

    Args:
        explanation: Its facts.

    Returns:
        A self-contained SVG file of 1280 x 720 pixels on white paper.
    """
    drawing = Drawing(_WIDTH, _HEIGHT, explanation.title, explanation.summary)
    drawing.text(_LEFT, 46, explanation.title, 26, bold=True, room=_RIGHT - _LEFT)
    for line, text in enumerate(wrap(explanation.summary, 16, _RIGHT - _LEFT)[:2]):
        drawing.text(_LEFT, 74 + 21 * line, text, 16, QUIET)
    draw_unrolled(drawing, explanation, _LEFT, _TOP, _SPLIT - _LEFT - 30, _MIDDLE - _TOP - 50)
    drawing.line([(_SPLIT - 22, _TOP - 8), (_SPLIT - 22, _BOTTOM - 8)], RULE, 1.5)
    drawing.line([(_LEFT, _MIDDLE - 16), (_RIGHT, _MIDDLE - 16)], RULE, 1.5)
    _draw_tensors(drawing, explanation)
    drawing.heading(_LEFT, _MIDDLE + 12, *_map_heading(explanation))
    below = draw_batches(drawing, explanation, _LEFT, _MIDDLE + 28, _SPLIT - _LEFT - 34, _BOTTOM - _MIDDLE - 28)
    _draw_answers(drawing, explanation, below + 22)
    _draw_epoch(drawing, explanation)
    return drawing.render()


def _map_heading(explanation: Explanation) -> tuple[str, str]:
    if explanation.is_stateful:
        return (
            "Which lane sits where",
            f"lane: its {explanation.row}s; every epoch. Arrow: the state is carried on; 0|: it starts from zero",
        )
    zero = ". 0|: every state starts from zero" if explanation.state_names else ""
    return "Which window sits where", f"epoch 1 of the first seed; shuffled anew in every epoch{zero}"


def _draw_tensors(drawing: Drawing, explanation: Explanation) -> None:
    """Draw the shape of every tensor of one batch, and the parameters that make it."""
    sizes = {layer.name: layer for layer in explanation.layers}
    drawing.heading(_SPLIT, _TOP + 2, "One batch", "[samples, time steps, features]")
    drawing.text(_RIGHT, _TOP + 2, "parameters", 13, QUIET, "end")
    shown = show_few(len(explanation.tensors), _MOST_TENSORS)
    room = _MIDDLE - _TOP - 76
    formulas = room >= 26 * len(shown) + _FORMULA * len(sizes)  # only where there is room for them
    step = min(26.0, room / len(shown))
    y = _TOP + 30
    for position in shown:
        if position is None:
            drawing.text(_SPLIT, y, "…", 15, QUIET)
            y += step
            continue
        tensor = explanation.tensors[position]
        size = sizes.get(tensor.name)
        role = RED if position == 0 else BLUE if tensor.name in ("head", "all_steps", "target") else GREEN
        drawing.text(_SPLIT, y, tensor.name, 15, role, room=150)
        drawing.text(_SPLIT + 158, y, str([explanation.counts.batch_size, *tensor.shape]), 15, room=130)
        if size is not None:
            drawing.text(_RIGHT, y, f"{size.num_parameters:,}", 15, anchor="end", room=70)
        if size is not None and formulas:
            drawing.text(_RIGHT, y + _FORMULA, size.formula, 12.5, QUIET, "end", room=_RIGHT - _SPLIT)
            y += _FORMULA
        y += step
    drawing.line([(_SPLIT, y - 0.6 * step), (_RIGHT, y - 0.6 * step)], RULE, 1.5)
    drawing.text(_SPLIT, y + 6, "parameters in all", 15, bold=True)
    drawing.text(_RIGHT, y + 6, f"{explanation.num_parameters:,}", 15, anchor="end", bold=True)


def _draw_epoch(drawing: Drawing, explanation: Explanation) -> None:
    """Draw the parts of the series as one bar, and say in words what an epoch holds and what is left over."""
    data = "text" if explanation.vocabulary else "series"
    drawing.heading(_SPLIT, _MIDDLE + 12, f"One epoch, and the parts of the {data}")
    length = sum(part.num_rows for part in explanation.parts)
    x, wide = _SPLIT, _RIGHT - _SPLIT
    fills = {"train": "#AFB8C1", "validation": "#D0D7DE", "test": "#EAEEF2"}
    for part in explanation.parts:
        fill = fills[part.name]
        share = wide * part.num_rows / length
        drawing.bar(x, _MIDDLE + 24, share, 24, fill)
        name = f"{part.name} {part.num_rows}"
        drawing.text(
            x + share / 2, _MIDDLE + 41, name if text_width(name, 12) < share else "", 13, INK, "middle", room=share
        )
        x += share
    rows = ", ".join(f"{part.name} {part.num_rows}" for part in explanation.parts)
    told = f"{rows} {explanation.row}s, {explanation.parts[0].first} to {explanation.parts[-1].last}"
    drawing.text(_SPLIT, _MIDDLE + 64, told, 12.5, QUIET, room=wide)
    _draw_texts(drawing, [*explain_epoch(explanation), *explain_left_over(explanation)], _MIDDLE + 86)


def _draw_texts(drawing: Drawing, texts: list[str], y: float) -> None:
    """Write paragraphs below each other, in the largest letters that leave room for all."""
    for size in (13.5, 13.0, 12.5, 12.0, 11.5, 11.0, 10.5):
        paragraphs = [wrap(text, size, _RIGHT - _SPLIT) for text in texts]
        if y + sum(map(len, paragraphs)) * 1.2 * size + 3 * len(paragraphs) <= _BOTTOM + size:
            break
    for lines in paragraphs:
        for line in lines:
            drawing.text(_SPLIT, y, line, size)
            y += 1.2 * size
        y += 3


def _draw_answers(drawing: Drawing, explanation: Explanation, y: float) -> None:
    """Write below the batches what finds room there: always a warning, which stands first and is about one lane."""
    room, size = _SPLIT - _LEFT - 40, 14.0
    for text in explanation.answers:
        lines = wrap(text, size, room)
        if y + 1.25 * size * (len(lines) - 1) > _BOTTOM:
            break
        for line in lines:
            drawing.text(_LEFT, y, line, size, RED if text.startswith("Warning") else QUIET)
            y += 1.25 * size
        y += 5
