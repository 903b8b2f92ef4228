"""The losses of the configuration, as Keras defines them; both engines use these."""

import keras

from pipeline.config.schema import Loss

LOSSES = {
    Loss.mse: keras.losses.MeanSquaredError,
    Loss.mae: keras.losses.MeanAbsoluteError,
    Loss.huber: keras.losses.Huber,
    Loss.log_cosh: keras.losses.LogCosh,
}
# One number per row: the mean over the last axis.
LOSS_OF_EACH = {
    Loss.mse: keras.losses.mean_squared_error,
    Loss.mae: keras.losses.mean_absolute_error,
    Loss.huber: keras.losses.huber,
    Loss.log_cosh: keras.losses.log_cosh,
}
