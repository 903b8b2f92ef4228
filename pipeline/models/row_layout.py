"""Where the columns of a row lie that a network treats in a way of their own: known ahead, and categories.

A row of dataset.features=[sales], dataset.future=[price,weather], horizon=2, with two kinds of weather:

    feature     0      1      2    3     4       5    6       7       8    9
    column      sales  price  rain sun   price+1 rain+1 sun+1 price+2 rain+2 sun+2

    num_future  3: price, rain, sun
    groups      (2, 0), (5, 0), (8, 0): the first feature of each group, and its category
    sizes       (2,): values of each category

With model.embedding=3 each group becomes three numbers: the row of a learnt table that its value has.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np


@dataclass(frozen=True)
class RowLayout:
    """Columns of one row, or of the rows of one time step.

    Attributes:
        num_future: Columns that are known ahead: a row ends with those of each horizon step.
        groups: The first feature and the category of each group of one-hot columns, ascending.
        sizes: Values of each category.
    """

    num_future: int = 0
    groups: tuple[tuple[int, int], ...] = ()
    sizes: tuple[int, ...] = ()

    def repeat(self, rows: int, features: int) -> "RowLayout":
        """Return the layout of a time step that has several rows, of so many features each."""
        groups = tuple((row * features + first, category) for row in range(rows) for first, category in self.groups)
        return replace(self, groups=groups)

    def embed(self, features: int, first: int, width: int) -> int:
        """Return how many of the features from `first` to before `features` there are with tables of a width."""
        inside = [category for begin, category in self.groups if first <= begin < features]
        return features - first + sum(width - self.sizes[category] for category in inside)

    def lay_tables(self, tables: Any, features: int, space: Any) -> Any:
        """Lay tables into the matrix that turns features into embedded ones, all other features as they are.

        Args:
            tables: Of each category. Each (..., values, width).
            features: Of a time step.
            space: `numpy` or `keras.ops`.

        Returns:
            Shape (..., features, embedded features).
        """
        width = tables[0].shape[-1]
        size, place, column = self.embed(features, 0, width), 0, 0
        plain, spans = np.zeros((features, size), np.float32), []
        for first, category in (*self.groups, (features, -1)):
            count = first - place
            plain[place:first, column : column + count] = np.eye(count)
            place, column = first, column + count
            if category >= 0:
                rows, last = self.sizes[category], (column, size - column - width)
                spans.append((category, (first, features - first - rows), last))
                place, column = first + rows, column + width
        lead = [(0, 0)] * (len(tables[0].shape) - 2)
        matrix = plain
        for category, above, beside in spans:
            matrix = matrix + space.pad(tables[category], [*lead, above, beside])
        return matrix

    def name(self, columns: tuple[str, ...], width: int) -> list[str]:
        """Return the names of embedded features: `weather 1`, `weather 2` in place of `weather=rain`, `weather=sun`."""
        first_of, names, place = dict(self.groups), list[str](), 0
        while place < len(columns):
            category = first_of.get(place)
            if category is None:
                names.append(columns[place])
                place += 1
                continue
            name, ahead = columns[place].partition("=")[0], columns[place].rpartition("+")
            ending = f"+{ahead[2]}" if ahead[1] and ahead[2].isdigit() else ""
            names += [f"{name} {number + 1}{ending}" for number in range(width)]
            place += self.sizes[category]
        return names
