"""Lanes of a panel that are too short to be trained on: left out, and told by name, where a person asks for it."""

from dataclasses import replace

import numpy as np

from pipeline.config import Config, ShortLanes
from pipeline.data.series import Series
from pipeline.data.split import split_series
from pipeline.data.transforms import lag_of

_NAMED = 5  # lanes


def leave_out_short(config: Config, series: Series) -> Series:
    """Return the series without its short lanes, if dataset.short_lanes=leave_out; the error is another's.

    A lane is short if its training part has fewer steps than one window needs, or than one season. Configurations with
    a longer look_back may leave out more lanes, and are then not compared with the others: they are scored on other
    values.
    """
    if config.dataset.short_lanes is not ShortLanes.leave_out or not series.lane_names:
        return series
    in_train = split_series(series, config.dataset, config.protocol, 0, config.evaluation.origins).rows("train")
    lost = sum(lag_of(step, config.dataset.period) for step in config.dataset.transforms)
    needed = max(config.look_back + config.horizon + lost, config.dataset.period)
    lanes = series.lanes()
    kept = [number for number, rows in enumerate(lanes) if in_train[rows].sum() >= needed]
    if len(kept) in (0, len(lanes)):
        return series
    rows = np.concatenate([np.arange(lanes[number].start, lanes[number].stop) for number in kept])
    short = [name for number, name in enumerate(series.lane_names) if number not in set(kept)]
    named = ", ".join(short[:_NAMED]) + (f" and {len(short) - _NAMED} more" if len(short) > _NAMED else "")
    told = f"{len(short)} of {len(lanes)} lanes have fewer than {needed} training steps and are left out: {named}"
    return replace(
        series,
        timestamps=series.timestamps[rows],
        values=series.values[rows],
        filled=series.filled[rows],
        lane_names=tuple(series.lane_names[number] for number in kept),
        lane_ends=tuple(np.cumsum([lanes[number].stop - lanes[number].start for number in kept]).tolist()),
        notes=(*series.notes, told),
    )
