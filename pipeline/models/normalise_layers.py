"""The two Keras layers of a network that normalises its windows. They learn nothing and hold no code when saved."""

from collections.abc import Sequence
from typing import Any

import keras

from pipeline.config import schema
from pipeline.models.window_rule import WindowRule


class _WindowLayer(keras.layers.Layer):
    """What both have: the rule, as plain values that Keras saves."""

    def __init__(
        self,
        how: str,
        features: int,
        columns: Sequence[int],
        untouched: int = 0,
        moves: Sequence[Sequence[bool]] = (),
        **settings: Any,
    ) -> None:
        super().__init__(**settings)
        pairs = tuple((shifted, scaled) for shifted, scaled in moves)
        self.rule = WindowRule(schema.Normalise(how), features, tuple(columns), untouched, pairs)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves of it: name and rule."""
        rule = self.rule
        own = {"how": rule.how.value, "features": rule.features, "columns": list(rule.columns)}
        return super().get_config() | own | {"untouched": rule.untouched, "moves": [list(pair) for pair in rule.moves]}

    def measure(self, window: Any) -> tuple[Any, Any, Any]:
        """Return the rows of windows, (windows, rows of a window, features), their shift and their scale."""
        features = self.rule.features
        rows = keras.ops.reshape(window, (-1, window.shape[1] * window.shape[2] // features, features))
        return rows, *self.rule.measure(rows, keras.ops)


@keras.saving.register_keras_serializable("lstm_pipeline")
class Normalise(_WindowLayer):
    """Takes windows, (windows, time_steps, features of a step), and gives them measured by themselves."""

    def call(self, window: Any) -> Any:
        """Return the measured windows. Shape (windows, time_steps, features of a step)."""
        rows, shift, scale = self.measure(window)
        return keras.ops.reshape((rows - shift) / scale, (-1, *window.shape[1:]))


@keras.saving.register_keras_serializable("lstm_pipeline")
class Denormalise(_WindowLayer):
    """Takes outputs, (windows, outputs), and the windows they were made from, and gives scaled outputs."""

    def call(self, inputs: Sequence[Any]) -> Any:
        """Return the outputs where their windows are. Shape (windows, outputs)."""
        outputs, window = inputs
        _, shift, scale = self.measure(window)
        return self.rule.bring_back(outputs, shift, scale, keras.ops)
