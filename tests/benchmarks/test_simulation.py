"""The simulation of a sweep on nodes that fail: what must hold for any jobs and any chance."""

import random

import pytest

from benchmarks.simulation import HOUR, Cluster, simulate

JOBS = [random.Random(7).uniform(10, 500) for _ in range(300)]


def test_one_node_without_failures_takes_the_sum_of_the_jobs() -> None:
    """Every figure is off: seconds are counted twice, or a start for each job."""
    alone = simulate(JOBS, Cluster(1, start=9.0), 1)
    assert alone.makespan == pytest.approx(9.0 + sum(JOBS))
    assert simulate(JOBS, Cluster(1), 1).efficiency == pytest.approx(1.0)


@pytest.mark.parametrize("nodes", [2, 7, 300, 500])
def test_nodes_are_never_worth_more_than_their_number(nodes: int) -> None:
    """The table promises what no cluster can do; or nodes stand idle while jobs wait."""
    outcome = simulate(JOBS, Cluster(nodes), 1)
    assert outcome.makespan >= max(sum(JOBS) / nodes, max(JOBS)) - 1e-6
    assert outcome.makespan <= sum(JOBS) / nodes + max(JOBS)  # Graham's bound for taking jobs as they come
    assert outcome.share_lost == 0 and outcome.commands == 1


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("nodes", [1, 9])
def test_each_job_is_done_once_whatever_fails(nodes: int, seed: int) -> None:
    """A job is forgotten after its second death, or counted twice, and work that was lost costs nothing."""
    fragile = Cluster(nodes, 9.0, between_failures=HOUR / 4, stragglers=0.1)
    outcome = simulate(JOBS, fragile, seed)
    assert outcome.finished == [1] * len(JOBS)
    assert outcome.failures > 50 and outcome.commands > 1
    assert outcome.lost > 0
    assert outcome.nodes * outcome.makespan >= outcome.useful + outcome.lost + outcome.failures * fragile.start


def test_chance_is_the_seed() -> None:
    """A table cannot be made again."""
    fragile = Cluster(5, 9.0, between_failures=HOUR, stragglers=0.1)
    assert simulate(JOBS, fragile, 3) == simulate(JOBS, fragile, 3) != simulate(JOBS, fragile, 4)


def test_failures_that_are_rarer_cost_less() -> None:
    """The mean time between failures is used the wrong way round."""
    lost = [simulate(JOBS, Cluster(5, between_failures=hours * HOUR), 1).share_lost for hours in (0.5, 5, 500)]
    assert lost[0] > lost[1] > lost[2]
