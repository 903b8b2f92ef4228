"""What the gate viewer shows beside the gates: a series with its forecasts, or a text with what may come next."""

import base64
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class SeriesShown:
    """A series along an excerpt.

    Attributes:
        inputs: Names of what is read at a step.
        read: Scaled, what was read. Shape (steps, inputs).
        values: The target at each step, in the data's own units. Shape (steps,).
        forecasts: Made after each step, in the data's own units; NaN where none counts. Shape (steps,).
        lands: The step at which each forecast can be checked; -1 if it lies outside. Shape (steps,).
        outputs: Scaled, of the network. Shape (steps, outputs).
        inverse: Of each step offset and factor that bring a scaled output to the data's own units. Shape (steps, 2).
        exponential: Whether the exponential has to be taken after that.
    """

    inputs: Sequence[str]
    read: Array
    values: Array
    forecasts: Array
    lands: Array
    outputs: Array
    inverse: Array
    exponential: bool

    def describe(self) -> dict[str, Any]:
        """Return what the page is given."""
        return {
            "inputs": list(self.inputs),
            "read": pack(self.read),
            "values": plain(self.values),
            "forecasts": plain(self.forecasts),
            "lands": self.lands.tolist(),
            "outputs": pack(self.outputs),
            "inverse": plain(self.inverse.ravel()),
            "exponential": self.exponential,
        }


@dataclass(frozen=True)
class TextShown:
    """A text along an excerpt.

    Attributes:
        vocabulary: Every token as a person can see it, by its id.
        ids: Of the token that each step read. Shape (steps,).
        following: Of the token that came after it. Shape (steps,).
        costs: Nats that this one cost. Shape (steps,).
        likely: Ids of the most probable next tokens, the most probable one first. Shape (steps, tokens).
        probabilities: Theirs. Shape (steps, tokens).
    """

    vocabulary: Sequence[str]
    ids: Array
    following: Array
    costs: Array
    likely: Array
    probabilities: Array

    def describe(self) -> dict[str, Any]:
        """Return what the page is given."""
        return {
            "text": {
                "vocabulary": list(self.vocabulary),
                "ids": self.ids.tolist(),
                "following": self.following.tolist(),
                "costs": plain(self.costs),
                "likely": self.likely.tolist(),
                "probabilities": np.round(self.probabilities, 6).tolist(),
            }
        }


def pack(array: Array) -> dict[str, Any]:
    """Return an array as the page reads it: its shape, and its numbers as float32, little-endian, in base64."""
    data = np.ascontiguousarray(array, dtype="<f4")
    return {"shape": list(array.shape), "data": base64.b64encode(data.tobytes()).decode()}


def plain(array: Array) -> list[float | None]:
    """Return numbers in the data's own units, which float32 may not hold; nothing for what is not finite."""
    return [float(f"{value:.9g}") if math.isfinite(value) else None for value in array.tolist()]
