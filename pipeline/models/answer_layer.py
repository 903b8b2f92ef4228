"""The Keras layer that makes answers of what the last dense layer says. It learns nothing."""

import dataclasses
from typing import Any

import keras

from pipeline.models.answer_rule import AnswerRule


@keras.saving.register_keras_serializable("lstm_pipeline")
class Answer(keras.layers.Layer):
    """Takes and gives outputs, (..., outputs)."""

    def __init__(self, numbers: int, below: int | None = None, counts: bool = False, **settings: Any) -> None:
        super().__init__(**settings)
        self.rule = AnswerRule(numbers, below, counts)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves of it: name and rule."""
        return super().get_config() | dataclasses.asdict(self.rule)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Return the shape it was given."""
        return shape

    def call(self, outputs: Any) -> Any:
        """Return the answers. Shape (..., outputs)."""
        return self.rule.apply(outputs, keras.ops)
