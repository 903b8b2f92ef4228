"""The reference engine: a compiled Keras model and one keras fit call per seed."""

import math
import time
from typing import Any

import keras
import numpy as np

from pipeline.base.errors import TrainingError
from pipeline.base.interrupt import check_interrupt
from pipeline.config.schema import Config, Optimizer, TrainingConfig
from pipeline.data.lanes import Batches
from pipeline.data.prepared import PreparedData
from pipeline.models.heads.head import TrainingLoss
from pipeline.models.keras_network import build_training_network
from pipeline.models.state import reset_states
from pipeline.training.feed import feed_lanes, feed_shuffled
from pipeline.training.forecaster import Forecaster
from pipeline.training.record import EpochReport, OnEpoch, SeedTraining, describe_divergence
from pipeline.training.updates import rate_of_epoch

_OPTIMIZERS = {
    Optimizer.sgd: keras.optimizers.SGD,
    Optimizer.rmsprop: keras.optimizers.RMSprop,
    Optimizer.adam: keras.optimizers.Adam,
    Optimizer.adamw: keras.optimizers.AdamW,
}
# Keras' own epoch loss counts a padded batch like a full one; this metric counts windows.
_WINDOW_LOSS = "window_loss"
# Batches that Keras runs per call from Python. More is faster until about 64, and Ctrl-C waits for them.
_STEPS_PER_CALL = 64


def train_seed(
    config: Config, data: PreparedData, forecaster: Forecaster, seed: int, on_epoch: OnEpoch
) -> SeedTraining:
    """Train one network.

    Args:
        config: The configuration of the run.
        data: The prepared data.
        forecaster: Makes the validation forecasts, so that validation never touches the training state.
        seed: Decides initial weights, batch order and dropout: equal seeds give equal numbers on one machine.
        on_epoch: Told about every finished epoch.

    Returns:
        The trained network's weights and its losses.

    Raises:
        TrainingError: If a loss is not a finite number.
    """
    start = time.perf_counter()
    keras.utils.set_random_seed(seed)
    network = build_training_network(config, *data.windows.interface)
    network.compile(
        optimizer=make_optimizer(config.training),
        # Divides by the sum of weights: padding of weight 0 leaves the mean of the real windows.
        loss=_HeadLoss(data.head.training_loss(config), reduction="mean_with_sample_weight"),
        weighted_metrics=None if data.lanes is None else [_window_loss(config, data)],
        jit_compile=False,  # compiling costs more than it saves in a step this small
        steps_per_execution=steps_per_call(data.lanes, -(-len(data.windows.train) // config.batch_size)),
    )
    recorder = _EpochRecorder(config, data, forecaster, seed)
    callbacks: list[keras.callbacks.Callback] = [
        recorder,
        keras.callbacks.LearningRateScheduler(lambda epoch: float(rate_of_epoch(config.training, epoch))),
    ]
    stopping = None
    if config.training.patience is not None:
        stopping = keras.callbacks.EarlyStopping(
            "val_loss", patience=config.training.patience, mode="min", restore_best_weights=True
        )
        callbacks.append(stopping)
    if data.lanes is None:
        feed = feed_shuffled(data.windows, config.batch_size, seed, lambda: recorder.epoch)
    else:
        feed = feed_lanes(data.windows, data.lanes)
        callbacks.append(_StateResets(data.lanes))
    callbacks.append(_EpochTeller(recorder, config.training.epochs, on_epoch))
    network.fit(feed, epochs=config.training.epochs, shuffle=False, verbose=0, callbacks=callbacks)
    return SeedTraining(
        seed=seed,
        weights=network.get_weights(),
        losses=recorder.losses,
        val_losses=recorder.val_losses,
        kept_epoch=stopping.best_epoch + 1 if stopping is not None else len(recorder.losses),
        seconds=time.perf_counter() - start,
    )


def make_optimizer(training: TrainingConfig) -> keras.optimizers.Optimizer:
    """Return the optimizer of a training, with the learning rate of its first epoch."""
    own = {"rho": training.rho} if training.optimizer is Optimizer.rmsprop else {}
    if training.optimizer is not Optimizer.sgd:
        own["epsilon"] = training.epsilon
    return _OPTIMIZERS[training.optimizer](
        learning_rate=float(rate_of_epoch(training, 0)), global_clipnorm=training.clip_norm, **own
    )


def steps_per_call(lanes: Batches | None, num_batches: int) -> int:
    """Return how many batches Keras may run per call from Python without passing over a reset of the state.

    Args:
        lanes: The lanes of a stateful network; None for a stateless one.
        num_batches: Batches per epoch of a stateless network.

    Returns:
        At most 64; every reset falls on a multiple of it.
    """
    if lanes is None:
        return min(_STEPS_PER_CALL, num_batches)
    distance = math.gcd(*(int(batch) for batch in np.flatnonzero(lanes.resets)))
    if distance == 0:  # one group of lanes: the only reset comes before the first batch
        return min(_STEPS_PER_CALL, len(lanes.resets))
    return max(count for count in range(1, _STEPS_PER_CALL + 1) if distance % count == 0)


def _window_loss(config: Config, data: PreparedData) -> keras.metrics.Metric:
    return keras.metrics.MeanMetricWrapper(data.head.training_loss(config), name=_WINDOW_LOSS)


class _HeadLoss(keras.losses.Loss):
    """The training loss of a head as Keras wants it."""

    def __init__(self, loss: TrainingLoss, reduction: str = "sum_over_batch_size") -> None:
        super().__init__(reduction=reduction)
        self._loss = loss

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._loss(y_true, y_pred)


class _StateResets(keras.callbacks.Callback):
    """Sets the state to zero where a group of lanes begins, every epoch."""

    def __init__(self, lanes: Batches) -> None:
        super().__init__()
        self._first_batches = {int(batch) for batch in np.flatnonzero(lanes.resets)}

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        if batch in self._first_batches:
            reset_states(self.model)


class _EpochRecorder(keras.callbacks.Callback):
    """Adds `val_loss` to the logs that later callbacks see, and keeps the losses."""

    def __init__(self, config: Config, data: PreparedData, forecaster: Forecaster, seed: int) -> None:
        super().__init__()
        self.epoch = 0
        self.losses: list[float] = []
        self.val_losses: list[float] = []
        self._loss = _HeadLoss(data.head.kept_loss(config))
        self._starts = data.windows.validation
        self._targets = data.windows.gather_last_targets(self._starts)  # (validation windows, horizon_steps x targets)
        self._forecaster = forecaster
        self.seed = seed

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        check_interrupt()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        assert logs is not None
        forecasts = self._forecaster.forecast(self.model.get_weights(), self._starts)
        logs["val_loss"] = float(self._loss(self._targets, forecasts))
        self.losses.append(float(logs.get(_WINDOW_LOSS, logs["loss"])))
        self.val_losses.append(logs["val_loss"])
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["val_loss"])):
            raise TrainingError(describe_divergence(self.seed, epoch + 1, logs["loss"], logs["val_loss"]))


class _EpochTeller(keras.callbacks.Callback):
    """Reports each epoch; comes last, when early stopping has decided."""

    def __init__(self, recorder: _EpochRecorder, epochs: int, on_epoch: OnEpoch) -> None:
        super().__init__()
        self._recorder = recorder
        self._epochs = epochs
        self._on_epoch = on_epoch

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        losses = self._recorder.losses[-1], self._recorder.val_losses[-1]
        last = self.model.stop_training or epoch + 1 == self._epochs
        self._on_epoch(EpochReport(self._recorder.seed, epoch + 1, *losses, last))
