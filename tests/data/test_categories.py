"""dataset.categories: each value is an input of its own, learnt from the training part; others are not guessed."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Normalise, Source, Transform, Unseen
from pipeline.data.future_file import add_beyond
from pipeline.data.known_ahead import carry_ahead
from pipeline.data.prepare import prepare_data
from pipeline.data.prepared import PreparedData
from pipeline.data.series import Series
from pipeline.data.series_file import read_series, write_series
from pipeline.data.sources import load_series
from pipeline.explanation.facts.explanation import explain

WEATHER = (["sun", "rain", "rain", "fog"] * 10)[:40]
SALES = np.random.default_rng(0).uniform(1, 9, size=40).round(3)


def configure(path: Path, **settings: Any) -> Config:
    chosen = {"time_column": "day", "targets": ["sales"], "features": ["sales"], "future": ["weather"]} | settings
    dataset = DatasetConfig(name="ice", source=Source.file, path=str(path), categories=["weather"], **chosen)
    return Config(dataset=dataset)


def write(folder: Path, weather: list[str], ahead: list[str] = []) -> Path:  # noqa: B006
    days = pd.date_range("2024-01-01", periods=len(weather) + len(ahead)).strftime("%Y-%m-%d")
    sales = [*SALES.astype(str)[: len(weather)], *[""] * len(ahead)]
    rows = [f"{day},{sold},{kind}" for day, sold, kind in zip(days, sales, weather + ahead, strict=True)]
    file = folder / "ice.csv"
    file.write_text("\n".join(["day,sales,weather", *rows]) + "\n")
    return file


def prepare(path: Path, **settings: Any) -> tuple[Series, PreparedData]:
    config = configure(path, **settings)
    series = load_series(config.dataset)
    return series, prepare_data(config, series)


def test_an_embedding_is_explained(tmp_path: Path) -> None:
    """Nobody could see that values become learnt numbers, and how many."""
    config = replace(configure(write(tmp_path, WEATHER)), model=ModelConfig(embedding=2))
    facts = explain(config, prepare_data(config, load_series(config.dataset)))
    assert any("2 learnt number(s) stand for each value of weather (3 values)" in each for each in facts.answers)
    table = facts.layers[0]
    assert (table.name, table.formula, table.num_parameters) == ("categories", "3 x 2", 6)
    assert {each.name: each.shape for each in facts.tensors}["categories"] == (3, 5)  # sales, 2 of today, 2 of tomorrow


@pytest.mark.parametrize("known", ["future", "features"])
def test_each_value_is_an_input_that_nothing_changes(tmp_path: Path, known: str) -> None:
    """A category would be a number, of which twice as much means something; or be scaled, or differenced away."""
    where = {"future": ["weather"]} if known == "future" else {"future": [], "features": ["weather", "sales"]}
    file = write(tmp_path, WEATHER, ["fog", "sun"] if known == "future" else [])
    _, data = prepare(file, transforms=[Transform.log, Transform.difference], normalise=Normalise.window_last, **where)
    series, names = data.series, ("weather=fog", "weather=rain", "weather=sun")
    assert series.columns == series.features == ("sales", *names)
    assert series.untransformed == series.unscaled == names
    expected = np.array([[kind == name.partition("=")[2] for name in names] for kind in WEATHER], float)
    np.testing.assert_array_equal(data.windows.inputs[:, 1:4], expected)
    assert data.windows.spec.untouched == (6 if known == "future" else 3)
    if known == "future":
        assert data.windows.spec.carried == tuple(f"{name}+1" for name in names)
        np.testing.assert_array_equal(carry_ahead(series, 2)[-1], [1, 0, 0, 0, 0, 1])


def test_a_value_that_training_lacks_is_refused_or_none_of_the_known(tmp_path: Path) -> None:
    """A network would answer to a value with a weight that was never learnt."""
    file = write(tmp_path, [*WEATHER[:-1], "snow"])
    with pytest.raises(
        UserError, match=r"data row 40: the column 'weather' holds snow, but the training part only fog, "
    ):
        prepare(file)
    _, data = prepare(file, unseen=Unseen.unknown)
    np.testing.assert_array_equal(data.series.values[-1, 1:], [0, 0, 0])
    series = load_series(configure(write(tmp_path, WEATHER)).dataset)
    hail = pd.DataFrame({"day": ["2024-02-10"], "weather": ["hail"]})
    given = add_beyond(series, configure(file).dataset, hail)
    with pytest.raises(UserError, match="beyond its end: the column 'weather' holds hail"):
        prepare_data(configure(file), given)
    known = prepare_data(configure(file, unseen=Unseen.unknown), given).series.known_beyond(0)
    np.testing.assert_array_equal(known, [[0, 0, 0]])


def test_numbers_may_be_codes_and_what_is_read_travels(tmp_path: Path) -> None:
    """A worker would read other values; or code 10 would be ten times code 1."""
    series, data = prepare(write(tmp_path, [str(10 ** (number % 3)) for number in range(40)]))
    assert data.series.columns[1:] == ("weather=1", "weather=10", "weather=100")
    (arrived,) = read_series(write_series({"": series})).values()
    assert (arrived.levels, arrived.digest()) == (series.levels, series.digest())
    assert data.series.digest() == series.digest()  # which the next command finds in the file
    other = load_series(configure(write(tmp_path, [str(number % 3) for number in range(40)])).dataset)
    assert other.digest() != series.digest()


@pytest.mark.parametrize(
    ("weather", "settings", "complaint"),
    [
        (["sun"] * 40, {}, "'weather' of dataset.categories is the same in the whole training part"),
        (["", *WEATHER[1:]], {}, "data row 1: the column 'weather' has no value"),
        (WEATHER, {"future": ["wether"]}, "dataset.future names the column 'wether'"),
    ],
)
def test_what_cannot_be_learnt_from_is_refused(
    tmp_path: Path, weather: list[str], settings: dict[str, Any], complaint: str
) -> None:
    """A network is trained on an input that says nothing."""
    with pytest.raises(UserError, match=complaint):
        prepare(write(tmp_path, weather), **settings)
