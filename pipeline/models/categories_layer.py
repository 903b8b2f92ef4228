"""The Keras layer of model.embedding for dataset.categories: each value of a category has a learnt row of numbers."""

from collections.abc import Sequence
from typing import Any

import keras

from pipeline.models.row_layout import RowLayout


@keras.saving.register_keras_serializable("lstm_pipeline")
class Categories(keras.layers.Layer):
    """Takes steps, (windows, time_steps, features), and gives them with numbers in place of one-hot columns.

    A value that is none of the known ones, all of whose columns are 0, becomes zeros. Tables begin as those of
    keras.layers.Embedding.
    """

    def __init__(
        self, width: int, groups: Sequence[Sequence[int]], sizes: Sequence[int], num_future: int = 0, **settings: Any
    ) -> None:
        super().__init__(**settings)
        pairs = tuple((first, category) for first, category in groups)
        self.width, self.layout = width, RowLayout(num_future, pairs, tuple(sizes))

    def build(self, shape: Sequence[int]) -> None:
        """Make a table for each category."""
        self.features = shape[-1]
        self.tables = [
            self.add_weight(shape=(size, self.width), initializer="uniform", name=f"table_{number + 1}")
            for number, size in enumerate(self.layout.sizes)
        ]
        super().build(shape)

    def get_config(self) -> dict[str, Any]:
        """Return what Keras saves of it: name, width and layout."""
        layout = self.layout
        own = {"width": self.width, "groups": [list(pair) for pair in layout.groups], "sizes": list(layout.sizes)}
        return super().get_config() | own | {"num_future": layout.num_future}

    def call(self, window: Any) -> Any:
        """Return the embedded steps. Shape (windows, time_steps, embedded features)."""
        tables = [keras.ops.convert_to_tensor(table) for table in self.tables]
        return keras.ops.matmul(window, self.layout.lay_tables(tables, self.features, keras.ops))
