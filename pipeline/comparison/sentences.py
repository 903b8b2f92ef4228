"""What a comparison supports, in one sentence: evidence, direction, size and p."""

from collections.abc import Mapping

import numpy as np

from pipeline.base.record import Measure
from pipeline.base.text import show_number, show_p
from pipeline.baselines.registry import name_baseline
from pipeline.comparison.pairwise import LEVEL, Comparison, Kind
from pipeline.config.keys import label_run, show_parameter


def state_comparison(comparison: Comparison, measure: Measure) -> str:
    """Say in one sentence what a comparison supports.

    `evidence` needs both: p below 0.05 over the test timestamps after Holm's correction, and p below 0.05 of a t test
    over the seeds. The first without the second is said to hold for these trainings only.
    """
    first, second = _names(comparison)
    pair = f"{first} vs {second}{_held_fixed(comparison)}"
    if not np.isfinite(comparison.p):
        return f"{pair}: cannot be tested, too few test timestamps for this horizon"
    p = _say_p(comparison.p_holm)
    lower = comparison.difference < 0
    if not comparison.significant:
        if comparison.p_holm < LEVEL:
            p += f", but {measure.cost} and mean {measure.label} disagree on which is better"
        size = _size(comparison, "lower" if lower else "higher")
        return f"{pair}: no evidence ({p}); {measure.label} of {first} {size}"
    better = first if lower else second
    if comparison.evidence:
        return f"{pair}: evidence that {better} is better ({p}); {measure.label} {_size(comparison, 'lower')}"
    doubt = doubt_of_seeds(comparison)
    size = _size(comparison, "lower")
    return f"{pair}: {better} is better for these trainings only ({p}); {measure.label} {size}, but {doubt}"


def doubt_of_seeds(comparison: Comparison) -> str:
    """Say why the seeds do not support what the timestamps show."""
    if np.isnan(comparison.p_seeds):
        return "one seed cannot tell luck from skill"
    ends = f"95 % interval of the difference {show_number(comparison.low, 3)} to {show_number(comparison.high, 3)}"
    return f"the seeds do not decide it ({_say_p(comparison.p_seeds)}, {ends})"


def doubt_of(comparison: Comparison) -> str:
    """Say why a comparison is no evidence; empty if it is."""
    if not np.isfinite(comparison.p):
        return "there are too few test timestamps to test it"
    if comparison.p_holm >= LEVEL:
        return f"the test timestamps do not decide it ({_say_p(comparison.p_holm)})"
    if not comparison.significant:
        return "squared errors and the mean score disagree on which is better"
    return "" if comparison.evidence else doubt_of_seeds(comparison)


def say_evidence(comparison: Comparison) -> str:
    """Return both p values of a comparison that is evidence."""
    return f"{_say_p(comparison.p_holm)} over the test timestamps, {_say_p(comparison.p_seeds)} over the seeds"


def label(parameters: Mapping[str, str]) -> str:
    """Name a configuration: `look_back=3 stateful=true`; a baseline by its name.

    Example:
        >>> label({"look_back": "3", "stateful": "true"}), label({"baseline": "persistence"}), label({})
        ('look_back=3 stateful=true', 'persistence', 'the configuration')
    """
    if "baseline" in parameters:
        of = {key: value for key, value in parameters.items() if key != "baseline"}
        return name_baseline(parameters["baseline"]) + (f" of {label(of)}" if of else "")
    return label_run(parameters, tuple(parameters)) if parameters else "the configuration"


def _names(comparison: Comparison) -> tuple[str, str]:
    """Name both sides by what differs: `look_back=6` and `3`."""
    if comparison.kind is Kind.baseline:
        return label(comparison.first), label(comparison.second)
    differing = [key for key in comparison.first if comparison.first[key] != comparison.second[key]]
    first = label({key: comparison.first[key] for key in differing})
    if len(differing) == 1:
        return first, show_parameter(comparison.second[differing[0]])
    return first, label({key: comparison.second[key] for key in differing})


def _held_fixed(comparison: Comparison) -> str:
    if comparison.kind is Kind.axis:
        return f" (mean of {comparison.matched} matched pairs)" if comparison.matched > 1 else ""
    if comparison.kind is Kind.baseline:
        return ""
    same = {key: value for key, value in comparison.first.items() if comparison.second[key] == value}
    return f" at {label(same)}" if same else ""


def _size(comparison: Comparison, direction: str) -> str:
    """Say `12.3 lower (15 %)`, in the data's own units and relative to what it is lower or higher than; or on par."""
    size = abs(comparison.difference)
    told = f"{show_number(size, 3)} {direction}"
    other = max if direction == "lower" else min
    base = other(comparison.first_rmse, comparison.second_rmse)
    if rounds_to_nothing(size, base):
        return f"on par ({told})"
    return f"{told} ({size / base * 100:.0f} %)" if base > 0 else told


def rounds_to_nothing(size: float, base: float) -> bool:
    """Return whether a difference is shown as 0 %."""
    return size == 0 or (base > 0 and round(size / base * 100) == 0)


def _say_p(p: float) -> str:
    """Say `p<0.001` or `p=0.042`."""
    shown = show_p(p)
    return f"p{shown}" if shown.startswith("<") else f"p={shown}"
