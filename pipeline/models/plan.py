"""The layers of a network as plain facts: what Keras builds, what a drawing shows, what NumPy runs.

No Keras here, so that a network can be described, counted and served without it.

The five wirings, `?` for any number of rows and H for the horizon steps:

    one_to_one       (?, 1, features)    -> dense layers                          -> (?, outputs)
    one_to_many      (?, 1, features)    -> repeated H times -> recurrent layers  -> (?, H x targets)
    many_to_one      (?, steps, features) -> recurrent layers, last step only     -> (?, outputs)
    many_to_many     (?, steps, features) -> recurrent layers, every step         -> (?, steps, outputs)
    encoder_decoder  (?, steps, features) -> recurrent layers, last step only -> repeated H times -> recurrent layers
                                                                                  -> (?, H x targets)

A text has one feature, the id of a token. Its first layer makes numbers of it, at every step:

    (?, steps, 1)  -> one-hot, or embedding  -> (?, steps, vocabulary or embedding)  -> the layers above

With model.embedding the values of dataset.categories become numbers first, at every step; all else stays as it is:

    (?, steps, features)  -> categories -> (?, steps, fewer features)  -> the layers above

With model.decoder=future the encoder reads no row ahead, and the decoder at each step what is known of that row:

    (?, steps, features) -> past: without what rows carry -> recurrent layers, last step only -> repeated H times
                         -> ahead: beside it what the last row carries of t+1, t+2, ... -> recurrent layers -> ...

With dataset.normalise the layers above, the core, stand between two that measure each window by itself:

    (?, steps, features)  -> normalise  -> the layers above  -> (?, outputs)  -> denormalise, by the same window

With model.skip=linear a linear map of what the core reads, all its steps at once, is added to what it says; it is the
autoregressive part of LSTNet (Lai et al., "Modeling long- and short-term temporal patterns", 2018):

    (?, steps, features)  -> the layers above  -> (?, outputs)  -> skip: plus (?, steps x features) x kernel

A head that says several numbers about each target has a rule that makes an answer of them, quantiles for example. It
comes last, but before what brings outputs back to where their window was.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from pipeline.config.schema import Cell, Config, Wiring
from pipeline.models.answer_rule import AnswerRule
from pipeline.models.heads.registry import head_of
from pipeline.models.row_layout import RowLayout
from pipeline.models.window_rule import WindowRule


class Kind(Enum):
    """What a layer does."""

    recurrent = "recurrent"  # a cell, one time step after another
    dense = "dense"  # a linear map, then perhaps tanh; the same at every time step
    repeat = "repeat"  # one vector becomes `repeats` equal time steps
    categories = "categories"  # values of categories become rows of learnt tables, all else stays
    past = "past"  # rows without what they carry of the rows after them
    ahead = "ahead"  # beside each step of a decoder stands what is known ahead of its row
    flatten = "flatten"  # all time steps become one vector
    one_hot = "one_hot"  # an id becomes a row of zeros with a one in its place
    embedding = "embedding"  # an id becomes a row of a learnt matrix
    normalise = "normalise"  # a window is shifted, and perhaps divided, by what it measures itself
    denormalise = "denormalise"  # outputs are brought back to where their window was
    skip = "skip"  # a linear map of all that the core read is added to what it says
    answer = "answer"  # the numbers of the last dense layer become what the head says


WHOLE_WINDOW = (Kind.normalise, Kind.denormalise, Kind.skip)  # kinds that need all rows of a window at once


# Gates of a cell, and arrays of its state: h, and for an LSTM c.
GATES = {Cell.lstm: 4, Cell.gru: 3, Cell.simple_rnn: 1}
NUM_STATES = {Cell.lstm: 2, Cell.gru: 1, Cell.simple_rnn: 1}


@dataclass(frozen=True)
class LayerPlan:
    """One layer.

    Attributes:
        kind: What it does.
        name: Its name in Keras.
        inputs: Numbers that enter at one time step; of a skip those of all time steps.
        outputs: Numbers that leave at one time step; of a recurrent layer its units.
        cell: Of a recurrent layer.
        return_sequences: Whether a recurrent layer gives every time step, or the last one only.
        activation: Of a dense layer, `linear` or `tanh`.
        repeats: Time steps that a repeat layer makes, and that there are of what is known ahead.
        vocabulary: Ids that there are: of a one-hot layer and of an embedding.
        layout: Of the layer that reads categories.
        rule: Of a layer that normalises windows, or denormalises outputs.
        answer: Of the layer that makes answers.
    """

    kind: Kind
    name: str
    inputs: int
    outputs: int
    cell: Cell | None = None
    return_sequences: bool = False
    activation: str = "linear"
    repeats: int = 0
    vocabulary: int = 0
    layout: RowLayout | None = None
    rule: WindowRule | None = None
    answer: AnswerRule | None = None

    @property
    def width(self) -> int:
        """Numbers that stand for a value of a category."""
        assert self.layout is not None
        gone = sum(self.layout.sizes[category] for _, category in self.layout.groups)
        return (self.outputs - self.inputs + gone) // len(self.layout.groups)

    @property
    def weight_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of its weights, in the order of Keras' `get_weights`: kernel, recurrent kernel, bias.

        An embedding has one row for each id that there is, and so has the table of each category for its values.
        """
        if self.layout is not None:
            return [(size, self.width) for size in self.layout.sizes]
        if self.kind is Kind.embedding:
            return [(self.vocabulary, self.outputs)]
        if self.kind is Kind.skip:
            return [(self.inputs, self.outputs)]
        if self.kind is Kind.dense:
            return [(self.inputs, self.outputs), (self.outputs,)]
        if self.cell is None:
            return []
        width = GATES[self.cell] * self.outputs
        bias = (2, width) if self.cell is Cell.gru else (width,)  # a GRU has one for its inputs and one for h
        return [(self.inputs, width), (self.outputs, width), bias]

    @property
    def num_parameters(self) -> int:
        """Numbers that are learnt."""
        total = 0
        for shape in self.weight_shapes:
            size = 1
            for length in shape:
                size *= length
            total += size
        return total


def plan_layers(
    config: Config,
    num_features: int,
    num_outputs: int,
    target_inputs: Sequence[int] = (),
    untouched: int = 0,
    layout: RowLayout = RowLayout(),  # noqa: B008  frozen
) -> list[LayerPlan]:
    """Plan a network.

    Args:
        config: Wiring, cell, units, horizon steps, and whether the data are a text.
        num_features: Features of one time step of a sample; of a text 1.
        num_outputs: Numbers that the network gives per origin: horizon steps times targets, times what the head says
            about each. Of a text: the tokens of its vocabulary.
        target_inputs: Which feature of a row each target is; needed with dataset.normalise only.
        untouched: Features at the end of a row that dataset.normalise leaves as they are.
        layout: Which columns of a row are known ahead, and which belong to a category.

    Returns:
        The layers from input to output.

    Raises:
        ValueError: If windows are normalised and it is not said which features the targets are.

    Example:
        >>> [layer.num_parameters for layer in plan_layers(Config(), num_features=1, num_outputs=1)]
        [96, 5]
    """
    core = plan_core(config, num_features, num_outputs, layout)
    if config.skips:
        place = len(core) - (core[-1].kind is Kind.answer)
        core.insert(place, LayerPlan(Kind.skip, "skip", num_features * config.time_steps, num_outputs))
    if not config.normalises:
        return core
    if not target_inputs:
        raise ValueError("a network that normalises windows needs to know which features its targets are")
    steps = len(config.horizon_steps)
    numbers = num_outputs // (steps * len(target_inputs))  # of an answer
    columns = [column for _ in range(steps) for column in target_inputs for _ in range(numbers)]
    features = num_features * config.time_steps // config.look_back  # of a row
    moves = () if core[-1].answer is None else core[-1].answer.moves * (steps * len(target_inputs))
    rule = WindowRule(config.dataset.normalise, features, tuple(columns), untouched, moves)
    return [
        LayerPlan(Kind.normalise, "normalise", num_features, num_features, rule=rule),
        *core,
        LayerPlan(Kind.denormalise, "denormalise", num_outputs, num_outputs, rule=rule),
    ]


def weights_of(layers: Sequence[LayerPlan], weights: Sequence[Any]) -> Sequence[Any]:
    """Return those weights of a network that belong to its core, or to other layers it begins with."""
    return weights[: sum(len(layer.weight_shapes) for layer in layers)]


def plan_core(
    config: Config,
    num_features: int,
    num_outputs: int,
    layout: RowLayout = RowLayout(),  # noqa: B008  frozen
) -> list[LayerPlan]:
    """Plan what reads one time step after another: the network, without the layers that need whole windows.

    Its weights come first among those of the network.
    """
    if config.reads_text:
        tokens = _read_tokens(config, num_outputs)
        return [tokens, *_wire(config, tokens.outputs, num_outputs)]
    rule = head_of(config).rule
    answer = [] if rule is None else [LayerPlan(Kind.answer, "answer", num_outputs, num_outputs, answer=rule)]
    width, future = config.model.embedding, layout.num_future
    if width is None or not layout.groups:
        return [*_wire(config, num_features, num_outputs, future), *answer]
    rows = config.look_back // config.time_steps  # of a time step
    features = num_features // rows
    if future:
        future = layout.embed(features - future * (config.horizon - 1), features - future * config.horizon, width)
    step = layout.repeat(rows, features)
    embedded = step.embed(num_features, 0, width)
    categories = LayerPlan(Kind.categories, "categories", num_features, embedded, layout=step)
    return [categories, *_wire(config, embedded, num_outputs, future), *answer]


def _read_tokens(config: Config, vocabulary: int) -> LayerPlan:
    size = config.model.embedding
    if size is None:
        return LayerPlan(Kind.one_hot, "one_hot", 1, vocabulary, vocabulary=vocabulary)
    return LayerPlan(Kind.embedding, "embedding", 1, size, vocabulary=vocabulary)


def _wire(config: Config, num_features: int, num_outputs: int, num_future: int = 0) -> list[LayerPlan]:
    steps = len(config.horizon_steps)
    last = config.model.units[-1]
    match config.wiring:
        case Wiring.one_to_one:
            widths = [num_features, *config.model.units]
            hidden = [
                LayerPlan(Kind.dense, f"dense_{number + 1}", widths[number], units, activation="tanh")
                for number, units in enumerate(config.model.units)
            ]
            return [_flatten("last_step", num_features), *hidden, _head(last, num_outputs)]
        case Wiring.one_to_many:
            return [_flatten("last_step", num_features), *_decoder(config, num_features, num_outputs, steps)]
        case Wiring.encoder_decoder if config.decodes_future:
            own = num_features - steps * num_future
            past = LayerPlan(Kind.past, "past", num_features, own)
            encoder = _stack(config, own, every_step=False)
            return [past, *encoder, *_decoder(config, last, num_outputs, steps, num_future)]
        case Wiring.encoder_decoder:
            encoder = _stack(config, num_features, every_step=False)
            return [*encoder, *_decoder(config, last, num_outputs, steps)]
        case _:
            every_step = config.wiring is Wiring.many_to_many
            return [*_stack(config, num_features, every_step), _head(last, num_outputs)]


def _stack(config: Config, inputs: int, every_step: bool, prefix: str = "") -> list[LayerPlan]:
    """Plan recurrent layers on each other: all but the last give every time step."""
    cell, layers = config.model.cell, []
    for number, units in enumerate(config.model.units):
        sequences = every_step or number < len(config.model.units) - 1
        name = f"{prefix}{cell.value}_{number + 1}"
        layers.append(LayerPlan(Kind.recurrent, name, inputs, units, cell, sequences))
        inputs = units
    return layers


def _decoder(config: Config, inputs: int, num_outputs: int, steps: int, num_future: int = 0) -> list[LayerPlan]:
    """Plan what turns one vector into a forecast per horizon step: each sees the vector, and the step before it.

    With what is known ahead each sees that of its own row as well.
    """
    per_step, width = num_outputs // steps, inputs + num_future
    return [
        LayerPlan(Kind.repeat, "repeat", inputs, inputs, repeats=steps),
        *([LayerPlan(Kind.ahead, "ahead", inputs, width, repeats=steps)] if num_future else []),
        *_stack(config, width, every_step=True, prefix="decoder_"),
        _head(config.model.units[-1], per_step),
        _flatten("all_steps", per_step),
    ]


def _head(inputs: int, outputs: int) -> LayerPlan:
    return LayerPlan(Kind.dense, "head", inputs, outputs)


def _flatten(name: str, width: int) -> LayerPlan:
    return LayerPlan(Kind.flatten, name, width, width)
