"""The computed series: each answer follows from the inputs by a loop that anybody can read."""

from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import COMPUTED, DatasetConfig, Source
from pipeline.data.computed import compute_table


def dataset(source: Source, **settings: Any) -> DatasetConfig:
    return DatasetConfig(**{"name": source.value, "source": source, "length": 60} | settings)


@pytest.mark.parametrize("delay", [1, 4, 7, 80])
def test_copy_is_the_signal_of_delay_steps_ago(delay: int) -> None:
    """Breaks the lesson of the delayed copy: a window would know the answer, or no memory could."""
    table = compute_table(dataset(Source.delayed_copy, delay=delay))
    signal, copy = table["signal"].to_numpy(), table["copy"].to_numpy()
    assert len(signal) == len(copy) == 60
    for row in range(delay, 60):
        assert copy[row] == signal[row - delay]
    assert np.abs(signal).max() <= 1
    assert len(set(signal)) == 60  # no value announces another


@pytest.mark.parametrize("delay", [1, 3, 4, 9])
def test_total_is_the_sum_of_the_two_last_marked_values(delay: int) -> None:
    """Breaks the lesson of the adding problem: the target would not be what its name says, or would need the future."""
    table = compute_table(dataset(Source.adding, delay=delay))
    marked: list[float] = []
    for row, (value, marker, total) in enumerate(table[["value", "marker", "total"]].to_numpy()):
        if len(marked) >= 2:
            assert total == pytest.approx(marked[-1] + marked[-2])
        if marker == 1:
            marked.append(value)
        assert row < 2 * delay + 1 or len(marked) >= 2
    blocks = table["marker"].to_numpy()[: 60 // delay * delay].reshape(-1, delay)
    assert (blocks.sum(axis=1) == 1).all()  # one mark in every block


def test_season_follows_the_pulse() -> None:
    """Breaks the lesson of the phase: the pulse would not say where the wave begins."""
    table = compute_table(dataset(Source.seasonal_phase, period=12))
    since = 0
    for step, (pulse, season) in enumerate(table[["pulse", "season"]].to_numpy()):
        since = 0 if pulse == 1 else since + 1
        assert pulse == (step % 12 == 0)
        assert season == pytest.approx(np.sin(2 * np.pi * since / 12))


@pytest.mark.parametrize("source", COMPUTED)
def test_every_call_gives_the_same_rows(source: Source) -> None:
    """Breaks repeating a run: the data would be others in every process, or a longer series other from its start on."""
    table = compute_table(dataset(source, noise=0.5))
    assert table.equals(compute_table(dataset(source, noise=0.5)))
    lanes = table.groupby("shop") if "shop" in table else [("", table)]
    assert len(table) == 60 and all(lane["step"].tolist() == list(range(len(lane))) for _, lane in lanes)
    assert table.columns[0] == "step"


def test_sales_follow_from_size_and_promotion_and_nothing_announces_one() -> None:
    """Breaks the lesson of the shops: the past would say what only who knows it ahead can know."""
    table = compute_table(dataset(Source.shops, length=1600))
    for number, (_, shop) in enumerate(table.groupby("shop")):
        footfall, promotion, size, sales = shop[["footfall", "promotion", "size", "sales"]].to_numpy().T
        np.testing.assert_allclose(sales[1:], 2 * size[1:] + 4 * promotion[1:] + footfall[:-1])
        assert (size == number + 1).all() and len(shop) == 200
        for cause in (promotion[:-1], footfall[:-1], sales[:-1]):
            assert abs(np.corrcoef(cause, promotion[1:])[0, 1]) < 0.25
