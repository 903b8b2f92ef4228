"""One sample unrolled over its time steps: which boxes a drawing has, as plain facts.

A wiring is one or two stages, each a row of columns, one column per time step:

    many_to_one      [series -> cells -> last step]
    many_to_many     [series -> cells -> every step]
    one_to_one       [series -> dense layers -> the step]
    one_to_many      [the one step, copied -> cells -> every step]
    encoder_decoder  [series -> cells] then [the encoder's last h, copied -> cells -> every step]

With model.decoder=future each copy has beside it what is known ahead of the row that its step forecasts.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import Enum

from pipeline.data.windows import Windows
from pipeline.models.plan import Kind, LayerPlan

Rows = tuple[int, ...]  # rows of the series, counted from t, the last row that a forecast may know


class Feed(Enum):
    """What enters the first layer at every time step."""

    series = "series"  # the next time step of the window
    copied_input = "copied_input"  # the same time step of the window again and again
    copied_state = "copied_state"  # the last h of the stage before, again and again


@dataclass(frozen=True)
class Stage:
    """Layers over the same time steps.

    Attributes:
        feed: What enters the first layer.
        num_steps: Columns of the drawing.
        width: Numbers that enter at one time step.
        input_rows: The rows of the series in each column; none where no row enters. Of a decoder the rows of which
            something is known ahead.
        layers: The green boxes of a column, from bottom to top.
        output_rows: The target rows of each blue box. The boxes stand on the last columns of the stage.
        output_width: Numbers in one blue box.
    """

    feed: Feed
    num_steps: int
    width: int
    input_rows: tuple[Rows, ...] = ()
    layers: tuple[LayerPlan, ...] = ()
    output_rows: tuple[Rows, ...] = ()
    output_width: int = 0

    @property
    def num_inputs(self) -> int:
        """Red boxes: time steps of the window that enter here. Copies are the same box again."""
        return {Feed.series: self.num_steps, Feed.copied_input: 1, Feed.copied_state: 0}[self.feed]

    @property
    def reads_ahead(self) -> bool:
        """Whether something that is known ahead enters beside each copy of a decoder."""
        return self.feed is Feed.copied_state and bool(self.input_rows)

    @property
    def num_hidden(self) -> int:
        """Green boxes."""
        return self.num_steps * len(self.layers)

    @property
    def num_outputs(self) -> int:
        """Blue boxes."""
        return len(self.output_rows)

    def output_of(self, step: int) -> Rows | None:
        """Return the target rows of the blue box on a column, or None where it has none."""
        place = step - (self.num_steps - self.num_outputs)
        return self.output_rows[place] if place >= 0 else None


def unroll(plan: Sequence[LayerPlan], windows: Windows) -> tuple[Stage, ...]:
    """Lay a planned network out over the time steps of one window.

    Args:
        plan: The layers, from input to output.
        windows: Whose rows go in and are predicted.

    Returns:
        One stage; two for an encoder and its decoder.
    """
    spec = windows.spec
    inputs = tuple(tuple(row - spec.origin for row in rows) for rows in spec.past_offsets)
    stage = Stage(Feed.series, spec.time_steps, windows.num_features, inputs)
    before: tuple[Stage, ...] = ()
    for layer in plan:
        match layer.kind:
            case Kind.repeat if stage.layers:
                before, stage = (*before, stage), Stage(Feed.copied_state, layer.repeats, layer.inputs)
            case Kind.past:
                stage = replace(stage, width=layer.outputs)
            case Kind.ahead:
                ahead = tuple((step,) for step in spec.future_steps)
                stage = replace(stage, width=layer.outputs, input_rows=ahead)
            case Kind.repeat:
                stage = replace(stage, feed=Feed.copied_input, num_steps=layer.repeats)
            case Kind.recurrent | Kind.dense | Kind.one_hot | Kind.embedding:
                stage = replace(stage, layers=(*stage.layers, layer))
            case Kind.flatten | Kind.normalise | Kind.denormalise | Kind.skip | Kind.answer | Kind.categories:
                pass
    head = stage.layers[-1]  # the last dense layer gives the blue boxes
    outputs = tuple(tuple(row - spec.origin for row in rows) for rows in spec.target_offsets)
    if stage.feed is not Feed.series:  # a decoder answers one horizon step after another
        outputs = tuple((row,) for row in outputs[-1])
    return *before, replace(stage, layers=stage.layers[:-1], output_rows=outputs, output_width=head.outputs)
