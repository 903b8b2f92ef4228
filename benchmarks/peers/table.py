"""MASE of the forecasts that were written, and the table over all sets."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np


def compute_mase(values: np.ndarray, forecasts: np.ndarray, start: int, period: int) -> float:
    """Return the mean absolute scaled error, the mean over the series of a panel.

    Args:
        values: The whole set, in its own units. Shape (time, series).
        forecasts: Of the test part. Shape (test, series).
        start: First step of the test part.
        period: Time steps of a season. One is the error, on the part before the test, of repeating the last season.

    Raises:
        ValueError: If a forecast is missing: a contender is scored on every step or not at all.

    Example:
        >>> compute_mase(np.array([[1.0], [2.0], [4.0], [5.0]]), np.array([[7.0]]), 3, 1)  # 2 off; past steps: 1, 2
        1.3333333333333333

    Source:
        Hyndman and Koehler (2006), Another look at measures of forecast accuracy.
    """
    past, actual = values[:start], values[start:]
    if forecasts.shape != actual.shape:
        raise ValueError(f"a forecast is missing: {forecasts.shape} steps and series instead of {actual.shape}")
    if missing := int((~np.isfinite(forecasts)).sum()):
        raise ValueError(f"a forecast is missing: {missing} of {forecasts.size} are no numbers")
    scale = np.abs(past[period:] - past[:-period]).mean(axis=0)  # (series,)
    return float((np.abs(actual - forecasts).mean(axis=0) / scale).mean())


def read_records(path: Path) -> list[dict[str, object]]:
    """Read the results: one line of JSON for each set, horizon and contender; of a repeated one the last line."""
    lines = path.read_text().splitlines() if path.exists() else []
    records = [json.loads(line) for line in lines]
    return list({(each["set"], each["horizon"], each["contender"]): each for each in records}.values())


def describe_table(records: Iterable[Mapping[str, object]], horizon: int, names: Sequence[str]) -> str:
    """Return the table of one horizon, over those of the sets that every contender has forecast.

    Args:
        records: With `set`, `horizon`, `contender` and either `mase`, `seconds` and `megabytes`, or `error`.
        horizon: Steps ahead.
        names: The sets that count.
    """
    chosen = [each for each in records if each["horizon"] == horizon and each["set"] in names]
    contenders = list(dict.fromkeys(each["contender"] for each in chosen))
    scores: dict[object, dict[object, Mapping[str, object]]] = {}
    for each in chosen:
        if "mase" in each:
            scores.setdefault(each["set"], {})[each["contender"]] = each
    common = {name: found for name, found in scores.items() if len(found) == len(contenders)}
    failed = [f"{each['contender']} on {each['set']}" for each in chosen if "error" in each]
    lines = [f"{horizon} steps ahead, {len(common)} sets that every contender has forecast, of {len(names)}"]
    if common:
        lines.append(f"{'contender':<16}{'mean MASE':>11}{'median':>9}{'wins':>6}{'seconds':>10}{'MB':>7}")
    wins = count_wins([{name: each["mase"] for name, each in found.items()} for found in common.values()])
    rows = []
    for contender in contenders if common else []:
        mase, seconds, megabytes = (
            [found[contender][key] for found in common.values()] for key in ("mase", "seconds", "megabytes")
        )
        rows.append(
            (
                statistics.mean(mase),
                f"{contender:<16}{statistics.mean(mase):>11.3f}{statistics.median(mase):>9.3f}"
                f"{wins.get(contender, 0):>6}{statistics.mean(seconds):>10.1f}{max(megabytes):>7.0f}",
            )
        )
    lines += [line for _, line in sorted(rows)]
    return "\n".join([*lines, *([f"failed: {', '.join(failed)}"] if failed else [])])


def describe_pairs(records: Iterable[Mapping[str, object]], horizon: int, names: Sequence[str], ours: str) -> str:
    """Return the table of one contender against each other one, over the sets that both have forecast.

    Args:
        records: As of `describe_table`.
        horizon: Steps ahead.
        names: The sets that count.
        ours: The contender that the others are compared with.
    """
    scores: dict[object, dict[object, Mapping[str, object]]] = {}
    for each in records:
        if each["horizon"] == horizon and each["set"] in names and "mase" in each:
            scores.setdefault(each["contender"], {})[each["set"]] = each
    own = scores.pop(ours, {})
    lines = [
        f"{horizon} steps ahead, {ours} against each other one, on the sets that both have forecast",
        f"{'contender':<16}{'sets':>5}{'mean MASE':>11}{ours:>9}{'median':>9}{ours:>9}{'worse than ' + ours:>20}"
        f"{'seconds':>10}{ours:>9}",
    ]
    for contender, found in scores.items():
        both = [(found[name], own[name]) for name in found if name in own]
        if not both:
            continue
        (mase, our_mase), (seconds, our_seconds) = (
            tuple(zip(*((theirs[key], mine[key]) for theirs, mine in both), strict=True)) for key in ("mase", "seconds")
        )
        worse = sum(theirs > mine for theirs, mine in zip(mase, our_mase, strict=True))
        lines.append(
            f"{contender:<16}{len(both):>5}{statistics.mean(mase):>11.3f}{statistics.mean(our_mase):>9.3f}"
            f"{statistics.median(mase):>9.3f}{statistics.median(our_mase):>9.3f}"
            f"{f'{worse} ({worse / len(both):.0%})':>20}"
            f"{statistics.mean(seconds):>10.1f}{statistics.mean(our_seconds):>9.1f}"
        )
    return "\n".join(lines)


def count_wins(scores: Iterable[Mapping[str, float]]) -> dict[str, int]:
    """Count on how many sets each contender has the lowest score; equal ones all win.

    Example:
        >>> count_wins([{"a": 1.0, "b": 2.0}, {"a": 3.0, "b": 3.0}])
        {'a': 2, 'b': 1}
    """
    wins: dict[str, int] = {}
    for each in scores:
        lowest = min(each.values())
        for name in (name for name, score in each.items() if score == lowest):
            wins[name] = wins.get(name, 0) + 1
    return wins
