"""Does the state help? The validation error of a trained network against how much of the past it has read.

From a zero state at every row, K steps forward: output j of that reading is the forecast of a network that has warmed
up for j steps. All warm-up lengths come from one sweep, and so does a state that is zeroed every k steps, which at the
n-th row of a lane has read n mod k + 1 steps.
"""

from dataclasses import dataclass

import numpy as np

from pipeline.config.schema import Config, Order, Token
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.data.prepared import PreparedData
from pipeline.evaluation.alignment import take_truth
from pipeline.models.numpy_network import NumpyNetwork

_LONGEST = 256  # steps
_MOST_ORIGINS = 512
_FEWEST_ORIGINS = 48
_BUDGET = 5e8  # multiplications: a tenth of a second, or a few
_TEXT_BUDGET = 2e10  # of a text: one to three seconds, but no more than _SHARE of an epoch
_SHARE = 0.03  # of the multiplications of an epoch, which are three for each weight and token
_STRETCHES = 8  # places in a text that are looked at: one alone would be one scene
_TOLERANCE = 1.01  # an error within 1 % of the lowest is as good


@dataclass(frozen=True)
class Memory:
    """How far back information still lowers the validation error.

    Attributes:
        warm_up: What the network is judged by, after reading 1, 2, ... steps from a zero state; of several targets each
            over its error of repeating the last value in training. Shape (steps,).
        zeroed: The same with the state zeroed every 1, 2, ... steps. Shape (steps,).
        whole: The same after reading the whole past; of a stateless network after its window.
        origins: Forecasts that were averaged.
    """

    warm_up: FloatArray
    zeroed: FloatArray
    whole: float
    origins: int

    @property
    def memory_steps(self) -> int:
        """The fewest steps after which the error is within 1 % of the lowest it reaches; all, if only more reach it."""
        enough = np.flatnonzero(self.warm_up <= _TOLERANCE * min(float(self.warm_up.min()), self.whole))
        return int(enough[0]) + 1 if enough.size else len(self.warm_up)


def measure_memory(config: Config, data: PreparedData, network: NumpyNetwork, forecasts: FloatArray) -> Memory | None:
    """Measure a trained network.

    Args:
        config: The configuration of the run.
        data: The prepared data.
        network: One seed of it.
        forecasts: Scaled outputs of that seed at every window, the state as it was served. Shape (windows, outputs).

    Returns:
        The curves; None where the question has no meaning: a wiring that cannot carry a state, windows that overlap, or
        no validation part.
    """
    whole_past = data.split.judge == "validation" and config.dataset.order is Order.phases
    if not config.can_carry or not whole_past:
        return None
    windows = data.windows
    positions = np.searchsorted(windows.starts, windows.validation)
    last_steps = windows.spec.last_steps(windows.validation)
    firsts = windows.first_of_series[positions] if data.vocabulary is None else 0  # a text goes on over its parts
    behind = last_steps - firsts + 1  # steps that can be read up to there
    longest = min(int(behind.min()), _LONGEST if config.stateful else windows.spec.time_steps)
    longest, chosen = _afford(data, network, longest, len(positions))
    starts = windows.validation[chosen]
    outputs = _warm_up(network, data, starts, longest)  # (steps, origins, kept)
    head = data.head
    actual = _actual(data, starts)
    # Units of several targets are not mixed, and squares of tiny errors do not vanish.
    scale = take_truth(data).scale if data.vocabulary is None else np.ones(1)
    unit = float(scale[0]) if len(scale) == 1 else 1.0

    def cost(some: FloatArray) -> FloatArray:
        errors = head.errors(data.read_outputs(some, starts), actual) / head.spread(scale)
        return head.penalty(errors).mean(axis=(1, 2))  # (origins,)

    costs = np.stack([cost(each) for each in outputs])  # (steps, origins)
    read = behind[chosen] - 1
    zeroed = [np.mean(costs[read % every, np.arange(len(chosen))]) for every in range(1, longest + 1)]
    return Memory(
        warm_up=unit * head.score(costs.mean(axis=1)),
        zeroed=unit * head.score(np.array(zeroed)),
        whole=unit * float(head.score(cost(forecasts[positions[chosen]]).mean())),
        origins=len(chosen),
    )


def describe_memory(config: Config, memory: Memory) -> str:
    """Say in one sentence what the curves mean for the configuration."""
    steps, longest = memory.memory_steps, len(memory.warm_up)
    step = name_step(config)
    noun = step if steps == 1 else f"{step}s"
    judged = "nats of a validation token" if config.reads_text else "validation error"
    longer = "a longer look_back" + ("" if config.reads_whole_windows else " or stateful=true")
    if not config.stateful and longest == 1:
        return f"look_back={config.look_back} shows the network one {step}; {longer} may lower the {judged}"
    if not config.stateful and steps < longest:
        last = f"last {noun}" if steps == 1 else f"last {steps} {noun}"
        return f"the {last} of look_back={longest} give{'s' * (steps == 1)} the same {judged}: fewer are enough"
    if not config.stateful:
        return f"each of the {longest} {noun} of look_back lowers the {judged}: {longer} may lower it further"
    enough = f"stateful=false look_back={steps} is enough"
    if steps == longest:
        return f"information from {steps} {noun} back still lowers the {judged}: the carried state is needed"
    best = memory.warm_up[steps - 1]
    if memory.whole > _TOLERANCE * best:
        worse = (memory.whole / best - 1) * 100
        return f"carrying state beyond {steps} {noun} makes the {judged} {worse:.0f} % worse: {enough}"
    return f"carrying state beyond {steps} {noun} changes nothing: {enough}"


def name_step(config: Config) -> str:
    """Return what a network reads at one step: of a text `character`, `byte` or `word`, else `step`."""
    if not config.reads_text:
        return "step"
    return "character" if config.dataset.token is Token.char else config.dataset.token.value


def _afford(data: PreparedData, network: NumpyNetwork, longest: int, origins: int) -> tuple[int, IntArray]:
    """Return how many steps, and which of the origins, the budget allows: the last, or those of places in a text."""
    weights = sum(weight.size for weights in network.weights for weight in weights)
    budget, stretches = _BUDGET, 1
    if data.vocabulary is not None:
        epoch = 3 * weights * int(data.split.rows("train").sum())
        budget, stretches = float(np.clip(_SHARE * epoch, _BUDGET, _TEXT_BUDGET)), _STRETCHES
    numbers = weights * stretches
    while longest > 16 and (longest + _FEWEST_ORIGINS) * longest * numbers > budget:
        longest //= 2
    count = int(np.clip(budget / (longest * numbers) - longest, _FEWEST_ORIGINS, _MOST_ORIGINS))
    if origins <= count * stretches:
        return longest, np.arange(origins)
    ends = np.linspace(origins, count, stretches).astype(int)[::-1]
    return longest, (ends[:, None] + np.arange(-count, 0)).ravel()  # neighbours share what they read


def _warm_up(network: NumpyNetwork, data: PreparedData, starts: IntArray, longest: int) -> FloatArray:
    """Forecast at each origin after 1, 2, ... steps from a zero state. Shape (longest, origins, kept)."""
    if network.reads_whole_windows:  # a window of fewer steps is measured by those alone
        samples = data.windows.gather_inputs(starts)
        return np.stack([network.answer(samples[:, -steps:]) for steps in range(1, longest + 1)])
    last_steps = data.windows.spec.last_steps(starts)
    firsts = np.unique(last_steps[:, None] - np.arange(longest))  # rows at which some reading begins
    beyond = int(last_steps.max())
    states = network.zero_states(len(firsts))
    kept = data.head.kept(data.windows.num_outputs)
    outputs = np.empty((longest, len(last_steps), kept), np.float32)
    for read in range(longest):
        rows = np.minimum(firsts + read, beyond)  # a reading past the last origin is not looked at
        answer, states = network.step(data.windows.gather_steps(rows), states)
        outputs[read] = data.keep_outputs(answer[np.searchsorted(firsts, last_steps - read)], starts)
    return outputs


def _actual(data: PreparedData, starts: IntArray) -> FloatArray:
    """Return what came, in the data's own units. Shape (origins, horizon_steps, targets)."""
    return data.series.actual()[data.windows.spec.forecast_rows(starts)]
