"""One training: the losses it reports, and the numbers every optimizer, loss and clipping must give."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from pipeline.base.errors import TrainingError
from pipeline.config.schema import Horizons, Loss, Optimizer, Scaler
from pipeline.models.keras_network import build_training_network
from pipeline.training.fit import train_seed
from pipeline.training.forecaster import Forecaster

RATE = 0.01


def mean_loss(loss: Loss, errors: np.ndarray) -> float:
    formula = {
        Loss.mse: lambda e: e**2,
        Loss.mae: np.abs,
        Loss.huber: lambda e: np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5),
        Loss.log_cosh: lambda e: np.log(np.cosh(e)),
    }[loss]
    return float(formula(errors.astype(float)).mean())


def initial_weights(config, windows) -> list[np.ndarray]:
    keras.utils.set_random_seed(config.seed)
    return build_training_network(config, windows.num_features, windows.num_outputs).get_weights()


@pytest.mark.parametrize(
    ("optimizer", "loss", "largest_step"),
    [
        (Optimizer.sgd, Loss.mse, None),  # rate * g, checked below
        pytest.param(
            Optimizer.rmsprop, Loss.mae, RATE * np.sqrt(10), marks=pytest.mark.thorough
        ),  # rate * g / sqrt(0.1 g^2)
        pytest.param(Optimizer.adam, Loss.huber, RATE, marks=pytest.mark.thorough),  # rate * g / sqrt(g^2)
        (Optimizer.adamw, Loss.log_cosh, RATE),
    ],
)
def test_one_step_of_every_optimizer_with_every_loss(
    optimizer, loss, largest_step, make_config, make_data, ignore_epoch
) -> None:
    """training.optimizer or training.loss would not be what it says, with all horizons and two targets."""
    config = make_config(
        horizon=2,
        batch_size=64,  # every training window: one gradient step
        dataset={"horizons": Horizons.all, "features": ["a", "b"], "targets": ["a", "b"], "scaler": Scaler.none},
        training={"optimizer": optimizer, "loss": loss, "learning_rate": RATE, "epochs": 1, "clip_norm": None},
    )
    windows = make_data(config).windows
    forecaster = Forecaster(config, windows)
    before = initial_weights(config, windows)
    first_errors = forecaster.forecast(before, windows.train) - windows.gather_targets(windows.train)
    trained = train_seed(config, make_data(config), forecaster, config.seed, ignore_epoch)
    forecasts = forecaster.forecast(trained.weights, windows.starts)
    last_errors = forecaster.forecast(trained.weights, windows.validation) - windows.gather_targets(windows.validation)

    assert forecasts.shape == (len(windows.starts), 4)
    assert np.abs(first_errors).max() > 1  # both branches of huber
    assert trained.losses == pytest.approx([mean_loss(loss, first_errors)], rel=1e-5)
    assert trained.val_losses == pytest.approx([mean_loss(loss, last_errors)], rel=1e-5)
    steps = np.concatenate([(after - start).ravel() for after, start in zip(trained.weights, before, strict=True)])
    if largest_step is None:
        # The head's bias moves by the gradient of the mean square, 2 * error / outputs; clip_norm is off.
        expected = -RATE * 2 * first_errors.mean(axis=0) / 4
        np.testing.assert_allclose(trained.weights[-1] - before[-1], expected, rtol=1e-3)
    else:
        assert np.abs(steps).max() == pytest.approx(largest_step, rel=0.01)


@pytest.mark.parametrize("stateful", [False, True])
def test_losses_are_means_over_windows_that_count(stateful, make_config, make_data, ignore_epoch) -> None:
    """The learning curve and MLflow would show another loss: padding, filled values or a smaller batch distort it."""
    config = make_config(
        look_back=2,
        stateful=stateful,
        return_sequences=True,
        batch_size=2 if stateful else 5,
        training={"optimizer": Optimizer.sgd, "learning_rate": 1e-12, "epochs": 1},
    )
    filled = np.zeros((41, 1), dtype=bool)
    filled[8:12] = stateful  # makes windows of weight 0 in the middle of a lane
    data = make_data(config, np.random.default_rng(0).normal(size=(41, 1)), filled)
    network = build_training_network(config, 1, 1)
    network.set_weights(initial_weights(config, data.windows))
    if stateful:
        assert data.lanes.num_padded > 1
        plan = zip(data.lanes.starts, data.lanes.weights > 0, strict=True)
    else:
        plan = [(data.windows.train, slice(None))]
        assert len(data.windows.train) % 5 > 0  # the last batch is smaller
    errors = [
        (network(data.windows.gather_inputs(starts)).numpy() - data.windows.gather_targets(starts))[counted]
        for starts, counted in plan
    ]
    trained = train_seed(config, data, Forecaster(config, data.windows), config.seed, ignore_epoch)
    assert trained.losses == pytest.approx([mean_loss(Loss.mse, np.concatenate(errors))], rel=1e-4)


def test_gradients_are_clipped_by_their_global_norm(make_config, make_data, ignore_epoch) -> None:
    """training.clip_norm would have no effect, or clip each weight by itself and change the direction."""
    config = make_config(
        batch_size=64, training={"optimizer": Optimizer.sgd, "learning_rate": 1.0, "epochs": 1, "clip_norm": 0.01}
    )
    data = make_data(config)
    before = initial_weights(config, data.windows)
    network = build_training_network(config, 1, 1)
    network.set_weights(before)
    with tf.GradientTape() as tape:
        outputs = network(data.windows.gather_inputs(data.windows.train))
        loss = tf.reduce_mean((outputs - data.windows.gather_targets(data.windows.train)) ** 2)
    gradient = np.concatenate([np.ravel(part) for part in tape.gradient(loss, network.trainable_variables)])
    after = train_seed(config, data, Forecaster(config, data.windows), config.seed, ignore_epoch).weights
    step = np.concatenate([(new - old).ravel() for new, old in zip(after, before, strict=True)])

    assert np.linalg.norm(gradient) > 0.1
    np.testing.assert_allclose(step, -0.01 * gradient / np.linalg.norm(gradient), atol=1e-6)


def test_a_loss_that_is_not_a_number_fails_the_run(make_config, make_data, ignore_epoch) -> None:
    """A diverged network would be scored, logged and ranked as if it had been trained."""
    config = make_config(
        seed=5,
        dataset={"scaler": Scaler.none},
        training={"optimizer": Optimizer.sgd, "learning_rate": 1e30, "clip_norm": None},
    )
    data = make_data(config, np.random.default_rng(0).normal(size=(40, 1)) * 1e3)
    with pytest.raises(TrainingError, match=r"seed 5: in epoch 1 the loss is (nan|inf).*lower training\.learning_rate"):
        train_seed(config, data, Forecaster(config, data.windows), config.seed, ignore_epoch)
