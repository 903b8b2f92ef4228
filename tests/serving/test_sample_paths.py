"""Sample paths: what may come, as often as the head says, and not more; steps add up as they should."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from pipeline.base.errors import UserError
from pipeline.config.schema import HeadName, Scaler, Transform
from pipeline.evaluation.conformal import Conformal
from pipeline.serving.free_run import BACKTEST, FUTURE, forecast_steps, sample_steps
from pipeline.serving.lanes import warm_lanes
from pipeline.serving.model import ServedModel, make_model

MakeServed = Callable[..., ServedModel]
LEVELS = [0.1, 0.5, 0.9]
GAUSSIAN = {"head": HeadName.gaussian, "quantiles": LEVELS}
CHANGES = {"transforms": [Transform.difference]}


def always(model: ServedModel, *said: float) -> ServedModel:
    """Return a network that says the same of every row: numbers of the last dense layer."""
    weights = [np.zeros(np.shape(each)) for each in model.weights]
    weights[-1] = np.array(said)
    return make_model(model.config, model.data, model.seed, weights, model.digest)


def softplus_inverse(scale: float) -> float:
    return float(np.log(np.expm1(scale)))


def last_values(table: pd.DataFrame, step: int) -> np.ndarray:
    return table.loc[table["step"] == step, "value"].to_numpy()


def test_quantiles_of_many_steps_are_not_the_sums_of_quantiles(make_served: MakeServed) -> None:
    """Changes would be added up quantile by quantile: after 9 steps three times too wide."""
    model = always(make_served(model=GAUSSIAN, dataset=CHANGES), 0.0, softplus_inverse(1.0))
    (offset,), (scale,) = model.data.scaling.offset[0], model.data.scaling.scale[0]
    last = model.data.series.values[-1, 0]
    table = forecast_steps(model, 9)
    future = table[table["part"] == FUTURE]
    steps = np.arange(1, 10)
    width = (future["quantile_0.9"] - future["quantile_0.1"]).to_numpy()
    one = 2 * norm.ppf(0.9) * scale
    np.testing.assert_allclose(width, one * np.sqrt(steps), rtol=0.1)
    assert width[-1] < 0.4 * one * 9  # what summing would say
    np.testing.assert_allclose(future["quantile_0.5"], last + offset * steps, atol=0.35 * scale)
    drawn = last_values(sample_steps(model, 9, 2000, seed=3), 9) - last - 9 * offset
    assert np.std(drawn) == pytest.approx(3 * scale, rel=0.06)
    assert np.mean(drawn <= 9 * scale * norm.ppf(0.9)) > 0.99  # 90 % of what comes lie below the sum of quantiles: no


@pytest.mark.parametrize("head", ["gaussian", "student_t", "quantile", "negative_binomial"])
def test_the_first_step_is_what_the_head_says(head: str, make_served: MakeServed) -> None:
    """Paths are drawn from another row, lane or unit than the forecast, or too few of them lie far out."""
    counts = head == "negative_binomial"
    lanes = ("x", "y")
    dataset = {"scaler": Scaler.none} if counts else {"transforms": [Transform.log]}
    model = make_served(lanes=lanes, model={"head": HeadName[head], "quantiles": LEVELS}, dataset=dataset)
    said = warm_lanes(model)
    ends = np.array([rows.stop for rows in model.data.series.slices()])
    before = type(said)(model)
    before.read_history((ends - 1).tolist())
    answers = before.advance_answers(np.arange(2), model.data.rows[ends - 1])[:, 0, 0]  # (lanes, levels)
    table = sample_steps(model, 2, 400, seed=1)
    assert list(table.columns) == ["path", "lane", "timestamp", "step", "target", "value"]
    assert len(table) == 400 * 2 * 2 and table["path"].nunique() == 400
    for lane, quantiles in zip(lanes, answers, strict=True):
        drawn = last_values(table[table["lane"] == lane], 1)
        below = [np.mean(drawn <= each) for each in quantiles]
        if counts:  # a count is exceeded less often than the level asks for
            assert (np.array(below) >= np.array(LEVELS) - 0.01).all() and (drawn == np.round(drawn)).all()
        else:
            assert below == pytest.approx(LEVELS, abs=0.01)


def test_paths_of_a_point_head_repeat_its_errors(make_served: MakeServed) -> None:
    """A path would stray by what the network was never wrong by, in another unit, or by the errors of another lane."""
    model = make_served(rows=60, lanes=("x", "y"), dataset={"transforms": [Transform.log]})
    table, data, windows = sample_steps(model, 3, 500, seed=1), model.data, model.data.windows
    forecasts = forecast_steps(model, 3)
    for number, lane in enumerate(("x", "y")):
        mine = data.series.series_of_rows()[windows.validation] == number
        starts = windows.validation[mine]
        outputs = model.network.answer(windows.gather_inputs(starts))
        errors = (windows.gather_last_targets(starts) - outputs)[:, 0] * data.scaling.scale[0, 0]  # of logarithms
        rows = forecasts[(forecasts["lane"] == lane) & (forecasts["part"] == FUTURE)]
        away = np.log(last_values(table[table["lane"] == lane], 1) / rows["free_run"].iloc[0])
        assert np.abs(away[:, None] - errors).min(axis=1).max() < 1e-5
        assert len(np.unique(away.round(5))) == len(np.unique(errors.round(5)))  # every one comes in 500 paths
    assert np.std(last_values(table, 2)) > 0


def test_equal_seeds_give_equal_paths(make_served: MakeServed) -> None:
    """Nobody can look at the same paths again; or all seeds give the same ones."""
    model = make_served(model=GAUSSIAN)
    one, same, other = (sample_steps(model, 4, 5, seed)["value"].to_numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert (one != other).all()


def test_intervals_of_a_free_run_do_not_believe_a_head_that_is_too_sure(make_served: MakeServed) -> None:
    """A head that says half the scale of what comes gets free runs with intervals half as wide as they must be."""
    widths = []
    for scale in (1.0, 0.5):
        model = always(make_served(rows=120, model=GAUSSIAN, dataset=CHANGES), 0.0, softplus_inverse(scale))
        model = replace(model, conformal=Conformal.begin((0.8,), [1], 1, 1, sure=True))
        table = forecast_steps(model, 3)
        future = table[table["part"] == FUTURE]
        widths.append(
            [(future["high_80"] - future["low_80"]).mean(), (future["quantile_0.9"] - future["quantile_0.1"]).mean()]
        )
        back = table[table["part"] == BACKTEST]
        assert back["low_80"].notna().all() and (back["low_80"] < back["high_80"]).all()
    (whole, said), (half, half_said) = widths
    assert half_said == pytest.approx(said / 2, rel=0.01)
    assert half == pytest.approx(whole, rel=0.15)


def test_paths_that_nobody_could_feed_are_refused(make_served: MakeServed) -> None:
    """A path is drawn from features that stay what they were, or from two errors of a point head."""
    with pytest.raises(UserError, match=r"samples=5 needs a free run, but nobody knows the next values of b; make"):
        sample_steps(make_served(dataset={"features": ["a", "b"], "targets": ["a"]}), 2, 5, 1)
    with pytest.raises(UserError, match="drawn from the errors of the validation part, of which there are 3, where 8"):
        sample_steps(make_served(rows=20), 2, 5, 1)
