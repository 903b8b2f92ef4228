"""Windows of a series: their starts, part by part. Rows are gathered when asked for, never copied ahead.

Where the rows of a window lie is said in window_spec.py.
"""

from dataclasses import dataclass, fields, replace

import numpy as np

from pipeline.config.schema import Protocol
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.series import Series
from pipeline.data.split import PARTS, Split
from pipeline.data.window_spec import WindowSpec
from pipeline.models.row_layout import RowLayout


@dataclass(frozen=True)
class Windows:
    """Scaled rows and the window starts of each part.

    Attributes:
        inputs: Scaled features, and what each row carries of the rows after it: `spec.columns`. NaN where a series ends
            before a row that is carried, which no window reads. Shape (time, columns), float32.
        targets: Scaled targets. Shape (time, targets), float32.
        spec: Where the rows of a window lie.
        starts: Every window with a known origin, also those whose last target lies beyond the end. Shape (windows,).
        train: Starts of windows whose targets all lie in the training part. Shape (train windows,).
        validation: Starts of windows whose targets all lie in the validation part; with protocol=tutorial, which has
            none, the training windows. Shape (validation windows,).
        first_of_series: The first window of the same series, for each of `starts`. Shape (windows,).
    """

    inputs: FloatArray
    targets: FloatArray
    spec: WindowSpec
    starts: IntArray
    train: IntArray
    validation: IntArray
    first_of_series: IntArray

    @property
    def num_features(self) -> int:
        """Features of a time step of a sample."""
        return self.inputs.shape[1] * self.spec.rows_per_step

    @property
    def num_targets(self) -> int:
        """Numbers that are predicted per origin: horizon steps times targets."""
        return len(self.spec.horizon_steps) * self.targets.shape[1]

    @property
    def num_outputs(self) -> int:
        """Numbers that the network gives per origin: horizon steps times targets times those of an answer."""
        return self.num_targets * self.spec.answer_size

    @property
    def interface(self) -> tuple[int, int, tuple[int, ...], int, RowLayout]:
        """What a network has to fit: what `plan_layers` asks for."""
        spec = self.spec
        return self.num_features, self.num_outputs, spec.target_inputs, spec.untouched, spec.layout

    def without_rows(self) -> "Windows":
        """Return the same layout of no rows: what a program knows of windows, which is given the rows."""
        rows = (each.name for each in fields(self) if each.name != "spec")
        return replace(self, **{name: getattr(self, name)[:0].copy() for name in rows})

    def gather_inputs(self, starts: IntArray) -> FloatArray:
        """Return the samples as the network sees them. Shape (windows, time_steps, features of a step), float32."""
        rows = self.inputs[self.spec.past_rows(starts)]  # (windows, time_steps, rows of a step, features)
        return rows.reshape(len(starts), self.spec.time_steps, self.num_features)

    def gather_steps(self, first_rows: IntArray) -> FloatArray:
        """Return single time steps as the network sees them. Shape (steps, features of a step), float32."""
        rows = self.inputs[first_rows[:, None] + self.spec.rows_of_step]  # (steps, rows of a step, features)
        return rows.reshape(len(first_rows), self.num_features)

    def gather_targets(self, starts: IntArray) -> FloatArray:
        """Return the training targets.

        Returns:
            Shape (windows, horizon_steps x targets), or with return_sequences (windows, look_back, horizon_steps x
            targets); float32. Those of one row are ordered by horizon step, then target.
        """
        rows = self.targets[self.spec.target_rows(starts)]  # (windows, positions, horizon_steps, targets)
        return rows.reshape(len(starts), *self.spec.positions, self.num_targets)

    def gather_last_targets(self, starts: IntArray) -> FloatArray:
        """Return the targets of each window's origin only. Shape (windows, horizon_steps x targets), float32."""
        rows = self.spec.forecast_rows(starts)  # (windows, horizon_steps)
        return self.targets[rows].reshape(len(starts), self.num_targets)


@dataclass(frozen=True)
class Samples:
    """The samples of some windows, gathered only where they are sliced."""

    windows: Windows
    starts: IntArray

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.starts)

    def __getitem__(self, block: slice, /) -> FloatArray:
        """Gather some of them. Shape (windows, time_steps, features of a step)."""
        return self.windows.gather_inputs(self.starts[block])


def make_windows(
    protocol: Protocol, spec: WindowSpec, scaled: FloatArray, series: Series, split: Split, lost: int
) -> Windows:
    """Find every window and the part it belongs to.

    Args:
        protocol: With tutorial no window spans two parts.
        spec: Where the rows of a window lie.
        scaled: Scaled values, and behind them what rows carry. Shape (time, columns of the series + carried).
        series: One or a panel, whose borders no window crosses; a window with a target that was filled in is neither
            trained on nor scored.
        split: The part of every row.
        lost: Rows at the beginning of each series that the transforms left undefined.

    Returns:
        The windows. A series of N defined values gives N - look_back windows with known targets at horizon 1.
    """
    pieces = _pieces(protocol, series, split)
    dropped = 0 if protocol is Protocol.fair else 1  # the tutorial drops one sample per part
    each = [np.arange(rows.start + lost, rows.stop - spec.last_needed - dropped) for rows in pieces]
    starts = np.concatenate(each)
    ends = np.repeat([rows.stop for rows in pieces], [len(some) for some in each])  # (windows,)
    complete = spec.last_targets(starts) < ends
    first_part = split.parts[starts + spec.nearest_forecast]
    last_part = split.parts[np.minimum(spec.last_targets(starts), ends - 1)]
    in_train = complete & (last_part == PARTS.index("train"))
    in_validation = complete & (first_part == PARTS.index("validation")) & (last_part == first_part)
    measured = all_measured(spec, np.all(series.scorable(), axis=1), starts)
    carried = range(len(series.columns), scaled.shape[1])
    return Windows(
        inputs=scaled[:, [*series.column_numbers(spec.input_columns), *carried]].astype(np.float32),
        targets=scaled[:, series.column_numbers(spec.target_columns)].astype(np.float32),
        spec=spec,
        starts=starts,
        train=starts[in_train & measured],
        validation=starts[(in_validation if split.judge == "validation" else in_train) & measured],
        first_of_series=np.repeat([some[0] for some in each if some.size], [some.size for some in each if some.size]),
    )


def _pieces(protocol: Protocol, series: Series, split: Split) -> list[slice]:
    """Return the rows that windows may span: a series; with protocol=tutorial the training and the test part apart."""
    if protocol is Protocol.fair:
        return series.slices()
    border = split.count("train")
    return [slice(0, border), slice(border, len(series))]


def all_measured(spec: WindowSpec, scorable_rows: BoolArray, starts: IntArray) -> BoolArray:
    """Return True for windows none of whose targets was filled in. Shape (windows,)."""
    length = len(scorable_rows)
    filled_before = np.concatenate([[0], np.cumsum(~scorable_rows)])  # (time + 1,)
    first_target = np.minimum(starts + spec.first_target, length)
    after_last = np.minimum(spec.last_targets(starts) + 1, length)
    return filled_before[after_last] == filled_before[first_target]
