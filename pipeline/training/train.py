"""Train every seed of a run with the configured engine."""

import gc
import time
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from pipeline.config.schema import Config
from pipeline.data.arrays import FloatArray
from pipeline.data.prepared import PreparedData
from pipeline.training.engine import Choice, choose_engine
from pipeline.training.fit import train_seed
from pipeline.training.forecaster import Forecaster
from pipeline.training.fused import train_fused
from pipeline.training.online import train_online
from pipeline.training.record import OnEpoch, SeedTraining


@dataclass(frozen=True)
class Training:
    """All seeds of a run, trained.

    Attributes:
        choice: Which engine trained them, and why.
        seeds: One record per seed.
        forecasts: Scaled outputs of every seed at every window; online, before it learnt from it. Shape (seeds,
            windows, outputs).
        fit_seconds: Wall time of training all seeds, compilation included; with the fused engine, where groups of seeds
            train and forecast side by side, the forecasts as well.
    """

    choice: Choice
    seeds: list[SeedTraining]
    forecasts: FloatArray
    fit_seconds: float


def train_seeds(config: Config, data: PreparedData, on_epoch: OnEpoch) -> Training:
    """Train `config.seeds` networks, with seed, seed+1, ..., and forecast every window with each.

    Raises:
        UserError: If the engine asked for cannot train the network.
        TrainingError: If a loss is not a finite number with the engine fit. The fused engine goes on with the other
            seeds, and the record of the one that failed says so.
    """
    keras.backend.clear_session()  # a sweep runs many jobs in one process: without this its memory grows
    start = time.perf_counter()
    choice = choose_engine(config, data)
    if choice.network is not None:
        train = train_online if config.training.online else train_fused
        seeds, forecasts = train(config, data, choice.network, on_epoch)
        return Training(choice, seeds, forecasts, time.perf_counter() - start)
    forecaster = Forecaster(config, data.windows)
    numbers = range(config.seed, config.seed + config.seeds)
    seeds = [train_seed(config, data, forecaster, seed, on_epoch) for seed in numbers]
    fit_seconds = time.perf_counter() - start
    forecasts = np.stack([forecaster.forecast(seed.weights, data.windows.starts) for seed in seeds])
    return Training(choice, seeds, forecasts, fit_seconds)


def start_tensorflow() -> None:
    """Make TensorFlow look for devices now, so that what it says about them comes at a known moment; errors only."""
    tf.get_logger().setLevel("ERROR")  # every job of a sweep traces its functions anew, and is meant to
    tf.config.list_physical_devices()
    if not gc.get_freeze_count():  # what is loaded now stays: clearing a session need not search it for garbage, 0.3 s
        gc.freeze()
