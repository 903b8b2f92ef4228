"""The tensors of a network, [samples, time steps, features], and the parameters of its layers."""

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.config.schema import Cell
from pipeline.models.plan import GATES, NUM_STATES, Kind, LayerPlan

_SAMPLE_AXES: tuple[str, ...] = ("time steps", "features")
_STATE_NAMES = {1: "h", 2: "h and c"}


@dataclass(frozen=True)
class Tensor:
    """One tensor.

    Attributes:
        name: What it is.
        shape: Of one sample: (time steps, features), or (features,) where there is no time axis.
        axes: What the axes are, without the first one, the samples.
        is_state: Whether it is a state: one per row of a batch, not one per sample of an epoch.
    """

    name: str
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    is_state: bool = False


@dataclass(frozen=True)
class LayerSize:
    """The parameters of a layer, and how they are counted."""

    name: str
    formula: str
    num_parameters: int


def list_tensors(
    plan: Sequence[LayerPlan], sample: tuple[int, ...], target: tuple[int, ...], states: bool
) -> tuple[Tensor, ...]:
    """Follow a sample through the layers.

    Args:
        plan: The layers, from input to output.
        sample: Shape of a sample, (time steps, features).
        target: Shape of what the last output is compared with.
        states: Whether to list the states, too.
    """
    shape, axes = sample, _SAMPLE_AXES
    tensors = [Tensor("window", shape, axes)]
    for layer in plan:
        shape, axes = _shape_after(layer, shape), _axes_after(layer, axes)
        tensors.append(Tensor(layer.name, shape, axes))
        if states and layer.cell is not None:
            name = f"state {_STATE_NAMES[NUM_STATES[layer.cell]]}"
            tensors.append(Tensor(name, (layer.outputs,), ("units",), is_state=True))
    return *tensors, Tensor("target", target, axes)


def count_parameters(plan: Sequence[LayerPlan]) -> tuple[LayerSize, ...]:
    """Return the layers that learn, with their formulas.

    Example:
        >>> count_parameters([LayerPlan(Kind.recurrent, "lstm_1", 1, 4, Cell.lstm)])[0].formula
        '4 x (4 x (4 + 1) + 4)'
    """
    return tuple(LayerSize(layer.name, _formula(layer), layer.num_parameters) for layer in plan if layer.weight_shapes)


def _shape_after(layer: LayerPlan, shape: tuple[int, ...]) -> tuple[int, ...]:
    match layer.kind:
        case Kind.recurrent:
            return (shape[0], layer.outputs) if layer.return_sequences else (layer.outputs,)
        case Kind.dense | Kind.one_hot | Kind.embedding | Kind.categories:
            return (*shape[:-1], layer.outputs)
        case Kind.past | Kind.ahead:
            return (shape[0], layer.outputs)
        case Kind.repeat:
            return (layer.repeats, layer.inputs)
        case Kind.normalise | Kind.denormalise | Kind.skip | Kind.answer:
            return shape
        case Kind.flatten:
            length = 1
            for side in shape:
                length *= side
            return (length,)


def _axes_after(layer: LayerPlan, axes: tuple[str, ...]) -> tuple[str, ...]:
    match layer.kind:
        case Kind.recurrent:
            return (axes[0], "units") if layer.return_sequences else ("units",)
        case Kind.dense:
            return (*axes[:-1], "outputs" if layer.activation == "linear" else "units")
        case Kind.one_hot:
            return (*axes[:-1], "tokens")
        case Kind.embedding:
            return (*axes[:-1], "embedding")
        case Kind.repeat:
            return ("horizon steps", axes[-1])
        case Kind.past | Kind.ahead | Kind.categories:
            return (axes[0], "features")
        case Kind.flatten:
            return axes[-1:]
        case Kind.normalise | Kind.denormalise | Kind.skip | Kind.answer:
            return axes


def _formula(layer: LayerPlan) -> str:
    units, inputs = layer.outputs, layer.inputs
    if layer.layout is not None:
        return " + ".join(f"{size} x {layer.width}" for size in layer.layout.sizes)
    if layer.kind is Kind.embedding:
        return f"{layer.vocabulary} x {units}"
    if layer.kind is Kind.skip:
        return f"{inputs} x {units}"
    if layer.cell is None:
        return f"{inputs} x {units} + {units}"
    biases = f"2 x {units}" if layer.cell is Cell.gru else f"{units}"
    inner = f"{units} x ({units} + {inputs}) + {biases}"
    gates = GATES[layer.cell]
    return inner if gates == 1 else f"{gates} x ({inner})"
