"""Read a Keras network as a pure function: its layers are walked, and what is not known is refused by name."""

from typing import Any

import keras

from pipeline.config.schema import Cell
from pipeline.models import answer_layer, categories_layer, future_layers, normalise_layers, skip_layer
from pipeline.models.cells import CELL_RULES
from pipeline.models.xla_network import (
    Ahead,
    Answer,
    Categories,
    Denormalise,
    Dense,
    Embedding,
    Flatten,
    Layer,
    NetworkFunction,
    Normalise,
    OneHot,
    Past,
    Recurrent,
    Repeat,
    Skip,
)

_CELLS = {keras.layers.LSTM: Cell.lstm, keras.layers.GRU: Cell.gru, keras.layers.SimpleRNN: Cell.simple_rnn}
_NOT_PLAIN = (
    *(f"{part}_{kind}" for kind in ("regularizer", "constraint") for part in ("kernel", "recurrent", "bias")),
    "activity_regularizer",
)

_ONE_HOT_SETTINGS = {"output_mode": "one_hot", "sparse": False}
_EMBEDDING_SETTINGS = {
    "embeddings_regularizer": None,
    "activity_regularizer": None,
    "embeddings_constraint": None,
    "mask_zero": False,
    "lora_rank": None,
    "quantization_config": None,
}
_DENSE_SETTINGS = {"activation": "linear", "lora_rank": None, "quantization_config": None}
_CELL_SETTINGS = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "reset_after": True,
    "go_backwards": False,
    "return_state": False,
    "recurrent_dropout": 0.0,
    "zero_output_for_mask": False,
}
_SETTINGS: dict[type, dict[str, Any]] = {
    keras.layers.Dense: _DENSE_SETTINGS,
    keras.layers.CategoryEncoding: _ONE_HOT_SETTINGS,
    keras.layers.Embedding: _EMBEDDING_SETTINGS,
    **dict.fromkeys(_CELLS, _CELL_SETTINGS),
}
_ALSO_COVERED = {(keras.layers.Dense, "activation"): ("tanh",)}


class NotCoveredError(Exception):
    """A network has a part that is not known here; the text names it."""


def read_network(network: keras.Model) -> NetworkFunction:
    """Read the layers of a Keras network.

    Raises:
        NotCoveredError: If a layer, or a setting of one, is not covered.
    """
    inputs, *layers = network.layers
    if not isinstance(inputs, keras.layers.InputLayer) or len(network.outputs) != 1:
        raise NotCoveredError("the network has several inputs or outputs")
    previous = core_input = rows = inputs.output
    read = []
    for layer, following in zip(layers, [*layers[1:], None], strict=True):
        beside = {
            normalise_layers.Denormalise: inputs.output,
            skip_layer.Skip: core_input,
            future_layers.Ahead: rows,
        }.get(type(layer))
        given = layer.input if beside is None else _outputs_of(layer, beside)
        if type(layer) is normalise_layers.Normalise:
            core_input = layer.output
        if type(layer) in (normalise_layers.Normalise, categories_layer.Categories):
            rows = layer.output
        if given is not previous:
            raise NotCoveredError(f"the layer {layer.name} does not follow the one before it")
        previous = layer.output
        if not _brings_ids(layer, following):
            read.append(_read_layer(layer))
    return NetworkFunction(tuple(read), tuple(tuple(weight.shape) for weight in network.weights))


def _outputs_of(layer: keras.layers.Layer, beside: Any) -> Any:
    """Return which outputs a layer takes; None if what it takes beside them is something else than the given one."""
    outputs, window = layer.input
    return outputs if window is beside else None


def _brings_ids(layer: keras.layers.Layer, following: keras.layers.Layer | None) -> bool:
    """Whether a layer only takes the axis of one feature off ids, for an embedding."""
    is_for_embedding = type(layer) is keras.layers.Reshape and type(following) is keras.layers.Embedding
    return is_for_embedding and layer.target_shape == (-1,) and layer.input.shape[-1] == 1


def _read_layer(layer: keras.layers.Layer) -> Layer:
    kind, settings = type(layer), layer.get_config()
    if kind is keras.layers.RepeatVector:
        return Repeat(layer.name, layer.n)
    if kind is keras.layers.Flatten:
        return Flatten(layer.name)
    if kind is normalise_layers.Normalise:
        return Normalise(layer.name, layer.rule)
    if kind is normalise_layers.Denormalise:
        return Denormalise(layer.name, layer.rule)
    if kind is categories_layer.Categories:
        return Categories(layer.name, layer.layout, len(layer.tables))
    if kind is future_layers.Past:
        return Past(layer.name, layer.outputs)
    if kind is future_layers.Ahead:
        return Ahead(layer.name, layer.columns)
    if kind is skip_layer.Skip:
        return Skip(layer.name)
    if kind is answer_layer.Answer:
        return Answer(layer.name, layer.rule)
    if kind not in _SETTINGS:
        raise NotCoveredError(f"the layer {layer.name} is of the kind {kind.__name__}")
    expected: dict[str, Any] = {"use_bias": True, "trainable": True}
    expected |= {name: None for name in _NOT_PLAIN if name in settings}
    expected |= _SETTINGS[kind]
    for name, value in expected.items():
        if settings.get(name, value) != value and settings[name] not in _ALSO_COVERED.get((kind, name), ()):
            raise NotCoveredError(f"the layer {layer.name} ({kind.__name__}) has {name}={settings[name]}")
    if layer.compute_dtype != "float32":
        raise NotCoveredError(f"the layer {layer.name} computes in {layer.compute_dtype}")
    if kind is keras.layers.CategoryEncoding:
        return OneHot(layer.name)
    if kind is keras.layers.Embedding:
        return Embedding(layer.name)
    if kind is keras.layers.Dense:
        return Dense(layer.name, settings["activation"])
    return Recurrent(layer.name, CELL_RULES[_CELLS[kind]], layer.units, layer.dropout > 0, layer.return_sequences)
