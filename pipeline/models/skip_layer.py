"""The Keras layer of model.skip=linear: what the core says, plus a linear map of what it read."""

from collections.abc import Sequence
from typing import Any

import keras


@keras.saving.register_keras_serializable("lstm_pipeline")
class Skip(keras.layers.Layer):
    """Takes outputs, (windows, outputs), and what was read, (windows, time_steps, features); gives outputs.

    It begins as zeros, at which nothing is added. The head of the core has the bias of both.
    """

    def __init__(self, outputs: int, **settings: Any) -> None:
        super().__init__(**settings)
        self.outputs = outputs

    def build(self, shapes: Sequence[Sequence[int]]) -> None:
        """Make the kernel for windows of a shape."""
        _, (_, steps, features) = shapes
        self.kernel = self.add_weight(shape=(steps * features, self.outputs), initializer="zeros", name="kernel")
        super().build(shapes)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves of it: name and outputs."""
        return super().get_config() | {"outputs": self.outputs}

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the sum. Shape (windows, outputs)."""
        outputs, read = inputs
        flat = keras.ops.reshape(read, (-1, self.kernel.shape[0]))  # (windows, time_steps * features)
        return outputs + keras.ops.matmul(flat, self.kernel)
