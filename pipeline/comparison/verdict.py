"""What the evidence supports, in a sentence or two: the same for `run`, for the report and for `compare`.

The network is chosen by validation and judged on the test part, over its timestamps and over the seeds.
"""

from collections.abc import Sequence

from pipeline.baselines.registry import find_strongest, phrase_baseline
from pipeline.comparison.configurations import Configuration
from pipeline.comparison.pairwise import Comparison, Rival
from pipeline.comparison.sentences import doubt_of, label, rounds_to_nothing, say_evidence
from pipeline.config.keys import label_run

_NOTHING = "No baseline was logged and nothing else was trained, so there is nothing to compare."
_CELLS = {"lstm": "LSTM", "gru": "GRU", "simple_rnn": "simple RNN"}


def state_verdict(
    configurations: Sequence[Configuration],
    baselines: Sequence[Comparison],
    others: Sequence[Comparison],
    rivals: Sequence[Rival],
) -> tuple[str, ...]:
    """Say whether the network beats the strongest baseline, and what sets it apart from the other configurations.

    Args:
        configurations: The lowest validation score first.
        baselines: The first configuration with each baseline.
        others: Every other configuration with the first.
        rivals: The baselines, in the order of `baselines`.

    Returns:
        One or two sentences, the more important one first.
    """
    sentences = []
    if baselines:
        place = find_strongest([each.second_rmse for each in baselines])
        sentences.append(_against_baseline(configurations, baselines[place], rivals[place]))
    if others:
        sentences.append(_among(configurations, others))
    return tuple(sentences) or (_NOTHING,)


def describe_margin(score: float, baseline: float) -> str:
    """Say how far a score is from a baseline: `4 % worse`, `12 % better`, `8 times worse`, `on par`.

    Example:
        >>> [describe_margin(score, 100.0) for score in (104.0, 80.0, 800.0, 100.3)]
        ['4 % worse', '20 % better', '8 times worse', 'on par']
    """
    if rounds_to_nothing(abs(score - baseline), baseline):
        return "on par"
    if score < baseline:
        return f"{(1 - score / baseline) * 100:.0f} % better"
    if score < 3 * baseline:
        return f"{(score / baseline - 1) * 100:.0f} % worse"
    return f"{score / baseline:.0f} times worse" if score < 1000 * baseline else "over 1000 times worse"


def _against_baseline(configurations: Sequence[Configuration], found: Comparison, rival: Rival) -> str:
    best = configurations[0]
    baseline = phrase_baseline(rival.name, rival.look_back)
    network = _name_network(best)
    margin = describe_margin(found.first_rmse, found.second_rmse)
    doubt = doubt_of(found)
    if margin == "on par":
        return f"The best {network}, chosen by validation, is on par with {baseline}{f': {doubt}' if doubt else ''}."
    if found.difference < 0:
        if not doubt:
            return (
                f"The best {network}, chosen by validation, beats {baseline}: it is {margin} ({say_evidence(found)})."
            )
        return f"The best {network} is not distinguishable from {baseline}: it is {margin}, but {doubt}."
    how = f"is {margin}" if not doubt else f"is {margin}, but not distinguishable from it: {doubt}"
    luckier = [each for each in configurations[1:] if each.test_rmse.mean < found.second_rmse]
    if luckier:
        return (
            f"The best {network}, chosen by validation, compared with {baseline}, {how}; "
            f"{label(luckier[0].parameters)} has a lower test score than that, but nothing before the test says so."
        )
    return f"No configuration beats {baseline}; the best {network}, {how}."


def _name_network(configuration: Configuration) -> str:
    """Name the network by its cell and by what sets it apart: `LSTM, look_back=3 stateful=false`."""
    params = configuration.cells[0].runs[0].record.params
    cell = _CELLS.get(params.get("model.cell", ""), params.get("model.cell", "network"))
    return f"{cell}, {label_run(params, tuple(configuration.parameters))}"


def _among(configurations: Sequence[Configuration], others: Sequence[Comparison]) -> str:
    worse = sum(each.evidence and each.difference > 0 for each in others)
    better = sum(each.evidence and each.difference < 0 for each in others)
    counts = {
        "worse with evidence": worse,
        "better with evidence (but nothing before the test says which)": better,
        "not distinguishable from it": len(others) - worse - better,
    }
    told = [f"{count} {'is' if count == 1 else 'are'} {what}" for what, count in counts.items() if count]
    many = f"{len(others)} other configurations" if len(others) > 1 else "one other configuration"
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    return f"Of {many}, compared with {label(configurations[0].parameters)}: {listed}."
