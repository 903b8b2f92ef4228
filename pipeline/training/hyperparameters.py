"""The numbers of a training that change no shape: arguments of the compiled program, not part of it.

So one program trains a configuration with any of their values, and several values side by side; and a value gives the
same bits alone and in company.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from pipeline.config.schema import Config, TrackingConfig

_HELD_BY_ARGUMENTS = math.nan  # a program that read it all the same would train to nothing but NaN


class Hyperparameters(NamedTuple):
    """One number for each seed of a group. Each (seeds,); where a configuration has null, it is not read.

    Attributes:
        learning_rate: Of the first epochs.
        decay: By which it is multiplied after each later epoch.
        decay_after: The epochs before it decays.
        clip_norm: Largest norm of a gradient.
        rho: Of RMSprop.
        epsilon: Of RMSprop, Adam and AdamW.
        dropout: Share of the inputs of a recurrent layer that is dropped.
        patience: Epochs without a better validation loss after which a seed stops; int32.
        epochs: After which it stops anyway; int32.
    """

    learning_rate: Any
    decay: Any
    decay_after: Any
    clip_norm: Any
    rho: Any
    epsilon: Any
    dropout: Any
    patience: Any
    epochs: Any


def stack_hyperparameters(configs: Sequence[Config]) -> Hyperparameters:
    """Return the numbers of a configuration for each seed of a group, as arrays of shape (seeds,)."""

    def stack(name: str, kind: type = np.float32) -> Any:
        values = (getattr(config.training, name) for config in configs)
        return np.array([0 if value is None else value for value in values], kind)

    return Hyperparameters(
        learning_rate=stack("learning_rate"),
        decay=stack("decay"),
        decay_after=stack("decay_after"),
        clip_norm=stack("clip_norm"),
        rho=stack("rho"),
        epsilon=stack("epsilon"),
        dropout=np.array([config.model.dropout for config in configs], np.float32),
        patience=stack("patience", np.int32),
        epochs=stack("epochs", np.int32),
    )


def without_hyperparameters(config: Config) -> Config:
    """Return a configuration with its hyperparameters, its seeds and where it is recorded left out.

    Configurations for which this is equal are trained by one program, on the same data. What is null stays null, and a
    dropout of 0 stays 0: that is another program.
    """
    training, held = config.training, _HELD_BY_ARGUMENTS
    return replace(
        config,
        seed=0,
        seeds=1,
        resume=False,
        experiment=None,
        debug=None,
        model=replace(config.model, dropout=held if config.model.dropout > 0 else 0.0),
        training=replace(
            training,
            learning_rate=held,
            decay=held,
            decay_after=0,
            clip_norm=None if training.clip_norm is None else held,
            rho=held,
            epsilon=held,
            patience=None if training.patience is None else 0,
            epochs=0,
            all_rows=False,  # what is trained afterwards
        ),
        tracking=TrackingConfig(),
    )
