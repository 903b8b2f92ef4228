"""The parity certificate: one set of weights gives one answer, in whatever pieces a sequence is read.

Whole sequence = chunks with carried state = one step at a time = any number of lanes. It is a theorem of the
recurrence, so a difference means that one of the programs which train, forecast or serve is wrong, and no score can be
trusted.

Where windows are normalised or skip the core, that is certified of the core, which reads the steps; and the windows as
the engine answered them are compared with the whole network in NumPy, which serves.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from pipeline.base.errors import TrainingError
from pipeline.base.text import show_number
from pipeline.config.schema import Config, Order
from pipeline.data.arrays import FloatArray
from pipeline.data.prepared import PreparedData
from pipeline.models.keras_network import build_chunk_network, build_streaming_network
from pipeline.models.numpy_network import build_numpy_network
from pipeline.models.plan import plan_core, plan_layers, weights_of
from pipeline.models.row_layout import RowLayout
from pipeline.training.record import Certificate

LIMIT = 1e-4  # of the target's scale
_CHUNKS = 3  # the second one reads what the first one left, the third one what was carried through
_SHORTEST_CHUNK = 4  # steps
_LANES = 3
_WINDOWS = 1000  # that are compared where no state can be carried


def certify(config: Config, data: PreparedData, weights: Sequence[Any], forecasts: FloatArray) -> Certificate:
    """Certify that a network answers alike however it is read; args and errors are those of `certify_parity`."""
    prove = certify_parity if config.can_carry else certify_windows
    return prove(config, data, weights, forecasts)


def certify_parity(config: Config, data: PreparedData, weights: Sequence[Any], forecasts: FloatArray) -> Certificate:
    """Read the beginning of the longest lane in four ways, and compare with what the engine forecast.

    Args:
        config: A network whose wiring can carry a state, stateful or not.
        data: The prepared data.
        weights: Of one seed, as `get_weights` gives them.
        forecasts: Scaled outputs of that seed at every window; compared where the engine read each row once with a
            carried state, and where whole windows are read. Shape (windows, outputs).

    Returns:
        The certificate.

    Raises:
        TrainingError: If a difference exceeds 1e-4 of the target's scale.
    """
    windows = data.windows
    firsts, counts = np.unique(windows.first_of_series, return_counts=True)
    first = firsts[np.argmax(counts)]  # of the longest lane
    before = windows.spec.time_steps - 1  # steps up to the end of the first window
    inside = int(counts.max()) + before
    length = min(max(before + 1, _SHORTEST_CHUNK), inside)
    steps = min(_CHUNKS * length, inside) // length * length
    sequence = windows.gather_steps(first + np.arange(steps))  # (steps, features)
    layout = windows.spec.layout
    core = weights_of(plan_core(config, windows.num_features, windows.num_outputs, layout), weights)
    whole = _read_whole(config, windows.num_outputs, layout, core, sequence)  # (steps, outputs)
    ways = {
        "chunks": _read_chunks(config, windows.num_outputs, layout, core, sequence, length),
        "one step at a time": _read_steps(config, windows.num_outputs, layout, core, sequence, lanes=1),
        f"{_LANES} lanes": _read_steps(config, windows.num_outputs, layout, core, sequence, lanes=_LANES),
    }
    spread = windows.gather_last_targets(windows.train) if data.vocabulary is None else whole
    scale = float(np.ptp(spread)) or 1.0
    differences = {way: float(np.abs(outputs - whole).max()) / scale for way, outputs in ways.items()}
    if config.stateful and config.dataset.order is Order.phases and not config.training.online:
        mine = slice(np.searchsorted(windows.starts, first), None)
        starts, engine = windows.starts[mine][: steps - before], forecasts[mine][: steps - before]
        apart = engine - data.keep_outputs(whole[before:], starts)
        if data.vocabulary is not None:
            apart = apart[:, :1]  # the cost; which of two equal logits is higher, nobody can say
        differences["engine"] = float(np.abs(apart).max()) / scale
    if config.reads_whole_windows:
        plain = build_numpy_network(plan_layers(config, *windows.interface), [np.asarray(each) for each in weights])
        some = slice(steps)
        apart = forecasts[some] - plain.answer(windows.gather_inputs(windows.starts[some]))
        differences["engine"] = float(np.abs(apart).max()) / scale
    return _check(Certificate(differences, scale, steps))


def certify_windows(config: Config, data: PreparedData, weights: Sequence[Any], forecasts: FloatArray) -> Certificate:
    """Compare whole windows as the engine answered them with the network in NumPy, where no state can be carried.

    Args and errors are those of `certify_parity`.
    """
    windows = data.windows
    some = windows.starts[:_WINDOWS]
    plain = build_numpy_network(plan_layers(config, *windows.interface), [np.asarray(each) for each in weights])
    scale = float(np.ptp(windows.gather_last_targets(windows.train))) or 1.0
    apart = np.abs(forecasts[: len(some)] - plain.answer(windows.gather_inputs(some)))
    return _check(Certificate({"engine": float(apart.max()) / scale}, scale, len(some)))


def _check(certificate: Certificate) -> Certificate:
    if not certificate.largest <= LIMIT:
        differences = certificate.differences
        way = list(differences)[int(np.argmax(list(differences.values())))]  # the first NaN, if there is one
        away = show_number(differences[way], 2)
        raise TrainingError(
            f"parity: read as '{way}' the network answers {away} of the target's scale away from the "
            f"whole sequence, more than {LIMIT:g}; this is a defect of the program, not of the data: please report it"
        )
    return certificate


def _read_whole(
    config: Config, num_outputs: int, layout: RowLayout, weights: Sequence[Any], sequence: FloatArray
) -> FloatArray:
    network = build_streaming_network(config, sequence.shape[1], num_outputs, layout)
    network.set_weights(weights)
    return network(tf.constant(sequence[None]), training=False).numpy()[0]


def _read_chunks(
    config: Config, num_outputs: int, layout: RowLayout, weights: Sequence[Any], sequence: FloatArray, length: int
) -> FloatArray:
    """Read chunk by chunk with Keras' own stateful layers."""
    network = build_chunk_network(config, length, sequence.shape[1], num_outputs, layout)
    network.set_weights(weights)
    chunks = sequence.reshape(-1, 1, length, sequence.shape[1])
    return np.concatenate([network(tf.constant(chunk), training=False).numpy()[0] for chunk in chunks])


def _read_steps(
    config: Config, num_outputs: int, layout: RowLayout, weights: Sequence[Any], sequence: FloatArray, lanes: int
) -> FloatArray:
    """Read step by step as `pipeline.stream` does; other lanes read the sequence backwards."""
    plain = build_numpy_network(
        plan_core(config, sequence.shape[1], num_outputs, layout), [np.asarray(each) for each in weights]
    )
    mine = lanes // 2
    batch = np.stack([sequence if lane == mine else sequence[::-1] for lane in range(lanes)])
    states, outputs = plain.zero_states(lanes), []
    for position in range(len(sequence)):
        answer, states = plain.step(batch[:, position], states)
        outputs.append(answer[mine])
    return np.stack(outputs)
