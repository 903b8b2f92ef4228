"""Simulate a sweep of 10,000 jobs on clusters of 1 to 100 nodes that fail: how long, how well used, how much is lost.

python benchmarks/simulation.py                        some seconds; the same numbers each time
python benchmarks/simulation.py --times 1              jobs as short as those that were measured
python benchmarks/simulation.py --between 24 --mend 60    other hours between failures of a node, minutes to mend it

A node trains one job at a time, and does what the launchers do: its worker starts, takes the job that has waited
longest, and keeps what it has finished. A node that fails loses the job that it is at; that is noticed, the job waits
again, and at its second death it is given up; the node is mended and starts a worker. When all jobs are finished or
given up, the command ends, and the same words with resume=true train what was given up, until nothing is left.

Seconds of jobs, and of the start of a worker, are those that benchmarks/capacity.py measured.
"""

import argparse
import heapq
import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.launching.answers import ATTEMPTS

NODES = (1, 2, 5, 10, 20, 50, 100)
JOBS = 10_000
HOUR, MINUTE = 3600.0, 60.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"of the sweep (default {JOBS})")
    parser.add_argument("--times", type=float, default=20, help="as long as the measured ones are jobs (default 20)")
    parser.add_argument(
        "--between", type=float, nargs="+", default=[100, 10, 1], help="hours between failures of a node"
    )
    parser.add_argument("--mend", type=float, default=10, help="minutes until a node that failed is there (default 10)")
    parser.add_argument("--stragglers", type=float, default=0.01, help="share of jobs that take 3 times as long")
    parser.add_argument("--seed", type=int, default=1, help="of chance (default 1)")
    parser.add_argument("--measured", type=Path, default=Path(__file__).with_name("capacity.json"))
    arguments = parser.parse_args()
    measured = json.loads(arguments.measured.read_text()).values()
    chance = random.Random(arguments.seed)
    jobs = [arguments.times * chance.choice([each["seconds"] for each in measured]) for _ in range(arguments.jobs)]
    start = statistics.median(each["start"] for each in measured)
    print(f"{len(jobs)} jobs of {min(jobs):.0f} to {max(jobs):.0f} s, {sum(jobs) / HOUR:.0f} h of one node together")
    head = f"{'failures of a node':<22}{'nodes':>6}{'makespan, h':>13}{'speedup':>9}{'efficiency':>12}{'lost':>8}"
    print(f"{head}{'commands':>10}")
    for hours in (None, *arguments.between):
        for nodes in NODES:
            life = None if hours is None else hours * HOUR
            cluster = Cluster(nodes, start, life, arguments.mend * MINUTE, stragglers=arguments.stragglers)
            told = "never" if hours is None else f"every {hours:g} h"
            print_outcome(told, simulate(jobs, cluster, arguments.seed))


def print_outcome(told: str, outcome: "Outcome") -> None:
    speedup = outcome.useful / outcome.makespan
    cells = f"{outcome.makespan / HOUR:>13.1f}{speedup:>9.1f}{outcome.efficiency:>12.1%}{outcome.share_lost:>8.1%}"
    print(f"{told:<22}{outcome.nodes:>6}{cells}{outcome.commands:>10}")


@dataclass(frozen=True)
class Cluster:
    """Nodes that are alike, but for chance.

    Attributes:
        nodes: Number of them.
        start: Seconds from an empty node to a worker that is ready: a process, TensorFlow, MLflow.
        between_failures: Mean seconds of work between two failures of a node, exponentially distributed; None: never.
        mend: Seconds until a failed node can be started again.
        notice: Seconds until the command knows that a node failed: its job waits for that.
        stragglers: Share of the jobs that take longer than they should.
        slower: How many times longer those take.
    """

    nodes: int
    start: float = 0.0
    between_failures: float | None = None
    mend: float = 600.0
    notice: float = 30.0
    stragglers: float = 0.0
    slower: float = 3.0


@dataclass
class Outcome:
    """What became of a sweep.

    Attributes:
        nodes: Of the cluster.
        makespan: Seconds from the first command to the end of the last.
        useful: Seconds of all jobs, without what makes stragglers longer.
        lost: Seconds of jobs that a failure took.
        commands: The first one, and those with resume=true.
        failures: Of nodes that were at a job.
        finished: How often each job was finished.
    """

    nodes: int
    makespan: float = 0.0
    useful: float = 0.0
    lost: float = 0.0
    commands: int = 0
    failures: int = 0
    finished: list[int] = field(default_factory=list)

    @property
    def efficiency(self) -> float:
        """Return the share of the time of all nodes in which they did what counts."""
        return self.useful / (self.nodes * self.makespan)

    @property
    def share_lost(self) -> float:
        """Return the share of the work that was done in vain."""
        return self.lost / (self.useful + self.lost)


def simulate(jobs: Sequence[float], cluster: Cluster, seed: int) -> Outcome:
    """Train all jobs, with as many commands as that takes.

    Args:
        jobs: Seconds of each, in the order in which they are begun.
        cluster: That trains them.
        seed: Of what is left to chance.
    """
    chance = random.Random(seed)
    factors = [cluster.slower if chance.random() < cluster.stragglers else 1.0 for _ in jobs]
    taken = [seconds * factor for seconds, factor in zip(jobs, factors, strict=True)]
    outcome = Outcome(cluster.nodes, useful=sum(jobs), finished=[0] * len(jobs))
    left = list(range(len(jobs)))
    while left:
        outcome.commands += 1
        left = _run_command(left, taken, cluster, chance, outcome)
    return outcome


def _run_command(
    left: Sequence[int], taken: Sequence[float], cluster: Cluster, chance: random.Random, outcome: Outcome
) -> list[int]:
    """Train what is left; return the jobs that were given up, and let the makespan be the end of the command."""
    begun = outcome.makespan
    waiting = [(begun, place, job) for place, job in enumerate(left)]  # (known since, order, job), a heap
    free = [(begun + cluster.start, node) for node in range(cluster.nodes)]  # (when, node), a heap
    fails = {node: when + _draw_life(cluster, chance) for when, node in free}
    deaths: dict[int, int] = {}
    given_up = []
    while waiting:
        now, node = heapq.heappop(free)
        known, order, job = heapq.heappop(waiting)
        now = max(now, known)
        if fails[node] <= now:  # while it had nothing to do
            heapq.heappush(waiting, (known, order, job))
            _mend(node, cluster, chance, free, fails)
            continue
        if fails[node] >= now + taken[job]:
            outcome.finished[job] += 1
            outcome.makespan = max(outcome.makespan, now + taken[job])
            heapq.heappush(free, (now + taken[job], node))
            continue
        outcome.failures += 1
        outcome.lost += fails[node] - now
        deaths[job] = deaths.get(job, 0) + 1
        noticed = fails[node] + cluster.notice
        outcome.makespan = max(outcome.makespan, noticed)
        if deaths[job] < ATTEMPTS:
            heapq.heappush(waiting, (noticed, order, job))
        else:
            given_up.append(job)
        _mend(node, cluster, chance, free, fails)
    return given_up


def _draw_life(cluster: Cluster, chance: random.Random) -> float:
    return float("inf") if cluster.between_failures is None else chance.expovariate(1 / cluster.between_failures)


def _mend(
    node: int, cluster: Cluster, chance: random.Random, free: list[tuple[float, int]], fails: dict[int, float]
) -> None:
    ready = fails[node] + cluster.mend + cluster.start
    fails[node] = ready + _draw_life(cluster, chance)
    heapq.heappush(free, (ready, node))


if __name__ == "__main__":
    main()
