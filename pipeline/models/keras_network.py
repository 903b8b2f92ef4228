"""Build a network from its plan: standard Keras layers, and ours for windows, the known future, skips and answers.

All builds share one list of weights, so `twin.set_weights(network.get_weights())` always fits:

    training    (batch_size, time_steps, features); stateful or not, as configured
    forecasting stateful: (lanes, any length, features), an output at every step: the state carried over a whole series
    serving     stateless, any number of windows; a stateful network is served whole histories of any length

What answers at every step is the core: to normalise a window one has to have seen all of it.
"""

from collections.abc import Sequence

import keras

from pipeline.config.schema import Cell, Config
from pipeline.models.answer_layer import Answer
from pipeline.models.categories_layer import Categories
from pipeline.models.future_layers import Ahead, Past
from pipeline.models.normalise_layers import Denormalise, Normalise
from pipeline.models.plan import Kind, LayerPlan, plan_core, plan_layers
from pipeline.models.row_layout import RowLayout
from pipeline.models.skip_layer import Skip

_LAYERS = {Cell.lstm: keras.layers.LSTM, Cell.gru: keras.layers.GRU, Cell.simple_rnn: keras.layers.SimpleRNN}


def build_training_network(
    config: Config,
    num_features: int,
    num_outputs: int,
    target_inputs: Sequence[int] = (),
    untouched: int = 0,
    layout: RowLayout = RowLayout(),  # noqa: B008  frozen
) -> keras.Model:
    """Build the network that is trained.

    Args:
        config: Wiring, cell, units, dropout, time steps, whether it is stateful and returns sequences.
        num_features: Features of one time step.
        num_outputs: Numbers predicted at one time step.
        target_inputs: Which feature of a row each target is; needed with dataset.normalise only.
        untouched: Features at the end of a row that dataset.normalise leaves as they are.
        layout: Which columns of a row are known ahead, and which belong to a category.

    Returns:
        Takes (windows, time_steps, features), float32; a stateful network exactly `batch_size` windows. Gives
        (windows, outputs), or many-to-many (windows, time_steps, outputs).
    """
    shape = (config.batch_size if config.stateful else None, config.time_steps, num_features)
    layers = plan_layers(config, num_features, num_outputs, target_inputs, untouched, layout)
    return _build(config, layers, shape, config.stateful)


def build_streaming_network(
    config: Config,
    num_features: int,
    num_outputs: int,
    layout: RowLayout = RowLayout(),  # noqa: B008  frozen
) -> keras.Model:
    """Build the twin that reads sequences of any length, (lanes, steps, features), and answers at every step."""
    layers = plan_core(config, num_features, num_outputs, layout)
    return _build(config, layers, (None, None, num_features), stateful=False, every_step=True)


def build_chunk_network(
    config: Config,
    length: int,
    num_features: int,
    num_outputs: int,
    layout: RowLayout = RowLayout(),  # noqa: B008  frozen
) -> keras.Model:
    """Build the stateful twin that reads one lane chunk by chunk, (1, length, features), and answers at every step."""
    layers = plan_core(config, num_features, num_outputs, layout)
    return _build(config, layers, (1, length, num_features), stateful=True, every_step=True)


def build_serving_network(
    config: Config,
    num_features: int,
    num_outputs: int,
    target_inputs: Sequence[int] = (),
    untouched: int = 0,
    layout: RowLayout = RowLayout(),  # noqa: B008  frozen
) -> keras.Model:
    """Build the stateless twin that is saved and served, for any number of windows.

    The twin of a stateful network takes any number of time steps: given the whole past it ends in the state that the
    stateful network would carry, and so gives the same forecast. The past is what the stateful network reads: each row
    once; with dataset.order=overlapping one window after another; with lags_as=features one step per window.
    """
    shape = (None, None if config.stateful else config.time_steps, num_features)
    layers = plan_layers(config, num_features, num_outputs, target_inputs, untouched, layout)
    return _build(config, layers, shape, stateful=False)


def _build(
    config: Config,
    layers: Sequence[LayerPlan],
    batch_shape: tuple[int | None, int | None, int],
    stateful: bool,
    every_step: bool = False,
) -> keras.Model:
    inputs = keras.Input(batch_shape=batch_shape, name="window")
    hidden = read = rows = inputs  # (batch, time_steps, features): read is what the core reads, rows what its layers do
    for layer in layers:
        if layer.kind is Kind.embedding:  # Keras' takes ids without an axis of features
            hidden = keras.layers.Reshape((-1,), name="ids")(hidden)  # (batch, time_steps)
        made = _make_layer(config, layer, stateful, every_step)
        beside = {Kind.denormalise: inputs, Kind.skip: read, Kind.ahead: rows}.get(layer.kind)
        hidden = made(hidden) if beside is None else made([hidden, beside])
        read = hidden if layer.kind is Kind.normalise else read
        rows = hidden if layer.kind in (Kind.normalise, Kind.categories) else rows
    return keras.Model(inputs, hidden, name=f"{config.model.cell.value}_network")


def _make_layer(config: Config, layer: LayerPlan, stateful: bool, every_step: bool) -> keras.layers.Layer:
    if layer.cell is not None:
        return _LAYERS[layer.cell](
            layer.outputs,
            return_sequences=layer.return_sequences or every_step,
            stateful=stateful,
            dropout=config.model.dropout,
            recurrent_dropout=config.model.recurrent_dropout,
            name=layer.name,
        )
    if layer.rule is not None:
        kind = Normalise if layer.kind is Kind.normalise else Denormalise
        rule = layer.rule
        return kind(rule.how.value, rule.features, rule.columns, rule.untouched, rule.moves, name=layer.name)
    if layer.answer is not None:
        return Answer(layer.answer.numbers, layer.answer.below, layer.answer.counts, name=layer.name)
    if layer.layout is not None:
        layout = layer.layout
        return Categories(layer.width, layout.groups, layout.sizes, layout.num_future, name=layer.name)
    if layer.kind is Kind.past:
        return Past(layer.outputs, name=layer.name)
    if layer.kind is Kind.ahead:
        return Ahead(layer.outputs - layer.inputs, name=layer.name)
    if layer.kind is Kind.skip:
        return Skip(layer.outputs, name=layer.name)
    if layer.kind is Kind.dense:
        return keras.layers.Dense(layer.outputs, activation=layer.activation, name=layer.name)
    if layer.kind is Kind.one_hot:
        return keras.layers.CategoryEncoding(layer.vocabulary, output_mode="one_hot", name=layer.name)
    if layer.kind is Kind.embedding:
        return keras.layers.Embedding(layer.vocabulary, layer.outputs, name=layer.name)
    if layer.kind is Kind.repeat:
        return keras.layers.RepeatVector(layer.repeats, name=layer.name)
    return keras.layers.Flatten(name=layer.name)
