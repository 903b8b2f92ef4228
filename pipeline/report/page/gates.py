"""The gate viewer: one page in which a person steps through what a network did.

Everything that is drawn comes from NumPy and lies in the page. Only the question "what if the state were zero here?" is
answered by the page itself, from the weights, and only where they are few enough to lie in it.
"""

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.models.trace import LayerTrace, Trace
from pipeline.report.page.template import render_page

PAGE = "gates.html"
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
        inputs: Names of what it reads at a step.
        times: Timestamp of each step. Shape (steps,).
        parts: `train`, `validation` or `test`, the part of each step's row. Shape (steps,).
        values: The target at each step, in the data's own units. Shape (steps,).
        forecasts: Made after each step, in the data's own units; NaN where none counts. Shape (steps,).
        lands: The step at which each forecast can be checked; -1 if it lies outside. Shape (steps,).
        gradients: Of the scaled forecast by each scaled input. Shape (steps, steps, features).
        inverse: Of each step offset and factor that bring a scaled output to the data's own units. Shape (steps, 2).
        exponential: Whether the exponential has to be taken after that.
        steps_before: Steps that were read before the excerpt, since the state was zero.
    """

    name: str
    about: str
    trace: Trace
    layers: Sequence[LayerLook]
    weights: Sequence[Array] | None
    inputs: Sequence[str]
    times: Sequence[str]
    parts: Sequence[str]
    values: Array
    forecasts: Array
    lands: Array
    gradients: Array
    inverse: Array
    exponential: bool
    steps_before: int


def write_gates_page(heading: str, target: str, unit: str, ahead: str, looks: Sequence[Look], most_units: int) -> str:
    """Return the page.

    Args:
        heading: Of the page.
        target: Name of what is forecast.
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
        facts=facts,
        script=script,
        script_hash=f"sha256-{identity}",
        style=_style(),
        cells=sorted({layer.trace.plan.cell.value for look in looks for layer in look.layers if layer.trace.plan.cell}),
    )


@cache
def _script() -> str:
    return "\n" + (Path(__file__).parent / "gates.js").read_text(encoding="utf-8")


@cache
def _style() -> str:
    return (Path(__file__).parent / "gates.css").read_text(encoding="utf-8")


def _describe(look: Look, most_units: int) -> dict[str, Any]:
    gradients = look.gradients
    shown = gradients[..., 0] if gradients.shape[-1] == 1 else np.linalg.norm(gradients, axis=-1)
    return {
        "name": look.name,
        "about": look.about,
        "inputs": list(look.inputs),
        "times": list(look.times),
        "parts": list(look.parts),
        "values": _plain(look.values),
        "forecasts": _plain(look.forecasts),
        "lands": look.lands.tolist(),
        "read": _pack(look.layers[0].trace.inputs),
        "resets": np.flatnonzero(look.trace.resets).tolist(),
        "outputs": _pack(look.trace.outputs),
        "gradients": _pack(shown),  # (steps of the output, steps of the input)
        "inverse": _plain(look.inverse.ravel()),
        "exponential": look.exponential,
        "before": look.steps_before,
        "weights": None if look.weights is None else [_pack(each) for each in look.weights],
        "layers": [_describe_layer(layer, most_units) for layer in look.layers],
    }


def _describe_layer(layer: LayerLook, most_units: int) -> dict[str, Any]:
    plan, shown = layer.trace.plan, slice(most_units)
    assert plan.cell is not None
    return {
        "name": plan.name,
        "cell": plan.cell.value,
        "units": plan.outputs,
        "quantities": {name: _pack(each[:, shown]) for name, each in layer.trace.quantities.items()},
        "first": [_pack(state[0]) for state in layer.trace.before],
        "follows": {
            name: {what: _round(each[shown]) for what, each in found.items()} for name, found in layer.follows.items()
        },
        "saturation": {name: [_round(each[shown]) for each in pair] for name, pair in layer.saturation.items()},
    }


def _pack(array: Array) -> dict[str, Any]:
    """Return an array as the page reads it: its shape, and its numbers as float32, little-endian, in base64."""
    data = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(data.tobytes()).decode()}


def _plain(array: Array) -> list[float | None]:
    """Return numbers in the data's own units, which float32 may not hold; nothing for what is not finite."""
    return [float(f"{value:.9g}") if math.isfinite(value) else None for value in array.tolist()]


def _round(array: Array) -> list[float]:
    return np.round(np.asarray(array, float), 3).tolist()
