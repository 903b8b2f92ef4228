"""What people see of a network is what it does in a run: its state, its forecasts, its place in the series."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Cell, HeadName, LagsAs, ModelConfig, Normalise, Order, Skip, Transform, Wiring
from pipeline.report.page.gates import Look, write_gates_page
from pipeline.serving.excerpt import Excerpt
from pipeline.serving.gates import can_look, choose_excerpt, describe_ahead, look_at_network
from pipeline.serving.model import ServedModel
from pipeline.serving.windows import forecast_windows

MakeServed = Callable[..., ServedModel]
STEPS = 14


def look(model: ServedModel, **settings: int) -> Look:
    return look_at_network("mine", model, choose_excerpt(model, member=0, steps=STEPS), **settings)


MODES = {
    "stateless": {},
    "stateful": {"stateful": True},
    "overlapping": {"stateful": True, "dataset": {"order": Order.overlapping}},
    "lags as features": {"stateful": True, "dataset": {"lags_as": LagsAs.features}},
    "log of differences": {"stateful": True, "dataset": {"transforms": [Transform.log, Transform.difference]}},
    "normalised": {"dataset": {"normalise": Normalise.window_standard, "transforms": [Transform.log]}},
    "normalised, lags as features": {"dataset": {"normalise": Normalise.window_last, "lags_as": LagsAs.features}},
    "skip": {"dataset": {"normalise": Normalise.window_mean}, "model": {"skip": Skip.linear}},
    "quantiles": {
        "dataset": {"normalise": Normalise.window_standard, "transforms": [Transform.log]},
        "model": {"head": HeadName.quantile, "skip": Skip.linear},
    },
    "a distribution": {"stateful": True, "model": {"head": HeadName.student_t}},
    "two layers": {"stateful": True, "return_sequences": True, "model": {"units": [3, 2]}},
}


@pytest.mark.parametrize("mode", MODES)
def test_an_excerpt_forecasts_as_the_run_does(mode: str, make_served: MakeServed) -> None:
    """The state before the excerpt is another one, or rows and forecasts lie at different steps."""
    changes = {key: dict(value) if isinstance(value, dict) else value for key, value in MODES[mode].items()}
    changes["model"] = {"cell": Cell.simple_rnn, **changes.get("model", {})}
    model = make_served(**changes)
    config, windows = model.config, model.data.windows
    found = look(model)
    scaled = forecast_windows(config, windows, model.network)
    expected = model.data.head.points(model.data.read_outputs(scaled, windows.starts))[:, 0, 0]
    by_time = dict(
        zip(map(str, model.data.series.timestamps[windows.spec.origins(windows.starts)]), expected, strict=True)
    )
    ends = np.append(found.trace.resets[1:], True) if not config.stateful else np.ones(len(found.times), bool)
    if mode == "overlapping":
        ends = np.arange(len(found.times)) % windows.spec.time_steps == _phase(found, windows.spec.time_steps)
    compared = 0
    for step in np.flatnonzero(ends)[: -1 if not config.stateful else None]:
        time = f"{found.times[step]} 00:00:00"
        assert found.shown.forecasts[step] == pytest.approx(by_time[time], rel=1e-4)
        low, factor = found.shown.inverse[step]
        value = low + factor * found.trace.outputs[step, 0]
        assert (np.exp(value) if found.shown.exponential else value) == pytest.approx(by_time[time], rel=1e-4)
        compared += 1
    assert compared >= 3
    assert "test" in found.parts and "validation" in found.parts


def _phase(found: Look, time_steps: int) -> int:
    """Return which steps are the last of their window: the next step goes back in time."""
    times = np.array(found.times, "M8[D]").astype(int)
    return int(np.flatnonzero(np.diff(times) < 0)[0]) % time_steps


def test_rows_lie_side_by_side_and_values_are_those_of_the_series(make_served: MakeServed) -> None:
    """A forecast is drawn beside the value it was not made for."""
    model = make_served(stateful=True, horizon=2, model={"cell": Cell.simple_rnn})
    found = look(model)
    assert describe_ahead(model.data) == "2 steps ahead"
    assert found.shown.lands.tolist() == [*range(2, len(found.times)), -1, -1]
    first = [str(time) for time in model.data.series.timestamps].index(f"{found.times[0]} 00:00:00")
    np.testing.assert_array_equal(found.shown.values, model.data.series.actual()[first : first + STEPS, 0])
    assert look(model, most_before=3).steps_before == 3 < found.steps_before
    assert look(model, most_weights=1).weights is None


def test_networks_without_a_sequence_are_refused(make_served: MakeServed) -> None:
    """A page shows steps that such a network never takes."""
    model = make_served(model={"cell": Cell.simple_rnn, "wiring": Wiring.one_to_one}, look_back=1)
    with pytest.raises(UserError, match=r"model\.wiring=one_to_one does not read the series step by step"):
        look_at_network("mine", model, Excerpt(member=0, first_row=0, steps=STEPS))


def test_counts_are_refused_where_a_page_needs_a_straight_line(make_served: MakeServed) -> None:
    """A page shows forecasts between whole numbers, or the run of a head for counts ends as incomplete."""
    model = make_served()
    config = replace(model.config, model=ModelConfig(head=HeadName.negative_binomial))
    assert can_look(model.config) and not can_look(config)
    with pytest.raises(UserError, match=r"negative_binomial forecasts whole numbers.*choose a run with another head"):
        look(replace(model, config=config))


def test_names_are_escaped_and_nothing_is_loaded(make_served: MakeServed) -> None:
    """A column with a clever name runs its own script in the page."""
    evil = "</script><script>alert('x')</script>"
    model = make_served(stateful=True, model={"cell": Cell.simple_rnn})
    page = write_gates_page(evil, evil, evil, "1 step ahead", [look(model)], most_units=2)
    assert "alert('x')" not in page and "<script>alert" not in page
    assert page.count("<script") == 2 and "script-src 'sha256-" in page and "default-src 'none'" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "") and "https://" not in page
    assert len(page.encode()) < 200_000
