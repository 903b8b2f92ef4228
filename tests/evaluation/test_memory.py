"""How far back a network remembers: known answers of a network made by hand, and every curve against a plain loop."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.config.schema import (
    Cell,
    Config,
    DatasetConfig,
    LagsAs,
    ModelConfig,
    Normalise,
    Order,
    Scaler,
    Skip,
    Source,
    Token,
    TrainingConfig,
    Wiring,
)
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.evaluation import memory as memory_module
from pipeline.evaluation.memory import Memory, describe_memory, measure_memory
from pipeline.models.numpy_network import NumpyNetwork, build_numpy_network
from pipeline.models.plan import plan_layers

SMALL = 1e-3  # tanh(x) is x for inputs this small


def configure(
    look_back: int = 2,
    stateful: bool = True,
    units: int = 4,
    cell: Cell = Cell.simple_rnn,
    skip: Skip = Skip.none,
    **changes: Any,
) -> Config:
    dataset = {"name": "copy", "source": Source.delayed_copy, "scaler": Scaler.none, **changes.pop("dataset", {})}
    return Config(
        look_back=look_back,
        stateful=stateful,
        **changes,
        dataset=DatasetConfig(**dataset),
        model=ModelConfig(cell=cell, units=[units], skip=skip),
        training=TrainingConfig(),
    )


def delayed_copy(delay: int, lanes: tuple[int, ...] = (80,)) -> Series:
    """A feature, and as target the same numbers `delay` rows later; small, so that tanh is a straight line."""
    values = []
    for number, length in enumerate(lanes):
        signal = SMALL * np.random.default_rng(number).uniform(-1, 1, length + delay)
        values.append(np.stack([signal[delay:], signal[:length]], axis=1))
    together = np.concatenate(values)
    names = tuple(f"lane{number}" for number in range(len(lanes))) if len(lanes) > 1 else ()
    return Series(
        timestamps=pd.Index(np.concatenate([np.arange(length) for length in lanes])),
        values=together,
        columns=("signal", "copy"),
        features=("signal",),
        targets=("copy",),
        filled=np.zeros(together.shape, dtype=bool),
        origin="test",
        series_ids=names,
        series_ends=tuple(np.cumsum(lanes).tolist()) if names else (),
    )


def delay_line(config: Config, delay: int) -> NumpyNetwork:
    """A network that answers with its input of `delay - 1` steps ago: unit k holds what unit k-1 held a step before."""
    units = config.model.units[0]
    kernel, recurrent_kernel = np.zeros((1, units)), np.zeros((units, units))
    kernel[0, 0] = 1
    for unit in range(1, units):
        recurrent_kernel[unit - 1, unit] = 1
    head = np.zeros((units, 1))
    head[delay - 1] = 1
    return build_numpy_network(
        plan_layers(config, 1, 1), [kernel, recurrent_kernel, np.zeros(units), head, np.zeros(1)]
    )


def forecast(config: Config, data: PreparedData, network: NumpyNetwork) -> np.ndarray:
    """Outputs at every window: after the whole past of its lane when stateful, otherwise after the window alone."""
    windows, outputs = data.windows, []
    for start, first in zip(windows.starts, windows.first_of_series, strict=True):
        begin = first if config.stateful else start
        outputs.append(read(network, data, begin, start + windows.spec.time_steps - 1))
    return np.stack(outputs)


def read(network: NumpyNetwork, data: PreparedData, first: int, last: int) -> np.ndarray:
    """Read steps `first` to `last` one by one from a zero state; return the last output. Shape (outputs,)."""
    states = network.zero_states(1)
    for row in range(first, last + 1):
        answer, states = network.step(data.windows.gather_steps(np.array([row])), states)
    return answer[0]


def measure(config: Config, data: PreparedData, network: NumpyNetwork) -> Memory:
    memory = measure_memory(config, data, network, forecast(config, data, network))
    assert memory is not None
    return memory


# -------------------------------------------------------------------------------------------------- known answers


@pytest.mark.parametrize("delay", [1, 2, 3, 4])
def test_memory_of_a_delay_line_is_its_delay(delay: int) -> None:
    """The sentence under every run would name another number of steps than the network needs."""
    config = configure(look_back=1)
    data = prepare_data(config, delayed_copy(delay))
    memory = measure(config, data, delay_line(config, delay))
    assert memory.memory_steps == delay
    assert memory.warm_up[delay - 1 :] == pytest.approx(0, abs=1e-5 * SMALL)
    assert (memory.warm_up[: delay - 1] > 0.3 * SMALL).all()
    assert memory.whole == pytest.approx(0, abs=1e-5 * SMALL)
    assert memory.origins == data.windows.validation.size


def test_zeroing_hurts_less_the_rarer_it_is() -> None:
    """The second curve would not show what a reset every k steps costs: a share of (delay - 1) / k of the rows."""
    config = configure(look_back=1)
    data = prepare_data(config, delayed_copy(3))
    memory = measure(config, data, delay_line(config, 3))
    assert (memory.zeroed[:2] > 0.3 * SMALL).all()
    assert memory.zeroed[3] > memory.zeroed[7] > memory.zeroed[15] > 0


# --------------------------------------------------------------------------------------------- against plain loops


def random_network(config: Config, data: PreparedData) -> NumpyNetwork:
    random = np.random.default_rng(5)
    layers = plan_layers(config, data.windows.num_features, data.windows.num_outputs)
    return build_numpy_network(
        layers, [random.normal(0, 0.7, shape) for layer in layers for shape in layer.weight_shapes]
    )


CASES = {
    "stateful": {"look_back": 3},
    "one step": {"look_back": 1, "cell": Cell.lstm},
    "many to many": {"look_back": 3, "return_sequences": True, "cell": Cell.gru},
    "stateless": {"look_back": 5, "stateful": False},
    "lags as features": {"look_back": 3, "dataset": {"lags_as": LagsAs.features}},
    "two steps ahead": {"look_back": 2, "horizon": 2},
    "lanes": {"look_back": 2, "cell": Cell.lstm},
}


@pytest.mark.parametrize("name", CASES)
def test_curves_are_those_of_a_plain_loop(name: str) -> None:
    """The figure memory.png would show errors that no reading of the series has."""
    config = configure(**CASES[name])
    data = prepare_data(config, delayed_copy(2, (48, 40) if name == "lanes" else (48,)))
    network = random_network(config, data)
    memory = measure(config, data, network)
    windows = data.windows
    positions = np.searchsorted(windows.starts, windows.validation)
    last_steps = windows.validation + windows.spec.time_steps - 1
    firsts = windows.first_of_series[positions]
    longest = min(int((last_steps - firsts).min()) + 1, 256 if config.stateful else windows.spec.time_steps)
    assert len(memory.warm_up) == len(memory.zeroed) == longest

    def rmse(begins: np.ndarray) -> float:
        outputs = np.stack([read(network, data, first, last) for first, last in zip(begins, last_steps, strict=True)])
        rows = windows.spec.origins(windows.validation) + config.horizon
        return float(
            np.sqrt(np.mean((data.in_units(outputs, windows.validation)[:, 0] - data.series.actual()[rows]) ** 2))
        )

    for steps in range(1, longest + 1):
        assert memory.warm_up[steps - 1] == pytest.approx(rmse(last_steps - steps + 1), rel=1e-4)
        begins = last_steps - (last_steps - firsts) % steps  # the last row at which the state was zeroed
        assert memory.zeroed[steps - 1] == pytest.approx(rmse(begins), rel=1e-4)
    assert memory.whole == pytest.approx(rmse(firsts if config.stateful else windows.validation), rel=1e-4)


@pytest.mark.parametrize("skip", Skip)
def test_a_window_of_fewer_steps_is_measured_by_those_alone(skip: Skip) -> None:
    """A person would be told that fewer steps are enough, and a network of so many has another level to start from."""
    dataset = {"normalise": Normalise.window_mean}
    series = replace(delayed_copy(2), targets=("signal",))
    config = configure(look_back=4, stateful=False, dataset=dataset, skip=skip)
    data = prepare_data(config, series)
    weights = [np.random.default_rng(6).normal(0, 0.7, shape) for shape in ((1, 4), (4, 4), (4,), (4, 1), (1,))]
    kernel = [] if skip is Skip.none else [np.array([[-0.3], [0.8], [0.5], [-1.0]])]
    network = build_numpy_network(plan_layers(config, *data.windows.interface), weights + kernel)
    memory = measure_memory(config, data, network, network.answer(data.windows.gather_inputs(data.windows.starts)))
    assert memory is not None and len(memory.warm_up) == 4
    for steps in (2, 4):
        shorter = configure(look_back=steps, stateful=False, dataset=dataset, skip=skip)
        windows = prepare_data(shorter, series).windows
        last = [each[-steps:] for each in kernel]
        alone = build_numpy_network(plan_layers(shorter, *windows.interface), weights + last)
        outputs = alone.answer(windows.gather_inputs(windows.validation))
        rows = windows.spec.origins(windows.validation) + 1
        errors = data.in_units(outputs, data.windows.validation)[:, 0] - data.series.actual()[rows]
        assert memory.warm_up[steps - 1] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)
    assert memory.whole == pytest.approx(memory.warm_up[3], rel=1e-4)
    assert "stateful=true" not in describe_memory(config, memory)


@pytest.mark.thorough
def test_a_large_network_is_measured_on_its_last_origins(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large network would be measured for minutes, or on other rows than it says."""
    config = configure(look_back=1)
    data = prepare_data(config, delayed_copy(2, (400,)))
    network = random_network(config, data)
    everything = measure(config, data, network)
    monkeypatch.setattr(memory_module, "_BUDGET", 2e4)
    some = measure(config, data, network)
    assert 48 <= some.origins < everything.origins == data.windows.validation.size
    assert 8 <= len(some.warm_up) < len(everything.warm_up)
    later = data.windows.validation[-some.origins :]
    outputs = np.stack([read(network, data, start, start) for start in later])
    errors = data.in_units(outputs, later)[:, 0] - data.series.actual()[later + 1]
    assert some.warm_up[0] == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-4)


def test_a_text_is_looked_at_in_places_from_its_begin_to_its_end(tmp_path: Path) -> None:
    """What one scene needs would be told of the whole text, or a look_back that was cut of a small network."""
    path = tmp_path / "my.txt"
    path.write_text("".join(np.random.default_rng(0).choice(list("abc \n"), 20_000)))
    text = {"source": Source.text, "path": str(path), "validation_fraction": 0.3, "test_fraction": 0.1}
    config = configure(look_back=50, return_sequences=True, dataset=text)
    data = prepare_data(config)
    layers = plan_layers(config, 1, data.windows.num_outputs)
    random = np.random.default_rng(1)
    weights = [random.normal(size=shape) for layer in layers for shape in layer.weight_shapes]
    network = build_numpy_network(layers, weights)
    origins = data.windows.validation.size
    longest, chosen = memory_module._afford(data, network, 256, origins)
    places = np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1)
    assert longest >= 50 and len(places) == 8 and {len(each) for each in places} == {len(places[0])}
    assert chosen[0] == 0 and chosen[-1] == origins - 1
    memory = measure_memory(config, data, network, np.zeros((len(data.windows.starts), 2)))
    assert memory is not None and memory.origins == len(chosen) and np.isfinite(memory.warm_up).all()


# ------------------------------------------------------------------------------------------------------- sentences


def curve(*errors: float, whole: float | None = None) -> Memory:
    warm_up = np.array(errors)
    return Memory(warm_up, warm_up, errors[-1] if whole is None else whole, origins=100)


ENOUGH = "carrying state beyond {} changes nothing: stateful=false look_back={} is enough"
LONGER = "a longer look_back or stateful=true may lower it further"


@pytest.mark.parametrize(
    ("stateful", "memory", "sentence"),
    [
        (True, curve(5, 3, 2, 2), ENOUGH.format("3 steps", 3)),
        (True, curve(2, 2, 2), ENOUGH.format("1 step", 1)),
        (
            True,
            curve(5, 4, 3),
            "information from 3 steps back still lowers the validation error: the carried state is needed",
        ),
        (
            True,
            curve(5, 2, 2.5, whole=3),
            "carrying state beyond 2 steps makes the validation error 50 % worse: stateful=false look_back=2 is enough",
        ),
        (
            False,
            curve(5, 2, 2, 2),
            "the last 2 steps of look_back=4 give the same validation error: fewer are enough",
        ),
        (False, curve(5, 4, 3), f"each of the 3 steps of look_back lowers the validation error: {LONGER}"),
    ],
)
def test_sentences(stateful: bool, memory: Memory, sentence: str) -> None:
    """A person would be told to carry a state that is of no use, or to drop one that is needed."""
    assert describe_memory(configure(stateful=stateful), memory) == sentence


def test_of_a_text_characters_are_counted_and_nats_judge() -> None:
    """A person would read of steps and of an error where a text has characters and costs."""
    config = configure(dataset={"source": Source.text, "path": "my.txt"})
    assert describe_memory(config, curve(5, 4, 3)) == (
        "information from 3 characters back still lowers the nats of a validation token: the carried state is needed"
    )
    config.dataset.token = Token.word
    assert "carrying state beyond 2 words changes nothing" in describe_memory(config, curve(5, 2, 2))


@pytest.mark.parametrize(("errors", "steps"), [((5, 2.02, 2), 2), ((5, 2.03, 2), 3), ((1,), 1), ((3, 1, 2, 1), 2)])
def test_one_percent_is_as_good(errors: tuple[float, ...], steps: int) -> None:
    """Noise in the last digit would decide how far back a network remembers."""
    assert curve(*errors).memory_steps == steps


@pytest.mark.parametrize("kind", ["overlapping", "encoder_decoder"])
def test_no_answer_where_the_question_has_no_meaning(kind: str) -> None:
    """A curve would be drawn for windows that overlap, or for a wiring that carries no state."""
    if kind == "overlapping":
        config = configure(look_back=2, dataset={"order": Order.overlapping})
    else:
        config = configure(look_back=2, stateful=False, horizon=2)
        config.model.wiring = Wiring.encoder_decoder
    data = prepare_data(config, delayed_copy(2))
    network = delay_line(configure(), 2)
    assert measure_memory(config, data, network, np.zeros((len(data.windows.starts), 1))) is None
