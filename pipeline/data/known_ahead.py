"""dataset.future: columns whose next values are known ahead. Each row carries those of the rows after it.

steps=2      sales  promo  promo+1  promo+2
Monday       10     0      0        1
Tuesday      12     0      1        1
Wednesday    9      1      1        NaN      nobody knows what lies beyond the end
"""

import numpy as np

from pipeline.data.arrays import FloatArray
from pipeline.data.series import Series


def carry_ahead(series: Series, steps: int) -> FloatArray:
    """Return what each row carries of the rows after it, in the data's own units.

    Args:
        series: One or a panel: nothing is carried over a border.
        steps: Rows after each.

    Returns:
        By step, then column. Shape (time, steps x future columns); NaN where nobody knows.
    """
    known = series.values[:, series.column_numbers(series.future)]  # (time, future columns)
    carried = np.full((len(known), steps, known.shape[1]), np.nan)
    for rows in series.slices():
        for step in range(1, steps + 1):
            later = known[rows][step:]
            carried[rows, step - 1][: len(later)] = later
    return carried.reshape(len(known), -1)
