"""What jobs cost: the fit, and the claim of docs/explanation/capacity.md about it."""

import random
from dataclasses import replace

import pytest

from benchmarks.capacity import MEASURED, WITHIN, draw_job, measure_all
from benchmarks.job_cost import fit_factors, list_bytes, list_seconds, predict

FITTED, CHECKED = 30, 10


def test_a_fit_finds_the_factors_that_made_the_numbers() -> None:
    """Factors belong to other terms, or one that counts nothing gets a share."""
    factors = {"job": 2.0, "step": 1e-6, "nothing": 0.0}
    chance = random.Random(1)
    terms = [{"job": 1.0, "step": chance.uniform(1e4, 1e8), "nothing": chance.uniform(1, 1e3)} for _ in range(9)]
    assert fit_factors(terms, [predict(factors, each) for each in terms]) == pytest.approx(factors, rel=1e-6, abs=1e-9)


def test_more_work_is_never_cheaper() -> None:
    """A job of more epochs, or of more seeds, is said to cost less: a term counts the wrong way."""
    chance = random.Random(1)
    for measured in measure_all([draw_job(chance) for _ in range(FITTED)], MEASURED):
        longer = replace(measured.size, epochs=2 * measured.size.epochs)
        wider = replace(measured.size, seeds=2 * measured.size.seeds, groups=2 * measured.size.groups)
        for more in (longer, wider):
            pairs = zip(list_seconds(measured.size).values(), list_seconds(more).values(), strict=True)
            assert all(few <= many for few, many in pairs)


@pytest.mark.parametrize(("terms", "taken"), [(list_seconds, "seconds"), (list_bytes, "peak")])
def test_jobs_that_were_not_fitted_are_predicted_within_30_per_cent(terms, taken: str) -> None:
    """The page about capacity says more than the model holds."""
    chance = random.Random(1)
    measured = measure_all([draw_job(chance) for _ in range(FITTED + CHECKED)], MEASURED)
    sizes, real = [terms(each.size) for each in measured], [getattr(each, taken) for each in measured]
    factors = fit_factors(sizes[:FITTED], real[:FITTED])
    assert min(factors.values()) >= 0
    ratios = [predict(factors, size) / each for size, each in zip(sizes[FITTED:], real[FITTED:], strict=True)]
    assert sum(abs(ratio - 1) <= WITHIN for ratio in ratios) == CHECKED
