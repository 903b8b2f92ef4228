"""Sample paths: what may come, drawn step after step, each draw fed back as if it had come.

Quantiles of several steps cannot be added up, and a network that was fed with its own medians would be too sure of the
second step. A path knows at each step what it drew before, and the share of paths below a value is the share of what
comes there: ancestral sampling, as DeepAR does it (Salinas et al., 2020). What is drawn depends on the head:

    gaussian, student_t, negative_binomial    from the distribution
    quantile                                  by its quantile function, at a random level; see `Free.quantiles`
    point                                     the forecast, and an error that it made in the validation part, scaled

Several targets are drawn each by itself; the errors of a point head are those of one moment, for all targets.
"""

import numpy as np

from pipeline.base.errors import UserError
from pipeline.data.arrays import FloatArray, IntArray
from pipeline.models.heads.quantile import QuantileHead
from pipeline.serving.feed_back import Say, feed_back
from pipeline.serving.lanes import Lanes
from pipeline.serving.model import ServedModel
from pipeline.serving.windows import forecast_windows

FEWEST_ERRORS = 8  # of a lane; with fewer it takes those of all lanes


def draw_paths(
    model: ServedModel,
    lanes: Lanes,
    places: IntArray,
    firsts: IntArray,
    ahead: FloatArray,
    samples: int,
    seed: int,
) -> FloatArray:
    """Draw paths from the head of a network; for a point head from its errors.

    Args:
        model: A served model that can run free.
        lanes: See `feed_back`; they stay as they are.
        places: Numbers of the lanes that go on: those of the run, perhaps several times over. Shape (n,).
        firsts: The first row that is drawn, of each. Shape (n,).
        ahead: What is known of the rows. Shape (steps, n, columns).
        samples: Paths of each.
        seed: Of the random numbers: equal seeds give equal paths.

    Returns:
        In the data's own units. Shape (samples, steps, n, targets).

    Raises:
        UserError: If a point head has no errors to draw from.
    """
    copies = lanes.branch(np.tile(places, samples))
    random = np.random.default_rng(seed)
    if isinstance(model.data.head, QuantileHead):
        say = _draw_shares(model, model.data.head, samples, random)
    else:
        run_lanes = np.arange(len(places)) % len(model.data.series.slices())
        say = _draw_errors(model, np.tile(run_lanes, samples), random)
    drawn = feed_back(model, lanes, copies, np.tile(firsts, samples), np.tile(ahead, (1, samples, 1)), say)
    return np.moveaxis(drawn.reshape(len(drawn), samples, len(places), -1), 1, 0)


def _draw_shares(model: ServedModel, head: QuantileHead, samples: int, random: np.random.Generator) -> Say:
    """Draw from what the network says of each row: the values below which random shares of what comes lie.

    At each step the shares of the paths are spread evenly, one in each of as many equal parts, in random order (Latin
    hypercube sampling): fewer paths are needed for the same accuracy.
    """
    targets = len(model.data.series.targets)

    def say(lanes: Lanes, places: IntArray, rows: FloatArray) -> FloatArray:
        parts = np.broadcast_to(np.arange(samples)[:, None, None], (samples, len(places) // samples, targets))
        spread = (random.permuted(parts, axis=0) + random.random(parts.shape)) / samples
        shares = np.full((len(places), model.data.windows.num_targets), 0.5)  # further steps ahead are not fed back
        shares[:, :targets] = np.clip(spread, 1e-9, 1 - 1e-9).reshape(-1, targets)
        return lanes.advance_drawn(places, rows, lambda outputs: head.draw(outputs, shares))[:, 0]

    return say


def _draw_errors(model: ServedModel, run_lanes: IntArray, random: np.random.Generator) -> Say:
    """Draw the forecast of each row, and an error of the validation part that the network made, in scaled units."""
    errors, targets = _list_errors(model), len(model.data.series.targets)
    counts = np.array([len(each) for each in errors])[run_lanes]
    firsts = np.cumsum([0, *(len(each) for each in errors)])[run_lanes]
    joined = np.concatenate(errors)  # (errors of all lanes, targets)

    def say(lanes: Lanes, places: IntArray, rows: FloatArray) -> FloatArray:
        away = np.zeros((len(places), model.data.windows.num_targets))
        away[:, :targets] = joined[firsts + random.integers(counts)]
        return lanes.advance_drawn(places, rows, lambda outputs: outputs + away)[:, 0]

    return say


def _list_errors(model: ServedModel) -> list[FloatArray]:
    """Return what came minus the forecast of the first step, scaled, in the validation part, for each lane.

    Returns:
        Each (errors, targets), in units of the scaler of the model.
    """
    measured, series = model.measured, model.data.series
    windows, targets = measured.data.windows, len(series.targets)
    places = np.flatnonzero(np.isin(windows.starts, windows.validation))
    outputs = forecast_windows(model.config, windows, measured.network)[places]
    away = windows.gather_last_targets(windows.starts[places]) - outputs
    errors = np.asarray(away[:, :targets], dtype=float)
    if len(errors) < FEWEST_ERRORS:
        raise UserError(
            f"samples of model.head=point are drawn from the errors of the validation part, of which there are "
            f"{len(errors)}, where {FEWEST_ERRORS} are needed; raise dataset.validation_fraction and train again, or "
            "choose a run with model.head=quantile"
        )
    lane, columns = series.series_of_rows()[windows.starts[places]], series.column_numbers(series.targets)
    units = measured.data.scaling.scale[:, columns] / model.data.scaling.scale[:, columns]  # (lanes, targets)
    errors *= units[lane]
    each = [errors[lane == number] for number in range(len(series.slices()))]
    return [own if len(own) >= FEWEST_ERRORS else errors for own in each]
