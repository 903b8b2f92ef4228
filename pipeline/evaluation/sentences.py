"""What a comparison supports, in one sentence: evidence, direction, size and p."""

from collections.abc import Mapping

import numpy as np

from pipeline.evaluation.comparison import LEVEL, Comparison, Kind

BASELINES = {"persistence": "persistence", "seasonal": "seasonal naive", "linear": "the linear fit"}


def state_comparison(comparison: Comparison) -> str:
    """Say in one sentence what a comparison supports.

    `evidence` needs both: p below 0.05 over the test timestamps after Holm's correction, and p below 0.05 of a t test
    over the seeds. The first without the second is said to hold for these trainings only.
    """
    first, second = _names(comparison)
    pair = f"{first} vs {second}{_held_fixed(comparison)}"
    if not np.isfinite(comparison.p):
        return f"{pair}: cannot be tested, too few test timestamps for this horizon"
    p = f"p{_show_p(comparison.p_holm)}"
    lower = comparison.difference < 0
    if not comparison.significant:
        if comparison.p_holm < LEVEL:
            p += ", but squared errors and mean RMSE disagree on which is better"
        return f"{pair}: no evidence ({p}); RMSE of {first} {_size(comparison, 'lower' if lower else 'higher')}"
    better = first if lower else second
    if comparison.evidence:
        return f"{pair}: evidence that {better} is better ({p}); RMSE {_size(comparison, 'lower')}"
    why = (
        "one seed cannot tell configurations apart"
        if np.isnan(comparison.p_seeds)
        else f"the seeds do not decide it (p{_show_p(comparison.p_seeds)}, 95 % interval of the difference "
        f"{comparison.low:.3g} to {comparison.high:.3g})"
    )
    return f"{pair}: {better} is better for these trainings only ({p}); RMSE {_size(comparison, 'lower')}, but {why}"


def label(parameters: Mapping[str, str]) -> str:
    """Name a configuration: `look_back=3 stateful=true`; a baseline by its name.

    Example:
        >>> label({"look_back": "3", "stateful": "true"}), label({"baseline": "persistence"}), label({})
        ('look_back=3 stateful=true', 'persistence', 'the configuration')
    """
    if list(parameters) == ["baseline"]:
        return BASELINES.get(parameters["baseline"], parameters["baseline"])
    return " ".join(f"{key}={value}" for key, value in parameters.items()) or "the configuration"


def _names(comparison: Comparison) -> tuple[str, str]:
    """Name both sides by what differs: `look_back=6` and `3`."""
    if comparison.kind is Kind.baseline:
        return label(comparison.first), label(comparison.second)
    differing = [key for key in comparison.first if comparison.first[key] != comparison.second[key]]
    first = label({key: comparison.first[key] for key in differing})
    if len(differing) == 1:
        return first, comparison.second[differing[0]]
    return first, label({key: comparison.second[key] for key in differing})


def _held_fixed(comparison: Comparison) -> str:
    if comparison.kind is Kind.axis:
        return f" (mean of {comparison.matched} matched pairs)" if comparison.matched > 1 else ""
    if comparison.kind is Kind.baseline:
        return ""
    same = {key: value for key, value in comparison.first.items() if comparison.second[key] == value}
    return f" at {label(same)}" if same else ""


def _size(comparison: Comparison, direction: str) -> str:
    """Say `12.3 lower (15 %)`, in the data's own units and relative to what it is lower or higher than."""
    size = abs(comparison.difference)
    other = max if direction == "lower" else min
    share = size / other(comparison.first_rmse, comparison.second_rmse)
    return f"{size:.3g} {direction} ({share * 100:.0f} %)"


def _show_p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"={p:.3f}" if p < 0.1 else f"={p:.2f}"
