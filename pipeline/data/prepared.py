"""What a run is trained and scored on: a series or a text, cut into parts and windows, as one configuration says."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pipeline.config.schema import Protocol
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.known_ahead import carry_ahead
from pipeline.data.lanes import Batches
from pipeline.data.scaling import Scaling, inverse_scaling
from pipeline.data.series import Series
from pipeline.data.split import Split
from pipeline.data.tokens import Tokens
from pipeline.data.transforms import Transformed, inverse_transforms
from pipeline.data.vocabulary import Vocabulary
from pipeline.data.windows import Windows
from pipeline.models.heads.head import Head
from pipeline.models.heads.token import token_costs

_AT_ONCE = 8192  # windows: a head may draw hundreds of numbers for each


@dataclass(frozen=True)
class PreparedData:
    """A series, split, transformed, scaled and cut into windows for one configuration."""

    series: Series
    split: Split
    transformed: Transformed
    scaling: Scaling
    windows: Windows
    lanes: Batches | None  # None for a stateless network
    head: Head  # what the outputs of the network mean
    protocol: Protocol = Protocol.fair
    vocabulary: Vocabulary | None = None  # of a text
    tokens: Tokens | None = None  # of a text, as they were read: also those that the vocabulary lacks; (time,)

    @cached_property
    def rows(self) -> FloatArray:
        """Rows as a network is served with them, in the data's own units.

        Shape (time, columns of the series + what a row carries of those after it).
        """
        steps = len(self.windows.spec.future_steps)
        if not steps:
            return self.series.values
        return np.concatenate([self.series.values, carry_ahead(self.series, steps)], axis=1)

    def scored_rows(self, part: str) -> BoolArray:
        """Return the rows of a part on which forecasts are scored. Shape (time,).

        Where there is no validation part, rows of the training part stand in for it that are forecast from every step
        ahead. With protocol=tutorial, or with dataset.future and several steps ahead, only such rows are scored in any
        part: near the end nobody knows what the rows beyond it hold.
        """
        rows = self.split.rows(self.split.judge if part == "validation" else part)
        spec = self.windows.spec
        reads_far = spec.waits_for_rows and len(spec.horizon_steps) > 1
        if self.protocol is Protocol.fair and not reads_far and (part != "validation" or self.split.judge == part):
            return rows
        return rows & self._forecast_rows()

    def _forecast_rows(self) -> BoolArray:
        """Return the rows that have a forecast from every step ahead. Shape (time,)."""
        starts, slices = self.windows.starts, self.series.slices()
        rows = self.windows.spec.forecast_rows(starts)  # (windows, horizon_steps)
        ends = np.array([each.stop for each in slices])[self.series.series_of_rows()[starts]]  # (windows,)
        found = np.bincount(rows[rows < ends[:, None]], minlength=len(self.series))
        return found == rows.shape[1]

    def read_outputs(self, outputs: FloatArray, starts: IntArray) -> FloatArray:
        """Turn the network's outputs into the answers of its head, in the data's own units.

        Args:
            outputs: What is kept of them, scaled, one row per window. Shape (windows, kept).
            starts: The windows. Shape (windows,).

        Returns:
            Shape (windows, horizon_steps, targets, *shape of an answer).
        """
        blocks = [slice(first, first + _AT_ONCE) for first in range(0, max(len(starts), 1), _AT_ONCE)]
        return np.concatenate([self._read_block(outputs[block], starts[block]) for block in blocks])

    def _read_block(self, outputs: FloatArray, starts: IntArray) -> FloatArray:
        return self.head.in_units(outputs, lambda scaled: self.in_units(scaled, starts))

    def keep_outputs(self, outputs: FloatArray, starts: IntArray) -> FloatArray:
        """Return what is kept of the network's outputs, one row per window. Shape (windows, kept)."""
        if self.vocabulary is None:
            return outputs
        ids = self.windows.gather_last_targets(starts)[:, 0].astype(int)
        return np.stack([token_costs(outputs, ids), outputs.argmax(-1) == ids], -1)

    def in_units(self, scaled: FloatArray, starts: IntArray) -> FloatArray:
        """Bring one scaled number for each step and target back to the data's own units.

        Args:
            scaled: One row per window. Shape (windows, horizon_steps x targets).
            starts: The windows. Shape (windows,).

        Returns:
            Shape (windows, horizon_steps, targets).
        """
        columns = self.series.column_numbers(self.series.targets)
        spec = self.windows.spec
        shaped = np.asarray(scaled, dtype=float).reshape(len(starts), len(spec.horizon_steps), len(columns))
        transformed = inverse_scaling(self.scaling, shaped, columns, self.series.series_of_rows()[starts])
        return inverse_transforms(self.transformed, transformed, spec.origins(starts), spec.horizon_steps, columns)
