"""Train every seed of a run, or of several side by side, with the configured engine."""

import gc
import time
from collections.abc import Callable, Sequence
from functools import cache

import keras
import numpy as np
import tensorflow as tf

from pipeline.base.programs import forget_programs
from pipeline.config.schema import Config
from pipeline.data.prepared import PreparedData
from pipeline.training.cores import count_cores
from pipeline.training.devices import Placement, place_training, train_as_fits
from pipeline.training.engine import Choice, choose_engine
from pipeline.training.fit import train_seed
from pipeline.training.forecaster import Forecaster
from pipeline.training.fused import train_fused
from pipeline.training.groups import Job, seeds_per_group
from pipeline.training.hyperparameters import without_hyperparameters
from pipeline.training.online import train_online
from pipeline.training.programs import Programs
from pipeline.training.record import OnEpoch, Training


def train_seeds(config: Config, data: PreparedData, on_epoch: OnEpoch) -> Training:
    """Train `config.seeds` networks, with seed, seed+1, ..., and forecast every window with each.

    Args:
        config: The configuration.
        data: The prepared data.
        on_epoch: Told about finished epochs.

    Raises:
        UserError: If the engine asked for cannot train the network.
        TrainingError: If a loss is not a finite number with the engine fit. The fused engine goes on with the other
            seeds, and the record of the one that failed says so.
    """
    with Programs() as programs:
        return train_side_by_side([Job(config, data)], programs, on_epoch)[0]


def train_side_by_side(jobs: Sequence[Job], programs: Programs, on_epoch: OnEpoch) -> list[Training]:
    """Train several configurations that one program can train, together.

    Each has the same bits as if it were trained alone. What the engine `fit` trains, and training.online, is trained
    one after another.

    Args:
        jobs: Configurations that differ only in what `without_hyperparameters` leaves out, and their data. With the
            very same data they share the calls of the program.
        programs: What is compiled; it stays open for the next jobs.
        on_epoch: Told about finished epochs.

    Returns:
        One training per job, in their order.

    Raises:
        UserError: As `train_seeds`.
        TrainingError: As `train_seeds`.
        ValueError: If the configurations differ in more.
    """
    if len({repr(without_hyperparameters(job.config)) for job in jobs}) != 1:
        raise ValueError("jobs that are trained side by side may differ in hyperparameters and seeds only")
    keras.backend.clear_session()  # a sweep runs many jobs in one process: without this its memory grows
    start = time.perf_counter()
    first = jobs[0]
    choice = choose_engine(first.config, first.data)
    asked, seeds = first.config.training.device, sum(job.config.seeds for job in jobs)
    placement = place_training(first.config, first.data)
    network = choice.network
    if network is None or first.config.training.online:
        return [_train_alone(choice, placement, job, on_epoch) for job in jobs]
    found, placement = train_as_fits(
        placement, asked, seeds, lambda place: train_fused(jobs, network, programs, place, on_epoch)
    )
    share = (time.perf_counter() - start) / sum(len(seeds) for seeds, _ in found)
    return [
        Training(choice.engine, choice.reason, placement.tell(), seeds, forecasts, share * len(seeds))
        for seeds, forecasts in found
    ]


def train_or_again(
    jobs: Sequence[Job], programs: Programs, on_epoch: OnEpoch, tell: Callable[[str], None]
) -> list[Training]:
    """Train side by side; where compiled programs could not be read or kept, forget them, say so and train again."""
    try:
        return train_side_by_side(jobs, programs, on_epoch)
    except Exception as error:
        programs.close()
        if (told := forget_programs(str(error))) is None:
            raise
    tell(told)
    return train_side_by_side(jobs, programs, on_epoch)


def most_side_by_side(config: Config, data: PreparedData) -> int:
    """Return how many seeds are worth training side by side: two calls for every core, or what fits into a GPU."""
    network = None if config.training.online else choose_engine(config, data).network
    if network is None:
        return 1
    most = place_training(config, data).most_seeds
    return 2 * count_cores() * seeds_per_group(config, network) if most is None else most


def _train_alone(choice: Choice, placement: Placement, job: Job, on_epoch: OnEpoch) -> Training:
    start, config, data = time.perf_counter(), job.config, job.data
    if (network := choice.network) is not None:
        (seeds, forecasts), placement = train_as_fits(
            placement,
            config.training.device,
            config.seeds,
            lambda place: train_online(config, data, network, place, on_epoch),
        )
        seconds = time.perf_counter() - start
        return Training(choice.engine, choice.reason, placement.tell(), seeds, forecasts, seconds)
    with tf.device(placement.name):
        return _train_by_keras(choice, placement, job, on_epoch)


def _train_by_keras(choice: Choice, placement: Placement, job: Job, on_epoch: OnEpoch) -> Training:
    start, config, data = time.perf_counter(), job.config, job.data
    forecaster = Forecaster(config, data.windows)
    numbers = range(config.seed, config.seed + config.seeds)
    seeds = [train_seed(config, data, forecaster, seed, on_epoch) for seed in numbers]
    fit_seconds = time.perf_counter() - start
    forecasts = np.stack([forecaster.forecast(seed.weights, data.windows.starts) for seed in seeds])
    return Training(choice.engine, choice.reason, placement.tell(), seeds, forecasts, fit_seconds)


@cache  # counting what is frozen takes 0.06 s, in every job of a sweep
def start_tensorflow() -> None:
    """Make TensorFlow look for devices now, so that what it says about them comes at a known moment; errors only."""
    tf.get_logger().setLevel("ERROR")  # every job of a sweep traces its functions anew, and is meant to
    tf.config.list_physical_devices()
    gc.freeze()  # what is loaded now stays: clearing a session need not search it for garbage, 0.3 s
