"""Sentences and names that the text and the drawing share: what the boxes, an epoch and the batches are."""

from collections.abc import Iterator, Sequence

from pipeline.explanation.facts.batch_map import Filling, Place
from pipeline.explanation.facts.explanation import Explanation
from pipeline.explanation.facts.unrolled import Feed
from pipeline.models.plan import Kind, LayerPlan


def explain_boxes(explanation: Explanation) -> Iterator[str]:
    """Say how many boxes there are, which outputs are trained on, and what the first training window is."""
    stages, labels = explanation.stages, explanation.labels
    red, green, blue = (
        sum(getattr(stage, f"num_{kind}") for stage in stages) for kind in ("inputs", "hidden", "outputs")
    )
    if blue == 1:
        trained = "The blue box is trained on and scored"
    elif stages[-1].feed is Feed.series and not explanation.vocabulary:
        trained = "Every blue box is trained on, the last one is the forecast that is scored"
    else:
        trained = "Every blue box is trained on and scored"
    first, origin, target, last_target = explanation.example
    yield (
        f"{red} red, {green} green and {blue} blue box{'es' * (blue > 1)}. {trained}. "
        f"t is the last {explanation.row} that a forecast may know."
    )
    copies = {Feed.copied_input: "the input", Feed.copied_state: "the encoder's last h"}.get(stages[-1].feed)
    if copies is not None and stages[-1].reads_ahead:
        yield f"The decoder reads {copies} at every step, and beside it what is known of the row that it forecasts."
    elif copies is not None:
        yield f"The decoder reads {copies} at every step: the copies hold the same numbers."
    if explanation.vocabulary and blue > 1:
        yield (
            f"The first training window reads {labels.read(first, origin)}; its targets are "
            f"{labels.read(first + target - origin, target)}."
        )
        return
    yield (
        f"The first training window reads {labels.read(first, origin)}; "
        f"its forecast is for {labels.read(target, last_target)}."
    )


def count_numbers(explanation: Explanation, width: int) -> str:
    """Say how many numbers a red or a blue box holds: values of a series; the id of a token, or logits of all."""
    one, several = ("1 id", "logits") if explanation.vocabulary else ("1 value", "values")
    return one if width == 1 else f"{width} {several}"


def name_hidden(layer: LayerPlan) -> str:
    """Say what is in a green box."""
    match layer.kind:
        case Kind.one_hot:
            return f"1 of {layer.outputs}"
        case Kind.embedding:
            return f"{layer.outputs} of {layer.vocabulary}"
        case _:
            return f"{layer.outputs} units"


def explain_stateless(layer: LayerPlan) -> str:
    """Say what a green box without a state does."""
    match layer.kind:
        case Kind.one_hot:
            return "a 1 at the id"
        case Kind.embedding:
            return "row of the id"
        case _:
            return "tanh, no state"


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
    if counts.num_unscored:
        windows = "window only moves" if counts.num_unscored == 1 else "windows only move"
        yield f"{counts.num_unscored} more {windows} the state on: a target was filled in."
    noun = "epoch" if explanation.epochs == 1 else "epochs"
    yield (
        f"Weights change after every batch: {counts.num_batches} times an epoch, "
        f"{counts.num_batches * explanation.epochs} times in {explanation.epochs} {noun} at most."
    )


def explain_left_over(explanation: Explanation) -> Iterator[str]:
    """Say at which rows of the training part no window begins, and why."""
    for left in explanation.left_over:
        row = explanation.row
        rows = f"the {row} {left.first}" if len(left.rows) == 1 else f"{len(left.rows)} {row}s"
        where = f" ({left.first} to {left.last})" if len(left.rows) > 1 else ""
        yield f"No training window begins at {rows}{where}: {left.reason}."


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
    text = explanation.labels.lane(first) if dates else ""
    text += explanation.labels.span(first, last) if dates else _number(first, last)
    text = text if place.lane is None else f"{place.lane}: {text}"
    return f"({text})" if place.filling is Filling.unscored else text


def _number(first: int, last: int) -> str:
    """Number rows as error messages do: the first data row is 1."""
    return f"data row {first + 1}" if first == last else f"rows {first + 1}..{last + 1}"
