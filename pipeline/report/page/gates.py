"""The gate viewer: one page in which a person steps through what a network did.

Everything that is drawn comes from NumPy and lies in the page. Only the question "what if the state were zero here?" is
answered by the page itself, from the weights, and only where they are few enough to lie in it.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.models.trace import LayerTrace, Trace
from pipeline.report.page.shown import SeriesShown, TextShown, pack
from pipeline.report.page.template import render_page

PAGE = "gates.html"
_SCRIPTS = ("gates.js", "gates_text.js")
Array = np.ndarray
Numbers = Mapping[str, Array]


@dataclass(frozen=True)
class LayerLook:
    """What is known of the units of a layer.

    Attributes:
        trace: What the layer did.
        follows: What the units follow, by gate or state, then by what it is. Each (units,).
        saturation: Of each gate in 0..1, the shares of time below 0.1 and above 0.9. Each (units,).
    """

    trace: LayerTrace
    follows: Mapping[str, Numbers]
    saturation: Mapping[str, tuple[Array, Array]]


@dataclass(frozen=True)
class Look:
    """What one network did along an excerpt.

    Attributes:
        name: Of the network, for people: `run 3fa2c1 seed 0`.
        about: What kind of network it is, and how it reads.
        trace: What it did.
        layers: Its recurrent layers.
        weights: As Keras' `get_weights` gives them; None leaves them out, and what needs them.
        times: Timestamp of each step. Shape (steps,).
        parts: `train`, `validation` or `test`, the part of each step's row. Shape (steps,).
        gradients: Of the scaled forecast by each scaled input, (steps, steps, features); of a text how long that of the
            cost is, (steps, steps).
        shown: The series or the text that was read, and what the network said of it.
        steps_before: Steps that were read before the excerpt, since the state was zero.
    """

    name: str
    about: str
    trace: Trace
    layers: Sequence[LayerLook]
    weights: Sequence[Array] | None
    times: Sequence[str]
    parts: Sequence[str]
    gradients: Array
    shown: SeriesShown | TextShown
    steps_before: int


def write_gates_page(heading: str, target: str, unit: str, ahead: str, looks: Sequence[Look], most_units: int) -> str:
    """Return the page.

    Args:
        heading: Of the page.
        target: Name of what is forecast; of a text of what is drawn below it, the cost of its tokens.
        unit: Its unit.
        ahead: How far, in words: `1 step ahead`.
        looks: One network, or two that are compared.
        most_units: Units of each layer that are shown.
    """
    script = _script()
    facts = {
        "target": target,
        "unit": unit,
        "ahead": ahead,
        "networks": [_describe(look, most_units) for look in looks],
    }
    identity = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return render_page(
        "gates",
        heading,
        text=any(isinstance(look.shown, TextShown) for look in looks),
        facts=facts,
        script=script,
        script_hash=f"sha256-{identity}",
        style=_style(),
        cells=sorted({layer.trace.plan.cell.value for look in looks for layer in look.layers if layer.trace.plan.cell}),
    )


@cache
def _script() -> str:
    return "\n" + "\n".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in _SCRIPTS)


@cache
def _style() -> str:
    return (Path(__file__).parent / "gates.css").read_text(encoding="utf-8")


def _describe(look: Look, most_units: int) -> dict[str, Any]:
    return look.shown.describe() | {
        "name": look.name,
        "about": look.about,
        "times": list(look.times),
        "parts": list(look.parts),
        "resets": np.flatnonzero(look.trace.resets).tolist(),
        "gradients": pack(_lengths(look.gradients)),  # (steps of the output, steps of the input)
        "before": look.steps_before,
        "weights": None if look.weights is None else [pack(each) for each in look.weights],
        "layers": [_describe_layer(layer, most_units) for layer in look.layers],
    }


def _describe_layer(layer: LayerLook, most_units: int) -> dict[str, Any]:
    plan, shown = layer.trace.plan, slice(most_units)
    assert plan.cell is not None
    return {
        "name": plan.name,
        "cell": plan.cell.value,
        "units": plan.outputs,
        "quantities": {name: pack(each[:, shown]) for name, each in layer.trace.quantities.items()},
        "first": [pack(state[0]) for state in layer.trace.before],
        "follows": {
            name: {what: _round(each[shown]) for what, each in found.items()} for name, found in layer.follows.items()
        },
        "saturation": {name: [_round(each[shown]) for each in pair] for name, pair in layer.saturation.items()},
    }


def _lengths(gradients: Array) -> Array:
    """Return one number for each pair of steps: the derivative by the one input, or how long that by several is."""
    if gradients.ndim == 2:
        return gradients
    return gradients[..., 0] if gradients.shape[-1] == 1 else np.linalg.norm(gradients, axis=-1)


def _round(array: Array) -> list[float]:
    return np.round(np.asarray(array, float), 3).tolist()
