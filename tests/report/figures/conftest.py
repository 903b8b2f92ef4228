"""What is drawn on the axes of a figure, as plain numbers."""

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection

Lines = dict[str, tuple[list[float], list[float]]]
ReadLines = Callable[[Axes], Lines]
ReadBand = Callable[[Axes], dict[float, tuple[float, float]]]


@pytest.fixture
def read_lines() -> ReadLines:
    """Return x and y of every visible line by its label; one that can be drawn on no pixel is left out."""

    def read(axis: Axes) -> Lines:
        found = {}
        for line in axis.lines:
            x, y = np.asarray(line.get_xdata(orig=False), float), np.asarray(line.get_ydata(orig=False), float)
            if line.get_visible() and np.isfinite(y).any() and line.get_alpha() != 0:
                found[str(line.get_label()).replace("\n", " ")] = (x.tolist(), y.tolist())
        return found

    return read


@pytest.fixture
def read_band() -> ReadBand:
    """Return the lower and upper end of the one band at every x."""

    def read(axis: Axes) -> dict[float, tuple[float, float]]:
        (band,) = (each for each in axis.collections if isinstance(each, PolyCollection))
        corners = np.concatenate([path.vertices for path in band.get_paths()])
        return {
            float(x): (float(corners[corners[:, 0] == x, 1].min()), float(corners[corners[:, 0] == x, 1].max()))
            for x in np.unique(corners[:, 0])
        }

    return read
