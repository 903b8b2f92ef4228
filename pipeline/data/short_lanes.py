"""Lanes of a panel that are too short to be trained on: left out, and told by name, where a person asks for it."""

from dataclasses import replace

from pipeline.base.text import show_names
from pipeline.config.schema import Config, ShortLanes
from pipeline.data.panel import choose_lanes
from pipeline.data.series import Series
from pipeline.data.split import split_series
from pipeline.data.transforms import lag_of
from pipeline.data.window_spec import make_window_spec


def leave_out_short(config: Config, series: Series) -> Series:
    """Return a panel without the series that are too short, if dataset.short_lanes=leave_out; the error is another's.

    A series is short if its training part has fewer steps than one window needs, or one season. Configurations with
    a longer look_back may leave out more series, and are then not compared with the others: they are scored on other
    values.
    """
    if config.dataset.short_lanes is not ShortLanes.leave_out or not series.series_ids:
        return series
    needed = _needed_steps(config, series)
    kept, remaining = _keep_long(config, series, needed)
    short = tuple(name for number, name in enumerate(series.series_ids) if number not in set(kept))
    if not short or not kept:
        return series
    told = (
        f"{len(short)} of {len(series.series_ids)} lanes have fewer than {needed} training steps and are left out: "
        f"{show_names(short)}"
    )
    saved = len(_keep_long(config, series, _needed_steps(replace(config, look_back=1), series))[0]) - len(kept)
    if saved > 0:
        told += (
            f"; a shorter look_back would keep {'it' if saved == len(short) == 1 else f'{saved} of them'}, so runs "
            "with another look_back may be scored on other lanes and cannot be compared then"
        )
    return replace(remaining, notes=(*series.notes, told), short_lanes=(*series.short_lanes, *short))


def _needed_steps(config: Config, series: Series) -> int:
    lost = sum(lag_of(step, config.dataset.period) for step in config.dataset.transforms)
    return max(make_window_spec(config, series).num_rows + lost, config.dataset.period)


def _keep_long(config: Config, series: Series, needed: int) -> tuple[list[int], Series]:
    """Return the numbers of those that have enough training steps, and the series of them alone."""
    kept = list(range(len(series.series_ids)))
    remaining = series
    while kept:  # without one the panel may begin later or end earlier, which moves the split of the others
        split = split_series(remaining, config.dataset, config.protocol, 0, config.evaluation.origins)
        in_train = split.rows("train")
        long = [in_train[rows].sum() >= needed for rows in remaining.slices()]
        if all(long):
            break
        kept = [number for number, enough in zip(kept, long, strict=True) if enough]
        remaining = choose_lanes(series, kept)
    return kept, remaining
