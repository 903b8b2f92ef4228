"""Every head, one line each. To add one: a file beside this one, its name in config/schema.py, and a line here.

Those of quantiles differ in their family alone.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.base.errors import UserError
from pipeline.base.record import Measure
from pipeline.config.keys import complete_parameters
from pipeline.config.schema import Config, HeadName
from pipeline.models.heads.families import Free, Gaussian, NegativeBinomial, StudentT
from pipeline.models.heads.head import Head
from pipeline.models.heads.point import POINT
from pipeline.models.heads.quantile import QuantileHead
from pipeline.models.heads.token import TOKEN

HEADS: dict[HeadName, Callable[[tuple[float, ...]], Head]] = {  # given the levels of model.quantiles
    HeadName.point: lambda levels: POINT,
    HeadName.quantile: lambda levels: QuantileHead(levels, Free(levels)),
    HeadName.gaussian: lambda levels: QuantileHead(levels, Gaussian()),
    HeadName.negative_binomial: lambda levels: QuantileHead(levels, NegativeBinomial()),
    HeadName.student_t: lambda levels: QuantileHead(levels, StudentT()),
    HeadName.token: lambda levels: TOKEN,
}
_KEY, _LEVELS = "model.head", "model.quantiles"


def head_of(config: Config) -> Head:
    """Return the head of a configuration."""
    head = HEADS[config.head](tuple(config.model.quantiles))
    lag = config.shortest_lag
    return replace(head, exact=lag) if isinstance(head, QuantileHead) and lag and config.horizon > lag else head


def head_of_run(params: Mapping[str, str]) -> Head:
    """Return the head of a logged run; one of before there was a choice has points.

    Raises:
        UserError: If this version does not know it.
    """
    name = params.get(_KEY, HeadName.point.value)
    if name not in HeadName.__members__:
        raise UserError(f"this version knows no {_KEY}={name}, which a run has; where=[{_KEY}=point] leaves it out")
    return _make_head(HeadName[name], params)


def measure_of_run(params: Mapping[str, str], metrics: Mapping[str, float]) -> Measure:
    """Return what a logged run is chosen and judged by. One with a head that is not known is judged by its points.

    Args:
        params: Of the run.
        metrics: Of the run; empty unless it finished.
    """
    name = params.get(_KEY, "")
    head = _make_head(HeadName[name] if name in HeadName.__members__ else HeadName.point, params)
    one, several = head.measure(1), head.measure(2)
    return several if one.of("test") not in metrics and several.of("test") in metrics else one


def _make_head(name: HeadName, params: Mapping[str, str]) -> Head:
    levels = complete_parameters(params).get(_LEVELS, "[]")
    return HEADS[name](tuple(json.loads(levels)))
