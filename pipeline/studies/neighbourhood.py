"""Runs on tiny shakespeare -> the newest of each configuration -> what others report beside it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun, Status
from pipeline.base.study import NeighbourDocument, NeighbourRow, TextRun
from pipeline.base.text import show_number
from pipeline.config.keys import CONFIGURATION, label_run, role_of, varying_keys
from pipeline.models.heads.token import NATS
from pipeline.studies.neighbours import NEIGHBOURS, Neighbour, list_differences
from pipeline.studies.text_protocol import describe_protocol, find_way

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

_TEXT = "packaged:tinyshakespeare.txt.xz"
_FILES = ("seeds.csv", "history.csv")
_SENTENCES = (
    "Numbers of others are read, not measured: no protocol is quite ours, and a difference of a few hundredths means "
    "little. A training loss says what is remembered: a long training takes it far below what unseen text costs, "
    "and on when that has begun to rise.",
    "The split matters more than most networks: by lanes the plays that are scored are trained on as well; at the end "
    "of the text a play is new, and costs the n-gram model much more.",
)


def place_neighbours(store: "Store", runs: Sequence[LoggedRun], selection: str) -> NeighbourDocument:
    """Place what others report beside the newest run of each configuration on tiny shakespeare, by characters.

    Args:
        store: Where the runs are.
        runs: Any runs; those that did not finish, or read something else, are passed over.
        selection: What was chosen, in words.

    Raises:
        UserError: If there is no such run, or one lacks its files.
    """
    from pipeline.tracking.artifacts import run_folders

    newest = newest_runs(runs)
    if not newest:
        raise UserError(
            f"no run of {selection} finished on tiny shakespeare by characters; train one, python -m pipeline.run "
            "experiment=char_rnn, or shakespeare_smoke, which takes seconds"
        )
    labels = label_runs(newest)
    with run_folders(store, newest, _FILES) as folders:
        placed = [_place(run, label, folder) for run, label, folder in zip(newest, labels, folders, strict=True)]
    return NeighbourDocument(selection, tuple(placed), _SENTENCES)


def newest_runs(runs: Sequence[LoggedRun]) -> list[LoggedRun]:
    """Return the newest finished run of each configuration that reads tiny shakespeare, the oldest of these first."""
    found: dict[tuple[tuple[str, str], ...], LoggedRun] = {}
    for run in sorted(runs, key=lambda each: each.started):
        params = run.record.params
        by_characters = params.get("dataset.path") == _TEXT and params.get("dataset.token") == "char"
        if run.record.status is Status.finished and by_characters:
            key = tuple(sorted((key, value) for key, value in params.items() if role_of(key) in CONFIGURATION))
            found.pop(key, None)
            found[key] = run
    return list(found.values())


def label_runs(runs: Sequence[LoggedRun]) -> list[str]:
    """Name each run by its preset, and by what sets it apart where several have the same one."""
    presets = [run.record.params.get("experiment", "None") for run in runs]
    labels = []
    for run, preset in zip(runs, presets, strict=True):
        alike = [other.record.params for other, same in zip(runs, presets, strict=True) if same == preset]
        name = [] if preset == "None" else [preset]
        keys = varying_keys(alike)
        labels.append(" ".join([*name, label_run(run.record.params, keys)] if keys or not name else name))
    return labels


def _place(run: LoggedRun, label: str, folder: Path) -> TextRun:
    params, metrics = run.record.params, run.record.metrics
    seeds, history = pd.read_csv(folder / _FILES[0]), pd.read_csv(folder / _FILES[1])
    kept = seeds.merge(history, left_on=["seed", "kept_epoch"], right_on=["seed", "epoch"])
    tests = seeds[NATS.of("test")].tolist()
    protocol = describe_protocol(params)
    ngram = run.record.baseline("kneser_ney")
    return TextRun(
        run=run.record.run_id,
        label=label,
        network=protocol["network"],
        seeds=tuple(map(int, seeds["seed"])),
        train=float(kept["loss"].mean()),
        validation=run.record.score("validation"),
        test=run.record.score("test"),
        std=metrics.get(f"{NATS.of('test')}_std"),
        epochs=tuple(map(int, seeds["epochs"])),
        seconds=metrics["fit_seconds"],
        ngram=ngram,
        ngram_order=int(metrics["kneser_ney_order"]),
        neighbours=tuple(_compare(each, protocol) for each in NEIGHBOURS if _stands_beside(each, params)),
        sentence=describe_rivals(f"{label} ({protocol['network']})", tests, ngram),
    )


def _stands_beside(neighbour: Neighbour, params: Mapping[str, str]) -> bool:
    at_end = params.get("dataset.split", "end") == "end"
    return find_way(params) in neighbour.ways and (at_end or not neighbour.ends)


def _compare(neighbour: Neighbour, protocol: Mapping[str, str]) -> NeighbourRow:
    return NeighbourRow(
        name=neighbour.name,
        network=neighbour.protocol["network"],
        train=neighbour.train,
        validation=neighbour.validation,
        differences=list_differences(neighbour.protocol, protocol),
        source=neighbour.source,
        quote=neighbour.quote,
    )


def describe_rivals(label: str, tests: Sequence[float], ngram: float) -> str:
    """Say whether the network beats the n-gram model on the same test part, seed by seed.

    Args:
        label: The run.
        tests: Nats per character of each seed. Shape (seeds,).
        ngram: Nats per character of the n-gram model.

    Example:
        >>> describe_rivals("a", [1.5, 1.7], 1.6)
        'a: does not clearly beat the n-gram model on the same test part: 1 of 2 seeds do (1.600 nats against 1.600)'
    """
    better = sum(test < ngram for test in tests)
    mean = sum(tests) / len(tests)
    by = f"{show_number(abs(1 - mean / ngram) * 100, 2)} %"
    if better == len(tests):
        told = f"beats the n-gram model on the same test part by {by}"
    elif better == 0:
        told = f"does NOT beat the n-gram model on the same test part: it is {by} worse"
    else:
        told = f"does not clearly beat the n-gram model on the same test part: {better} of {len(tests)} seeds do"
    return f"{label}: {told} ({show_number(mean)} nats against {show_number(ngram)})"
