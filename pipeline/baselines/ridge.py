"""The linear fit: ridge regression with an intercept on the same lags that the network sees.

Without a penalty many lags and few training windows fit noise: 97 coefficients on 104 windows are eight times worse
than repeating the last value. The penalty is chosen by the validation part, as people choose their network.
"""

import numpy as np

from pipeline.baselines.task import Array, Samples, Task

PENALTIES = np.concatenate([[0.0], np.logspace(-6, 3, 19)])  # per window, on standardised lags
_WINDOWS_AT_ONCE = 8192  # bounds the memory of gathered windows
_DEPENDENT = 1e-10  # of the largest singular value: what lies below is no direction of its own


def forecast_linear(task: Task) -> Array:
    """Return the forecasts of the linear fit. Shape (time, horizon_steps, targets), NaN where no window predicts."""
    windows = task.windows
    assert windows is not None, "the linear fit needs the windows of the network"
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
    coefficients = _solve(_factorize(train_inputs, train_targets), len(train_inputs), train_targets.shape[1], penalties)
    if len(penalties) == 1:
        return _apply(coefficients[0], inputs)
    squares = np.zeros(len(penalties))
    for block in _blocks(len(validation_inputs)):
        lags = _with_intercept(validation_inputs[block])
        for number, each in enumerate(coefficients):
            squares[number] += np.square(lags @ each - validation_targets[block]).sum()
    return _apply(coefficients[int(np.argmin(squares))], inputs)


def _factorize(inputs: Samples, targets: Array) -> Array:
    """Return the triangular factor of [1, lags, targets]."""
    factor = np.zeros((0, 0))
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
