"""Windows of a series: which rows go in, which are predicted. Rows are gathered when asked for, never copied ahead.

With look_back=3 and horizon=2, the window that starts at row 4:

    row       4     5     6     7     8
              in    in    in          target
                          ^ origin: the last row the forecast may know

With return_sequences=true every input row has a target, `horizon` rows later; the forecast that is scored is the last.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Config, LagsAs, Protocol
from pipeline.data.arrays import BoolArray, FloatArray, IntArray
from pipeline.data.series import Series
from pipeline.data.split import PARTS, Split


@dataclass(frozen=True)
class Windows:
    """Scaled rows and the window starts of each part.

    Attributes:
        inputs: Scaled features. Shape (time, features), float32.
        targets: Scaled targets. Shape (time, targets), float32.
        look_back: Rows that go into one window.
        horizon_steps: Steps ahead that are predicted.
        lags_as: Whether the rows are time steps or features of one step.
        return_sequences: Whether every input row has a target in training.
        starts: Every window with a known origin, also those whose target lies beyond the end. Shape (windows,).
        train: Starts of windows whose targets all lie in the training part. Shape (train windows,).
        validation: Starts of windows whose targets all lie in the validation part; with protocol=tutorial, which has
            none, the training windows. Shape (validation windows,).
        first_of_lane: The first window of the same lane, for each of `starts`. Shape (windows,).
    """

    inputs: FloatArray
    targets: FloatArray
    look_back: int
    horizon_steps: tuple[int, ...]
    lags_as: LagsAs
    return_sequences: bool
    starts: IntArray
    train: IntArray
    validation: IntArray
    first_of_lane: IntArray

    @property
    def time_steps(self) -> int:
        """Time steps of a sample."""
        return 1 if self.lags_as is LagsAs.features else self.look_back

    @property
    def rows_per_step(self) -> int:
        """Rows of the series that make one time step of a sample."""
        return self.look_back if self.lags_as is LagsAs.features else 1

    @property
    def num_features(self) -> int:
        """Features of a time step of a sample."""
        return self.inputs.shape[1] * self.rows_per_step

    @property
    def num_outputs(self) -> int:
        """Numbers predicted per origin: horizon steps times targets."""
        return len(self.horizon_steps) * self.targets.shape[1]

    def origins(self, starts: IntArray) -> IntArray:
        """Return the last row each window knows. Shape (windows,)."""
        return starts + self.look_back - 1

    def input_rows(self) -> IntArray:
        """Return the input rows of the window that starts at 0. Shape (look_back,)."""
        return np.arange(self.look_back)

    def target_rows(self) -> IntArray:
        """Return the target rows of the window that starts at 0.

        Returns:
            Shape (1, horizon_steps), or with return_sequences (look_back, horizon_steps).
        """
        positions = np.arange(self.look_back) if self.return_sequences else np.array([self.look_back - 1])
        return positions[:, None] + np.array(self.horizon_steps)  # (positions, horizon_steps)

    def gather_inputs(self, starts: IntArray) -> FloatArray:
        """Return the samples as the network sees them. Shape (windows, time_steps, features of a step), float32."""
        rows = self.inputs[starts[:, None] + self.input_rows()]  # (windows, look_back, features)
        return rows.reshape(len(starts), self.time_steps, self.num_features)

    def gather_steps(self, first_rows: IntArray) -> FloatArray:
        """Return single time steps as the network sees them. Shape (steps, features of a step), float32."""
        rows = self.inputs[first_rows[:, None] + np.arange(self.rows_per_step)]  # (steps, rows of a step, features)
        return rows.reshape(len(first_rows), self.num_features)

    def gather_targets(self, starts: IntArray) -> FloatArray:
        """Return the training targets.

        Returns:
            Shape (windows, outputs), or with return_sequences (windows, look_back, outputs); float32. The outputs of
            one row are ordered by horizon step, then target.
        """
        rows = self.targets[starts[:, None, None] + self.target_rows()]  # (windows, positions, horizon_steps, targets)
        shape = (self.look_back, self.num_outputs) if self.return_sequences else (self.num_outputs,)
        return rows.reshape(len(starts), *shape)

    def gather_last_targets(self, starts: IntArray) -> FloatArray:
        """Return the targets of each window's origin only. Shape (windows, outputs), float32."""
        rows = self.origins(starts)[:, None] + np.array(self.horizon_steps)  # (windows, horizon_steps)
        return self.targets[rows].reshape(len(starts), self.num_outputs)


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
    config: Config,
    inputs: FloatArray,
    targets: FloatArray,
    series: Series,
    split: Split,
    lost: int,
) -> Windows:
    """Find every window and the part it belongs to.

    Args:
        config: look_back, horizon, return_sequences and the dataset's settings.
        inputs: Scaled features. Shape (time, features).
        targets: Scaled targets. Shape (time, targets).
        series: Its lanes, whose borders no window crosses; a window with a target that was filled in is neither
            trained on nor scored.
        split: The part of every row.
        lost: Rows at the beginning of each lane that the transforms left undefined.

    Returns:
        The windows. A series of N defined values gives N - look_back windows with known targets at horizon 1.
    """
    steps = config.horizon_steps
    pieces = _pieces(config, series, split)
    dropped = min(steps) - 1 if config.protocol is Protocol.fair else 1  # the tutorial drops one sample per part
    each = [np.arange(rows.start + lost, rows.stop - config.look_back - dropped) for rows in pieces]
    starts = np.concatenate(each)
    ends = np.repeat([rows.stop for rows in pieces], [len(some) for some in each])  # (windows,)
    origins = starts + config.look_back - 1
    complete = origins + max(steps) < ends
    first_part = split.parts[origins + min(steps)]
    last_part = split.parts[np.minimum(origins + max(steps), ends - 1)]
    in_train = complete & (last_part == PARTS.index("train"))
    in_validation = complete & (first_part == PARTS.index("validation")) & (last_part == first_part)
    measured = all_measured(config, np.all(series.scorable(), axis=1), starts)
    return Windows(
        inputs=inputs.astype(np.float32),
        targets=targets.astype(np.float32),
        look_back=config.look_back,
        horizon_steps=steps,
        lags_as=config.dataset.lags_as,
        return_sequences=config.answers_every_step,
        starts=starts,
        train=starts[in_train & measured],
        validation=starts[(in_validation if config.protocol is Protocol.fair else in_train) & measured],
        first_of_lane=np.repeat([some[0] for some in each if some.size], [some.size for some in each if some.size]),
    )


def _pieces(config: Config, series: Series, split: Split) -> list[slice]:
    """Return the rows that windows may span: a lane; or with protocol=tutorial the training and the test part apart."""
    if config.protocol is Protocol.fair:
        return series.lanes()
    border = split.count("train")
    return [slice(0, border), slice(border, len(series))]


def all_measured(config: Config, scorable_rows: BoolArray, starts: IntArray) -> BoolArray:
    """Return True for windows none of whose targets was filled in. Shape (windows,)."""
    length = len(scorable_rows)
    filled_before = np.concatenate([[0], np.cumsum(~scorable_rows)])  # (time + 1,)
    first_position = 0 if config.answers_every_step else config.look_back - 1
    first_target = np.minimum(starts + first_position + min(config.horizon_steps), length)
    after_last = np.minimum(starts + config.look_back + max(config.horizon_steps), length)
    return filled_before[after_last] == filled_before[first_target]
