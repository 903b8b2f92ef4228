"""Measure whether hard_sigmoid, the gates of Keras 1 and 2, explains the scores that the airline tutorial printed.

    python benchmarks/tutorial_gates.py [SEEDS]

Trains two of its recipes with both kinds of gates on the same seeds, from 1000 on, and prints mean, range, and how many
per cent of the seeds score as low as the published number.
"""
# ruff: noqa: E402 - the environment is prepared before TensorFlow is imported

import sys

import numpy as np

from pipeline.base.environment import hushed_stderr, prepare_environment

prepare_environment()

with hushed_stderr():
    import tensorflow as tf

from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore

from pipeline.base.paths import conf_dir
from pipeline.config.schema import Cell, Config, typed_config
from pipeline.data.prepare import prepare_data
from pipeline.evaluation.alignment import align_outputs, take_truth
from pipeline.evaluation.scores import score_seed
from pipeline.models import cells
from pipeline.studies.published import PUBLISHED, Place
from pipeline.training.train import train_seeds

VARIANTS = ("tutorial_regression", "tutorial_stateful")
SIGMOID = cells.CELL_RULES[Cell.lstm]


def forward_hard(x, inner, states):
    """One step of an LSTM whose gates are min(max(0.2 x + 0.5, 0), 1); see cells.py for what is saved."""

    def gate(z):
        return tf.clip_by_value(0.2 * z + 0.5, 0.0, 1.0)

    def slope(z):
        return tf.where(tf.abs(z) < 2.5, 0.2, 0.0)

    i, f, g, o = tf.split(x + inner, 4, -1)  # each (seeds, rows, units)
    candidate = tf.tanh(g)
    c = gate(f) * states[1] + gate(i) * candidate
    squashed = tf.tanh(c)
    by_g, by_c = gate(i) * (1 - candidate**2), gate(o) * (1 - squashed**2)
    saved = (candidate * slope(i), states[1] * slope(f), by_g, squashed * slope(o), by_c, gate(f))
    return (gate(o) * squashed, c), saved


HARD = cells.CellRule(SIGMOID.gates, SIGMOID.num_states, SIGMOID.num_saved, forward_hard, SIGMOID.backward)


def main() -> None:
    seeds = sys.argv[1] if len(sys.argv) > 1 else "256"
    ConfigStore.instance().store(name="base_config", node=Config)
    for variant in VARIANTS:
        for name, rule in (("sigmoid", SIGMOID), ("hard_sigmoid", HARD)):
            cells.CELL_RULES[Cell.lstm] = rule
            with initialize_config_dir(version_base="1.3", config_dir=str(conf_dir())):
                overrides = [f"experiment={variant}", f"seeds={seeds}", "seed=1000"]
                config = typed_config(compose("config", overrides=overrides))
            data = prepare_data(config)
            training = train_seeds(config, data, lambda report: None)
            truth = take_truth(data)
            scores = [score_seed(truth, align_outputs(data, each)) for each in training.forecasts]
            for part in ("train", "test"):
                ours = np.array([score[f"{part}_rmse"] for score in scores])
                place = Place(getattr(PUBLISHED[variant], part), ours)
                print(
                    f"{variant:20} {name:13} {part:5} published {place.published:.2f}  ours {ours.mean():.2f} "
                    f"({ours.min():.2f} to {ours.max():.2f})  as low: {place.percentile:.0f} %",
                    flush=True,
                )


if __name__ == "__main__":
    main()
