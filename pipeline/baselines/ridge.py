"""The linear fit: ridge regression with an intercept on the same lags that the network sees.

Without a penalty many lags and few training windows fit noise: 97 coefficients on 104 windows are eight times worse
than repeating the last value. The penalty is chosen by the validation part, as people choose their network.
"""

from collections.abc import Iterable

import numpy as np

from pipeline.baselines.task import Array, Samples, Task

PENALTIES = np.concatenate([[0.0], np.logspace(-6, 3, 19)])  # per window, on standardised lags
Windows = Iterable[tuple[Samples, Array]]
_WINDOWS_AT_ONCE = 8192  # bounds the memory of gathered windows
_DEPENDENT = 1e-10  # of the largest singular value: what lies below is no direction of its own


def forecast_linear(task: Task) -> Array:
    """Return the forecasts of the linear fit. Shape (time, horizon_steps, targets), NaN where no window predicts."""
    windows = task.windows
    assert windows is not None, "the linear fit needs the windows of the network"
    if windows.coefficients is not None:
        return windows.align(_apply(windows.coefficients, windows.inputs))
    outputs = fit_ridge(
        windows.train_inputs,
        windows.train_targets,
        windows.validation_inputs,
        windows.validation_targets,
        windows.inputs,
    )
    return windows.align(outputs)


def fit_ridge(
    train_inputs: Samples,
    train_targets: Array,
    validation_inputs: Samples,
    validation_targets: Array,
    inputs: Samples,
    penalties: Array = PENALTIES,
) -> Array:
    """Fit on the training windows, choose the penalty by the validation windows, and forecast.

    Samples are read in blocks, so that a long series is never copied look_back times: each block is folded into the
    triangular factor of a QR decomposition (sequential TSQR, Demmel et al. 2012). Its part below the intercept is that
    of the centred lags, and one singular value decomposition of it gives the solution for every penalty.

    Args:
        train_inputs: Flattened to one row of lags per window. Shape (train windows, ...).
        train_targets: Shape (train windows, outputs).
        validation_inputs: Shape (validation windows, ...).
        validation_targets: Shape (validation windows, outputs).
        inputs: Samples to forecast from. Shape (windows, ...).
        penalties: Candidates, per training window, of the squares of the standardised coefficients; with 0 it is
            ordinary least squares of least norm. The intercept is not penalised.

    Returns:
        Shape (windows, outputs), in the units of `train_targets`.
    """
    train, validation = [(train_inputs, train_targets)], [(validation_inputs, validation_targets)]
    return _apply(find_coefficients(train, validation, penalties), inputs)


def find_coefficients(train: Windows, validation: Windows, penalties: Array = PENALTIES) -> Array:
    """Fit on the training windows, and choose the penalty by the validation windows.

    Args:
        train: Samples and targets, of one block after another.
        validation: The same.
        penalties: As `fit_ridge` takes them.

    Returns:
        That of the intercept first. Shape (1 + lags, outputs).
    """
    factor, count, num_outputs = np.zeros((0, 0)), 0, 0
    for inputs, targets in train:
        if len(inputs):
            factor, count, num_outputs = _factorize(factor, inputs, targets), count + len(inputs), targets.shape[1]
    coefficients = _solve(factor, count, num_outputs, penalties)
    if len(penalties) == 1:
        return np.asarray(coefficients[0])
    squares = np.zeros(len(penalties))
    for inputs, targets in validation:
        for block in _blocks(len(inputs)):
            lags = _with_intercept(inputs[block])
            for number, each in enumerate(coefficients):
                squares[number] += np.square(lags @ each - targets[block]).sum()
    return np.asarray(coefficients[int(np.argmin(squares))])


def _factorize(factor: Array, inputs: Samples, targets: Array) -> Array:
    """Return the triangular factor of [1, lags, targets] when more rows are put under that of those before."""
    for block in _blocks(len(inputs)):
        rows = np.hstack([_with_intercept(inputs[block]), targets[block].astype(float)])
        factor = np.asarray(np.linalg.qr(np.vstack([factor.reshape(-1, rows.shape[1]), rows]), mode="r"))
    return factor


def _solve(factor: Array, windows: int, outputs: int, penalties: Array) -> Array:
    """Return the coefficients for each penalty, that of the intercept first. Shape (penalties, 1 + lags, outputs)."""
    lags = factor.shape[1] - outputs - 1
    centred, answers = factor[1:, 1 : lags + 1], factor[1:, lags + 1 :]
    scale = np.sqrt(np.square(centred).sum(axis=0) / windows)  # standard deviation of each lag
    scale[scale == 0] = 1.0  # a lag that never changes gets the coefficient 0
    left, sizes, right = np.linalg.svd(centred / scale, full_matrices=False)
    kept = sizes > _DEPENDENT * sizes.max(initial=0.0)
    projected = left[:, kept].T @ answers  # (directions, outputs)
    found = []
    for penalty in penalties:
        shrunk = sizes[kept] / (sizes[kept] ** 2 + penalty * windows)
        slopes = (right[kept].T @ (shrunk[:, None] * projected)) / scale[:, None]  # (lags, outputs)
        intercept = (factor[0, lags + 1 :] - factor[0, 1 : lags + 1] @ slopes) / factor[0, 0]
        found.append(np.vstack([intercept, slopes]))
    return np.stack(found)


def _apply(coefficients: Array, inputs: Samples) -> Array:
    return np.concatenate([_with_intercept(inputs[block]) @ coefficients for block in _blocks(len(inputs))])


def _blocks(length: int) -> list[slice]:
    return [slice(first, first + _WINDOWS_AT_ONCE) for first in range(0, length, _WINDOWS_AT_ONCE)]


def _with_intercept(samples: Array) -> Array:
    flat = samples.reshape(len(samples), -1).astype(float)  # (windows, lags)
    return np.hstack([np.ones((len(flat), 1)), flat])
