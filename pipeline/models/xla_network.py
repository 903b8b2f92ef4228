"""A network as a pure function of its weights, for many seeds at once, so that a whole training can be compiled.

The Keras network stays the only definition: `read_network` makes the function of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from pipeline.models.answer_rule import AnswerRule
from pipeline.models.cells import CellRule, Tensor, learn_product, look_up, project, run_cell
from pipeline.models.row_layout import RowLayout
from pipeline.models.window_rule import WindowRule


@dataclass(frozen=True)
class Recurrent:
    """One recurrent layer; its weights are kernel, recurrent kernel, bias, in Keras' shapes."""

    name: str
    rule: CellRule
    units: int
    has_dropout: bool
    return_sequences: bool
    num_weights: int = 3


@dataclass(frozen=True)
class Dense:
    """One dense layer, linear or tanh, the same at every time step; its weights are kernel and bias."""

    name: str
    activation: str = "linear"
    num_weights: int = 2


@dataclass(frozen=True)
class Repeat:
    """One vector becomes equal time steps."""

    name: str
    repeats: int
    num_weights: int = 0


@dataclass(frozen=True)
class Flatten:
    """All time steps become one vector."""

    name: str
    num_weights: int = 0


@dataclass(frozen=True)
class OneHot:
    """An id becomes a row of zeros with a one in its place: what follows is given the place, as an integer."""

    name: str
    num_weights: int = 0


@dataclass(frozen=True)
class Embedding:
    """An id becomes a row of a matrix, which is its weight."""

    name: str
    num_weights: int = 1


@dataclass(frozen=True)
class Normalise:
    """A window is measured by itself, for the layers that follow."""

    name: str
    rule: WindowRule
    num_weights: int = 0


@dataclass(frozen=True)
class Denormalise:
    """Outputs are brought back to where their window was."""

    name: str
    rule: WindowRule
    num_weights: int = 0


@dataclass(frozen=True)
class Skip:
    """A linear map of all that the core read is added to what it says; its weight is the kernel."""

    name: str
    num_weights: int = 1


@dataclass(frozen=True)
class Categories:
    """Values of categories become rows of tables, which are its weights; all else stays."""

    name: str
    layout: RowLayout
    num_weights: int


@dataclass(frozen=True)
class Past:
    """Rows without what they carry of the rows after them: their first columns."""

    name: str
    outputs: int
    num_weights: int = 0


@dataclass(frozen=True)
class Ahead:
    """Beside each step of a decoder stands what the last row that the core read carries of that step's row."""

    name: str
    columns: int
    num_weights: int = 0


@dataclass(frozen=True)
class Answer:
    """Numbers of the last dense layer become what the head says."""

    name: str
    rule: AnswerRule
    num_weights: int = 0


Plain = Dense | Repeat | Flatten | OneHot | Embedding | Categories | Past | Answer
Layer = Recurrent | Plain | Normalise | Denormalise | Skip | Ahead


@dataclass(frozen=True)
class NetworkFunction:
    """The layers of a network from input to output.

    All weights of a seed lie in one row, in the order of `get_weights`: shape (seeds, numbers). An optimizer is then
    one operation and not one per weight, which is most of the time of a small network. States are one list for the
    network: h (and c) of every recurrent layer, each of shape (seeds, rows, units).
    """

    layers: tuple[Layer, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def sizes(self) -> list[int]:
        """How many numbers each weight has."""
        return [math.prod(shape) for shape in self.shapes]

    def pack(self, weights: Sequence[Any]) -> Any:
        """Put the weights of one network, as `get_weights` gives them, into one row. Shape (numbers,)."""
        return np.concatenate([np.ravel(weight) for weight in weights])

    def unpack(self, row: Any) -> list[Any]:
        """Return the weights of one network, ready for `set_weights`, from one row of shape (numbers,)."""
        parts = np.split(row, np.cumsum(self.sizes)[:-1])
        return [part.reshape(shape) for part, shape in zip(parts, self.shapes, strict=True)]

    def _unpack_seeds(self, weights: Tensor) -> list[Tensor]:
        parts = tf.split(weights, self.sizes, 1)
        return [tf.reshape(part, (-1, *shape)) for part, shape in zip(parts, self.shapes, strict=True)]

    def zero_states(self, seeds: int, rows: int) -> list[Tensor]:
        """Return states of zero. Each (seeds, rows, units)."""
        return [
            tf.zeros((seeds, rows, layer.units))
            for layer in self.layers
            if isinstance(layer, Recurrent)
            for _ in range(layer.rule.num_states)
        ]

    def apply(
        self, weights: Tensor, inputs: Tensor, states: Sequence[Tensor], every_step: bool
    ) -> tuple[Tensor, list[Tensor]]:
        """Answer, as the network does outside training.

        Args:
            weights: Shape (seeds, numbers).
            inputs: Shape (steps, seeds or 1, rows, features).
            states: Before the first step.
            every_step: Whether a many-to-one network answers at every step, too.

        Returns:
            Outputs, shape (seeds, rows, outputs) or (steps, seeds, rows, outputs), and the states after the last step.
        """
        return self._run(weights, inputs, states, every_step=every_step, learns=False)

    def learn(
        self,
        weights: Tensor,
        inputs: Tensor,
        states: Sequence[Tensor],
        draws: Tensor | None = None,
        dropout: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        """Answer as in training: as `apply`, with dropout, and ready for a gradient tape.

        Args:
            weights: Shape (seeds, numbers).
            inputs: Shape (steps, seeds or 1, rows, features).
            states: Before the first step; no gradient flows into them.
            draws: Two integers that decide what each seed drops, shape (seeds, 2); None without dropout.
            dropout: The share that each seed drops, shape (seeds,); None without dropout.
        """
        return self._run(weights, inputs, states, every_step=False, learns=True, draws=draws, dropout=dropout)

    def _run(
        self,
        weights: Tensor,
        inputs: Tensor,
        states: Sequence[Tensor],
        every_step: bool,
        learns: bool,
        draws: Tensor | None = None,
        dropout: Tensor | None = None,
    ) -> tuple[Tensor, list[Tensor]]:
        hidden = read = known = inputs  # (steps, seeds or 1, rows, features): read is what the core reads
        weights_left, states_left = self._unpack_seeds(weights), list(states)
        after: list[Tensor] = []
        for number, layer in enumerate(self.layers):
            own, weights_left = weights_left[: layer.num_weights], weights_left[layer.num_weights :]
            if isinstance(layer, Normalise | Denormalise):
                hidden = _apply_rule(layer, inputs, hidden)
                read = known = hidden if isinstance(layer, Normalise) else read
                continue
            if isinstance(layer, Ahead):
                hidden = _put_beside(layer, hidden, known)
                continue
            if isinstance(layer, Skip):
                hidden = hidden + learn_product(_flatten(read), own[0])
                continue
            if not isinstance(layer, Recurrent):
                hidden = _apply_plain(layer, own, hidden)
                known = hidden if isinstance(layer, Categories) else known
                continue
            initial, states_left = states_left[: layer.rule.num_states], states_left[layer.rule.num_states :]
            mask = None
            if learns and layer.has_dropout:
                assert draws is not None and dropout is not None
                shape = (*initial[0].shape[1:2], own[0].shape[1])  # (rows, features)
                mask = _dropout_mask(draws + tf.constant([0, number]), shape, dropout)
            hidden, last = _apply_recurrent(layer, own, hidden, initial, learns, mask)
            after += last
            if not layer.return_sequences and not every_step:
                # (seeds, rows, units). As a state, so that the way back need not read a gradient of zero at every step.
                hidden = last[0] if learns else hidden[-1]
        return hidden, after


def _apply_recurrent(
    layer: Recurrent,
    weights: Sequence[Tensor],
    inputs: Tensor,
    initial: Sequence[Tensor],
    learns: bool,
    mask: Tensor | None,
) -> tuple[Tensor, tuple[Tensor, ...]]:
    kernel, recurrent_kernel, bias = weights
    inner_bias = None
    if bias.shape.rank == 3:  # a GRU's bias is one for the inputs and one for h: (seeds, 2, 3 units)
        bias, inner_bias = bias[:, 0], bias[:, 1]
    projected = project(inputs, kernel, bias) if mask is None else _project_some(inputs, mask, kernel, bias)
    return run_cell(layer.rule, projected, recurrent_kernel, inner_bias, initial, learns)


def _project_some(inputs: Tensor, mask: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Project what dropout leaves of the inputs; the mask is (seeds, rows, features)."""
    if inputs.dtype.is_floating:
        return project(inputs * mask, kernel, bias)
    seeds, rows, _ = mask.shape
    ids = tf.broadcast_to(inputs, (inputs.shape[0], seeds, rows))
    kept = tf.gather(mask, tf.transpose(ids, (1, 2, 0)), axis=2, batch_dims=2)  # (seeds, rows, steps)
    return look_up(ids, kernel) * tf.transpose(kept, (2, 0, 1))[..., None] + bias[:, None]


def _apply_rule(layer: Normalise | Denormalise, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Return the measured windows in the shape of the inputs; or the outputs where their windows are."""
    steps, seeds, windows, width = inputs.shape
    by_window = tf.transpose(inputs, (1, 2, 0, 3))  # (seeds or 1, windows, steps, features of a step)
    rows = tf.reshape(by_window, (seeds, windows, -1, layer.rule.features))
    shift, scale = layer.rule.measure(rows, keras.ops)  # each (seeds or 1, windows, 1, features)
    if isinstance(layer, Denormalise):
        return layer.rule.bring_back(outputs, shift, scale, keras.ops)
    return tf.transpose(tf.reshape((rows - shift) / scale, (seeds, windows, steps, width)), (2, 0, 1, 3))


def _apply_plain(layer: Plain, weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
    if isinstance(layer, OneHot | Embedding):
        ids = tf.cast(inputs[..., 0], tf.int32)  # (steps, seeds or 1, rows)
        return ids if isinstance(layer, OneHot) else look_up(ids, *weights)
    if isinstance(layer, Repeat):
        return tf.repeat(inputs[None], layer.repeats, 0)  # (steps, seeds or 1, rows, features)
    if isinstance(layer, Categories):
        return _embed(layer.layout, weights, inputs)
    if isinstance(layer, Past):
        return inputs[..., : layer.outputs]
    if isinstance(layer, Flatten):
        return _flatten(inputs)
    if isinstance(layer, Answer):
        return layer.rule.apply(inputs, keras.ops)
    outputs = _apply_dense(weights, inputs)
    return tf.tanh(outputs) if layer.activation == "tanh" else outputs


def _embed(layout: RowLayout, tables: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """Embed (steps, seeds or 1, rows, features). Shape (steps, seeds, rows, embedded features)."""
    steps, seeds, rows, features = inputs.shape
    matrix = layout.lay_tables(tables, features, keras.ops)  # (seeds, features, embedded features)
    flat = tf.reshape(tf.transpose(inputs, (1, 0, 2, 3)), (seeds, steps * rows, features))
    product = learn_product(flat, matrix)  # (seeds, steps * rows, embedded features)
    return tf.transpose(tf.reshape(product, (matrix.shape[0], steps, rows, matrix.shape[2])), (1, 0, 2, 3))


def _put_beside(layer: Ahead, hidden: Tensor, read: Tensor) -> Tensor:
    """Put what is known ahead beside (steps, seeds, rows, inputs). Shape (steps, seeds, rows, inputs + columns)."""
    steps, seeds, rows, _ = hidden.shape
    carried = read[-1][..., -steps * layer.columns :]  # (seeds or 1, rows, steps * columns)
    known = tf.reshape(carried, (*carried.shape[:2], steps, layer.columns))
    known = tf.transpose(known, (2, 0, 1, 3))  # (steps, seeds or 1, rows, columns)
    return tf.concat([hidden, tf.broadcast_to(known, (steps, seeds, rows, layer.columns))], -1)


def _flatten(inputs: Tensor) -> Tensor:
    side_by_side = tf.transpose(inputs, (1, 2, 0, 3))  # (seeds or 1, rows, steps, features)
    return tf.reshape(side_by_side, (*side_by_side.shape[:2], -1))


def _apply_dense(weights: Sequence[Tensor], inputs: Tensor) -> Tensor:
    kernel, bias = weights
    if inputs.shape.rank == 3:
        return learn_product(inputs, kernel) + bias[:, None]  # (seeds, rows, outputs)
    return project(inputs, kernel, bias)  # (steps, seeds, rows, outputs)


def _dropout_mask(draws: Tensor, shape: Sequence[int], dropout: Tensor) -> Tensor:
    """Return Keras' mask of a recurrent layer: one for all time steps. Shape (seeds, rows, features)."""
    share = dropout[:, None, None]  # (seeds, 1, 1)
    uniform = tf.map_fn(
        lambda draw: tf.random.stateless_uniform(shape, draw), draws, fn_output_signature=tf.TensorSpec(shape)
    )
    return tf.cast(uniform >= share, tf.float32) / (1 - share)
