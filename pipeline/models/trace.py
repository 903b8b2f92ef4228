"""What happens inside a network while it reads: every gate, candidate and state of every unit at every step.

    step        0      1      2      3
    reset       yes    no     no     yes        a step before which the state is set to zero
    h before    0      h[0]   h[1]   0

Only the wirings that can carry a state have such a sequence of steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Cell
from pipeline.models.numpy_network import Array, NumpyNetwork, apply_plain, open_gates
from pipeline.models.plan import NUM_STATES, Kind, LayerPlan

# In the order of Keras' kernels, which is that of `open_gates`.
GATE_NAMES = {
    Cell.lstm: ("input", "forget", "candidate", "output"),
    Cell.gru: ("update", "reset", "candidate"),
    Cell.simple_rnn: (),
}
STATE_NAMES = ("h", "c")


@dataclass(frozen=True)
class LayerTrace:
    """What one recurrent layer did.

    Attributes:
        plan: The layer.
        inputs: What it read. Shape (steps, inputs); after a one-hot layer the ids of the tokens, (steps,), integers.
        gates: By name, in the order of `GATE_NAMES`. Each (steps, units): candidates in -1..1, the others in 0..1.
        before: The states each step began with: h (and c). Each (steps, units).
        after: The states each step ended with. Each (steps, units).
    """

    plan: LayerPlan
    inputs: Array
    gates: dict[str, Array]
    before: tuple[Array, ...]
    after: tuple[Array, ...]

    @property
    def quantities(self) -> dict[str, Array]:
        """Everything that can be looked at, by name: the gates, then h (and c). Each (steps, units)."""
        return self.gates | dict(zip(STATE_NAMES, self.after, strict=False))


@dataclass(frozen=True)
class Trace:
    """What a network did along a sequence.

    Attributes:
        layers: Its recurrent layers, from input to output.
        outputs: Its scaled answer after every step. Shape (steps, outputs).
        resets: The steps that began with a state of zero. Shape (steps,).
    """

    layers: Sequence[LayerTrace]
    outputs: Array
    resets: Array


def trace_steps(network: NumpyNetwork, inputs: Array, resets: Array, states: Sequence[Array] | None = None) -> Trace:
    """Read a sequence and note everything.

    Args:
        network: One whose wiring can carry a state.
        inputs: Scaled features of each step; of a text the ids of its tokens. Shape (steps, features), float32.
        resets: Whether the state is set to zero before each step. Shape (steps,).
        states: Before the first step, h (and c) of every recurrent layer, each (1, units); by default zero.

    Returns:
        What happened.
    """
    zero = network.zero_states(1)
    now = zero if states is None else list(states)
    outputs, began, ended = [], [], []
    for step, reset in zip(inputs, resets, strict=True):
        now = zero if reset else now
        began.append(now)
        answer, now = network.step(step[None], now)
        ended.append(now)
        outputs.append(answer)
    before = [np.concatenate(each) for each in zip(*began, strict=True)]  # of each state (steps, units)
    after = [np.concatenate(each) for each in zip(*ended, strict=True)]
    layers, hidden, first = list[LayerTrace](), inputs, 0
    for plan, weights in zip(network.layers, network.weights, strict=True):
        if plan.kind in (Kind.one_hot, Kind.embedding, Kind.categories):
            hidden = apply_plain(plan, weights, hidden)
        if plan.cell is None:
            continue
        names, own = GATE_NAMES[plan.cell], slice(first, first + NUM_STATES[plan.cell])
        opened = open_gates(plan.cell, weights, hidden, before[first])[: len(names)]
        gates = dict(zip(names, opened, strict=True))
        layers.append(LayerTrace(plan, hidden, gates, tuple(before[own]), tuple(after[own])))
        hidden, first = after[first], own.stop
    return Trace(layers, np.concatenate(outputs), np.asarray(resets, bool))
