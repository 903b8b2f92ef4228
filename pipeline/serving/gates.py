"""What a trained network does along an excerpt of its series or text, ready to be looked at."""

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.text import show_time
from pipeline.config.schema import Config, HeadName
from pipeline.data.arrays import FloatArray
from pipeline.data.prepared import PreparedData
from pipeline.data.reading import lay_steps
from pipeline.evaluation.gates import saturation
from pipeline.models.numpy_network import NumpyNetwork, States
from pipeline.models.plan import weights_of
from pipeline.models.trace import LayerTrace, trace_steps
from pipeline.report.page.gates import LayerLook, Look
from pipeline.serving.excerpt import Excerpt, Study
from pipeline.serving.model import ServedModel
from pipeline.serving.series_gates import find_series_reading, read_normalised, study_series
from pipeline.serving.text_gates import find_text_reading, study_text

_BETWEEN_0_AND_1 = ("input", "forget", "output", "update", "reset")


def choose_excerpt(model: ServedModel, member: int, steps: int) -> Excerpt:
    """Return an excerpt of a series in whose middle the test part begins, or its end if there is none.

    That of a text begins with the token before the test part, of which the network forecasts the first one of it.
    """
    data, split = model.data, model.measured.data.split
    if model.config.reads_text:
        return Excerpt(0, int(split.rows("test").argmax()) - 1, steps)
    rows = lay_steps(model.config, data.windows, data.series.slices()[member])[0] + data.windows.spec.rows_of_step[-1]
    in_test = np.flatnonzero(split.rows("test")[rows])
    middle = int(in_test[0]) if in_test.size else len(rows)
    return Excerpt(member, int(rows[max(min(middle - steps // 2, len(rows) - steps), 0)]), steps)


def name_target(config: Config, data: PreparedData) -> tuple[str, str]:
    """Return what is drawn along the excerpt, and its unit: the target, or what the tokens of a text cost."""
    return ("cost", "nats") if config.reads_text else (data.series.targets[0], config.dataset.unit)


def describe_ahead(data: PreparedData) -> str:
    """Say how far ahead the forecast lies that is shown: the nearest one."""
    step = data.windows.spec.horizon_steps[0]
    return "1 step ahead" if step == 1 else f"{step} steps ahead"


def look_at_network(
    name: str, model: ServedModel, excerpt: Excerpt, most_before: int | None = None, most_weights: int | None = None
) -> Look:
    """Let a network read an excerpt, its state as it is there, and note everything.

    Args:
        name: Of the network, for people.
        model: One seed of a run, with its data.
        excerpt: What it reads.
        most_before: Steps read before the excerpt, at most; None: since the state was zero.
        most_weights: Numbers of the weights, at most, that come along; None: all.

    Raises:
        UserError: If the network has no such sequence of steps.
    """
    config, data, windows = model.config, model.data, model.data.windows
    _check_network(config)
    reading = (find_text_reading if config.reads_text else find_series_reading)(model, excerpt, most_before)
    every = np.concatenate([reading.before, reading.first_rows])
    inputs = read_normalised(model, every) if config.normalises else windows.gather_steps(every)
    before, core = len(reading.before), model.network.core
    trace = trace_steps(core, inputs[before:], reading.resets, _read(core, inputs[:before]))
    study = (study_text if config.reads_text else study_series)(model, reading, trace)
    tables = core.layers[0].weight_shapes if core.layers[0].layout is not None else []
    weights = weights_of(core.layers, model.weights)[len(tables) :]  # of the layers that are shown
    size = sum(weight.size for weight in weights)
    return Look(
        name=name,
        about=_describe(config),
        trace=trace,
        layers=[_describe_layer(layer, study) for layer in trace.layers],
        weights=weights if most_weights is None or size <= most_weights else None,
        times=[show_time(time) for time in data.series.timestamps[reading.rows]],
        parts=model.measured.data.split.part_names()[reading.rows].tolist(),
        gradients=study.gradients,
        shown=study.shown,
        steps_before=len(reading.before),
    )


def can_look(config: Config) -> bool:
    """Return whether there is a sequence of steps to look at, and a straight way from output to forecast."""
    return config.can_carry and config.head is not HeadName.negative_binomial


def _check_network(config: Config) -> None:
    if config.head is HeadName.negative_binomial:
        raise UserError(
            "model.head=negative_binomial forecasts whole numbers, so nothing moves its forecast a little; choose a "
            "run with another head"
        )
    if not config.can_carry:
        raise UserError(
            f"a network with model.wiring={config.wiring.value} does not read the series step by step, so it has no "
            "gates along it; choose a run with many_to_one or many_to_many"
        )


def _read(network: NumpyNetwork, inputs: FloatArray) -> States:
    """Return the states after some steps from zero, of one row."""
    states = network.zero_states(1)
    for step in inputs:
        _, states = network.step(step[None], states)
    return states


def _describe_layer(layer: LayerTrace, study: Study) -> LayerLook:
    follows = {name: study.follow(each) for name, each in layer.quantities.items()}
    return LayerLook(
        layer, follows, saturation({name: each for name, each in layer.gates.items() if name in _BETWEEN_0_AND_1})
    )


def _describe(config: Config) -> str:
    units = ", ".join(map(str, config.model.units))
    reads = (
        "stateful: the state is carried from step to step"
        if config.stateful
        else f"stateless: windows of {config.time_steps} step(s) laid end to end, each from a state of zero"
    )
    if config.normalises:
        reads += (
            f"; dataset.normalise={config.dataset.normalise.value}: inputs, gates and what moved a forecast are those "
            "of the normalised window, which has a forecast at its last step"
        )
    if config.skips:
        reads += (
            f"; model.skip={config.model.skip.value}: forecasts hold the linear map of the window; gates, and "
            "what moved a forecast, are those of the layers beside it"
        )
    return f"{config.model.cell.value} with {units} units, look_back={config.look_back}; {reads}"
