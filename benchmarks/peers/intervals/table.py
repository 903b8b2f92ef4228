"""The table of CRPS and coverage: of each horizon and group of sets, over those that every contender has forecast."""

import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.peers.intervals.scores import SCORED

Record = Mapping[str, object]
REFERENCE = "seasonal_naive"  # whose CRPS is 1 on every set
_NAMES = [f"{100 * share:g}" for share in SCORED]


def describe_table(records: Iterable[Record], horizon: int, names: Sequence[str]) -> str:
    """Return the table of one horizon, the lowest mean CRPS first.

    Args:
        records: Lines of results; each with `set`, `horizon`, `contender`, and either scores or `error`.
        horizon: Steps ahead.
        names: The sets that count.

    Returns:
        Of each contender: CRPS over that of the seasonal naive on the same set, in the mean and the geometric mean over
        the sets; on how many it has the lowest; coverage of both intervals in the mean over the sets, and how far a
        set's coverage is from what it should be, in the mean, in points.
    """
    found, contenders, failed = _read_scores(records, horizon, names)
    common = {name: each for name, each in found.items() if len(each) == len(contenders)}
    lines = [f"{horizon} steps ahead, {len(common)} sets that every contender has forecast, of {len(names)}"]
    if common:
        columns = [f"covers {name}{'off by':>8}" for name in _NAMES]
        lines.append(f"{'contender':<28}{'mean CRPS':>10}{'geometric':>11}{'lowest':>8}  {'  '.join(columns)}{'s':>8}")
    ratios = {name: find_ratios(each) for name, each in common.items()}
    rows = []
    for contender in contenders if common else []:
        own = [each[contender] for each in ratios.values()]
        wins = sum(each[contender] == min(each.values()) for each in ratios.values())
        told = [_describe_coverage([each[contender] for each in common.values()], share) for share in SCORED]
        seconds = statistics.mean(float(str(each[contender]["seconds"])) for each in common.values())
        scores = f"{statistics.mean(own):>10.3f}{statistics.geometric_mean(own):>11.3f}{wins:>8}"
        rows.append((statistics.mean(own), f"{contender:<28}{scores}  {'  '.join(told)}{seconds:>8.1f}"))
    lines += [line for _, line in sorted(rows)]
    return "\n".join([*lines, *([f"failed: {', '.join(failed)}"] if failed else [])])


def describe_pairs(records: Iterable[Record], horizon: int, names: Sequence[str], ours: str) -> str:
    """Return the table of one contender against each other one, over the sets that both have forecast."""
    found, contenders, _ = _read_scores(records, horizon, names)
    lines = [
        f"{horizon} steps ahead, {ours} against each other one, on the sets that both have forecast",
        f"{'contender':<28}{'sets':>5}{'mean CRPS':>11}{ours:>10}{'geometric':>11}{ours:>10}{'worse than ' + ours:>21}",
    ]
    for contender in contenders:
        ratios = [find_ratios(each) for each in found.values() if {contender, ours, REFERENCE} <= set(each)]
        if contender == ours or not ratios:
            continue
        theirs, mine = ([each[who] for each in ratios] for who in (contender, ours))
        worse = sum(their > my for their, my in zip(theirs, mine, strict=True))
        lines.append(
            f"{contender:<28}{len(ratios):>5}{statistics.mean(theirs):>11.3f}{statistics.mean(mine):>10.3f}"
            f"{statistics.geometric_mean(theirs):>11.3f}{statistics.geometric_mean(mine):>10.3f}"
            f"{f'{worse} ({worse / len(ratios):.0%})':>21}"
        )
    return "\n".join(lines)


def find_ratios(scores: Mapping[str, Record]) -> dict[str, float]:
    """Return the CRPS of each contender on one set, over that of the seasonal naive."""
    return {who: float(str(each["crps"])) / float(str(scores[REFERENCE]["crps"])) for who, each in scores.items()}


def _describe_coverage(records: Sequence[Record], share: float) -> str:
    covered = [100 * float(str(each[f"coverage_{100 * share:g}"])) for each in records]
    off = statistics.mean(abs(each - 100 * share) for each in covered)
    return f"{statistics.mean(covered):>9.1f}{off:>8.1f}"


def _read_scores(
    records: Iterable[Record], horizon: int, names: Sequence[str]
) -> tuple[dict[str, dict[str, Record]], list[str], list[str]]:
    """Return the scores of each set by contender, the contenders, and what failed."""
    chosen = [each for each in records if each["horizon"] == horizon and each["set"] in names]
    found: dict[str, dict[str, Record]] = {}
    for each in chosen:
        if "crps" in each:
            found.setdefault(str(each["set"]), {})[str(each["contender"])] = each
    failed = [f"{each['contender']} on {each['set']}" for each in chosen if "error" in each]
    return found, list(dict.fromkeys(str(each["contender"]) for each in chosen)), failed
