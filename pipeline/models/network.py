"""Build a network: recurrent layers, then one Dense head. The Keras model is the only definition of a network.

Three builds share one list of weights, so `twin.set_weights(network.get_weights())` always fits:

    training    (batch_size, time_steps, features); stateful or not, as configured
    forecasting stateful: (1, any length, features), an output at every step: the state carried over a whole series
    serving     stateless, any number of windows; a stateful network is served whole histories of any length
"""

import keras

from pipeline.config import Cell, Config

_LAYERS = {Cell.lstm: keras.layers.LSTM, Cell.gru: keras.layers.GRU, Cell.simple_rnn: keras.layers.SimpleRNN}


def build_training_network(config: Config, num_features: int, num_outputs: int) -> keras.Model:
    """Build the network that is trained.

    Args:
        config: Cell, units, dropout, time steps, whether it is stateful and returns sequences.
        num_features: Features of one time step.
        num_outputs: Numbers predicted at one time step.

    Returns:
        Takes (windows, time_steps, features), float32; a stateful network exactly `batch_size` windows. Gives
        (windows, outputs), or with return_sequences (windows, time_steps, outputs).
    """
    shape = (config.batch_size if config.stateful else None, config.time_steps, num_features)
    return _build(config, shape, num_outputs, config.stateful, config.return_sequences)


def build_streaming_network(config: Config, num_features: int, num_outputs: int) -> keras.Model:
    """Build the twin that reads one sequence of any length, (1, steps, features), and answers at every step."""
    return _build(config, (1, None, num_features), num_outputs, stateful=False, return_sequences=True)


def build_serving_network(config: Config, num_features: int, num_outputs: int) -> keras.Model:
    """Build the stateless twin that is saved and served, for any number of windows.

    The twin of a stateful network takes any number of time steps: given the whole past it ends in the state that the
    stateful network would carry, and so gives the same forecast. The past is what the stateful network reads: each row
    once; with dataset.order=overlapping one window after another; with lags_as=features one step per window.
    """
    shape = (None, None if config.stateful else config.time_steps, num_features)
    return _build(config, shape, num_outputs, stateful=False, return_sequences=config.return_sequences)


def _build(
    config: Config,
    batch_shape: tuple[int | None, int | None, int],
    num_outputs: int,
    stateful: bool,
    return_sequences: bool,
) -> keras.Model:
    layer_type = _LAYERS[config.model.cell]
    inputs = keras.Input(batch_shape=batch_shape, name="window")
    hidden = inputs  # (batch, time_steps, features)
    last = len(config.model.units) - 1
    for number, units in enumerate(config.model.units):
        hidden = layer_type(
            units,
            return_sequences=return_sequences or number < last,
            stateful=stateful,
            dropout=config.model.dropout,
            recurrent_dropout=config.model.recurrent_dropout,
            name=f"{config.model.cell.value}_{number + 1}",
        )(hidden)  # (batch, time_steps, units), or (batch, units) from a last many-to-one layer
    outputs = keras.layers.Dense(num_outputs, name="head")(hidden)  # (batch, [time_steps,] outputs)
    return keras.Model(inputs, outputs, name=f"{config.model.cell.value}_network")
