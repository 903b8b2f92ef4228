"""The second gate for heads that say how sure they are: what can be inverted, and what would be ignored."""

from collections.abc import Iterator

from pipeline.config.keys import NEUTRAL
from pipeline.config.schema import Config, HeadName, Loss, Normalise, Protocol, Scaler

_LEVELS = "model.quantiles"
_WITHOUT_LEVELS = (HeadName.point, HeadName.token)


def complain_of_head(config: Config) -> Iterator[str]:
    """Yield what is wrong."""
    levels, given = config.model.quantiles, f"model.head={config.head.value}"
    if config.head in _WITHOUT_LEVELS:
        if levels != NEUTRAL[_LEVELS]:
            yield (
                f"{_LEVELS}={_show(levels)} is of no use to {given}, which says no quantiles; leave it out, "
                "or set model.head=quantile"
            )
        return
    ascending = levels == sorted(set(levels)) and all(0 < level < 1 for level in levels)
    if not ascending or 0.5 not in levels[1:-1]:
        yield (
            f"{_LEVELS} must list levels above 0 and below 1, ascending, 0.5 between others: the median is the point "
            f"forecast; for example {_LEVELS}={_show(NEUTRAL[_LEVELS])}, but got {_LEVELS}={_show(levels)}"
        )
    if config.training.loss is not Loss.mse:
        yield (
            f"training.loss={config.training.loss.value} is a loss of points, and {given} has its own; leave it out, "
            "or set model.head=point"
        )
    if config.protocol is Protocol.tutorial:
        yield f"protocol=tutorial scores points only, but got {given}; set model.head=point, or protocol=fair"
    if config.head is HeadName.negative_binomial:
        yield from _changed_counts(config, given)


def _changed_counts(config: Config, given: str) -> Iterator[str]:
    """A likelihood of counts is one of whole numbers."""
    dataset = config.dataset
    changed = {
        "dataset.scaler=none": dataset.scaler is not Scaler.none,
        "dataset.transforms=[]": bool(dataset.transforms),
        "dataset.normalise=none or window_scale": dataset.normalise not in (Normalise.none, Normalise.window_scale),
    }
    for needed, missing in changed.items():
        if missing:
            yield (
                f"{given} counts whole numbers as they are, and needs {needed}; set dataset.scaler=none "
                "dataset.transforms=[] dataset.normalise=none, or model.head=quantile, which takes any values"
            )


def _show(levels: list[float]) -> str:
    return f"[{','.join(f'{level:g}' for level in levels)}]"
