"""Find the thresholds of pipeline.evaluation.alarm: false alarms of errors that never change, by how many were known.

    python benchmarks/alarm.py            about five minutes

Each lane has its own errors before, of a normal distribution: by ranks, any other gives the same. It prints the false
alarms in 10,000 rows of a lane by threshold, and the rows until a shift of one deviation is found.
"""

import numpy as np

from pipeline.evaluation import alarm

LANES, ROWS = 1000, 10_000
TRIED = {20: (14, 16, 18, 20), 30: (12, 13, 14, 15), 50: (10, 10.5, 11, 12), 80: (9, 9.5, 10, 10.5)} | {
    127: (8.5, 9, 9.5, 10), 250: (8, 8.5, 9, 9.5), 500: (8, 8.25, 8.5, 9), 1000: (7.75, 8, 8.25, 8.5)
}  # fmt: skip


def main() -> None:
    alarm.MOST_OF_MANY = max(TRIED)
    random = np.random.default_rng(0)
    for known, tried in TRIED.items():
        before = alarm.measure_errors(list(random.normal(size=(LANES, known, 1))), targets=1)
        rates = count_alarms(before, np.array(tried), random) / LANES
        delay = find_delay(before, alarm.find_threshold(known), random)
        shown = "  ".join(f"{threshold:g}: {rate:.2f}" for threshold, rate in zip(tried, rates, strict=True))
        print(f"{known:>5} errors before   {shown}   shift of 1 found after {delay:g} rows")


def count_alarms(before: alarm.ErrorsBefore, thresholds: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Return how many alarms began in all lanes, by threshold."""
    lanes, kinds = np.arange(LANES), len(thresholds)
    sums, last = np.zeros((kinds, LANES, 3)), np.full((kinds, LANES), -alarm.QUIET)
    alarms = np.zeros(kinds)
    for row in range(ROWS):
        scores = before.score(lanes, random.normal(size=(LANES, 1)))
        sums = alarm.advance_sums(sums, scores)
        above = sums.max(axis=2) > thresholds[:, None]
        alarms += (above & (row - last >= alarm.QUIET)).sum(axis=1)
        sums[above], last[above] = 0.0, row
    return alarms


def find_delay(before: alarm.ErrorsBefore, threshold: float, random: np.random.Generator) -> float:
    """Return the median of the rows until errors that have moved by one deviation are an alarm."""
    lanes, sums, found = np.arange(LANES), np.zeros((LANES, 3)), np.full(LANES, np.inf)
    for row in range(1, 1000):
        sums = alarm.advance_sums(sums, before.score(lanes, random.normal(1.0, 1.0, size=(LANES, 1))))
        found[(sums.max(axis=1) > threshold) & np.isinf(found)] = row
    return float(np.median(found))


if __name__ == "__main__":
    main()
