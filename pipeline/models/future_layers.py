"""The two Keras layers of model.decoder=future: what is known ahead goes by the encoder, to its step of the decoder.

A row ends with what it carries of the rows after it; with two steps ahead and one column:

    row      own columns | price+1 | price+2
    past     own columns
    ahead                  the last row's: step 1, step 2
"""

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable("lstm_pipeline")
class Past(keras.layers.Layer):
    """Takes rows, (windows, time_steps, features), and gives their first columns."""

    def __init__(self, outputs: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.outputs = outputs

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves of it: name and columns."""
        return super().get_config() | {"outputs": self.outputs}

    def call(self, window: Any) -> Any:
        """Return the columns. Shape (windows, time_steps, outputs)."""
        return window[..., : self.outputs]


@keras.saving.register_keras_serializable("lstm_pipeline")
class Ahead(keras.layers.Layer):
    """Takes steps, (windows, steps, inputs), and rows, (windows, time_steps, features); puts the columns beside."""

    def __init__(self, columns: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.columns = columns

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves of it: name and columns of one step."""
        return super().get_config() | {"columns": self.columns}

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return both. Shape (windows, steps, inputs + columns)."""
        hidden, window = inputs
        steps = hidden.shape[1]
        known = keras.ops.reshape(window[:, -1, -steps * self.columns :], (-1, steps, self.columns))
        return keras.ops.concatenate([hidden, known], axis=-1)
