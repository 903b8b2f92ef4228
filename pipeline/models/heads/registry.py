"""Every head, one line each. To add one: a file beside this one, its name in config/schema.py, and a line here."""

from collections.abc import Mapping

from pipeline.base.errors import UserError
from pipeline.base.record import Measure
from pipeline.config.schema import Config, HeadName
from pipeline.models.heads.head import Head
from pipeline.models.heads.point import POINT
from pipeline.models.heads.token import TOKEN

HEADS: dict[HeadName, Head] = {
    HeadName.point: POINT,
    HeadName.token: TOKEN,
}
_KEY = "model.head"


def head_of(config: Config) -> Head:
    """Return the head of a configuration."""
    return HEADS[config.head]


def head_of_run(params: Mapping[str, str]) -> Head:
    """Return the head of a logged run; one of before there was a choice has points.

    Raises:
        UserError: If this version does not know it.
    """
    name = params.get(_KEY, HeadName.point.value)
    if name not in HeadName.__members__:
        raise UserError(f"this version knows no {_KEY}={name}, which a run has; where=[{_KEY}=point] leaves it out")
    return HEADS[HeadName[name]]


def measure_of_run(params: Mapping[str, str], metrics: Mapping[str, float]) -> Measure:
    """Return what a logged run is chosen and judged by. One with a head that is not known is judged by its points.

    Args:
        params: Of the run.
        metrics: Of the run; empty unless it finished.
    """
    name = params.get(_KEY, "")
    head = HEADS[HeadName[name] if name in HeadName.__members__ else HeadName.point]
    one, several = head.measure(1), head.measure(2)
    return several if one.of("test") not in metrics and several.of("test") in metrics else one
