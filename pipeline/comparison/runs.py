"""The story of a comparison: runs -> same values scored? -> seeds pooled -> statistics -> one document."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.base.document import Document
from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, LoggedRun, Status, TestErrors
from pipeline.base.text import show_setting, suggest, unquote
from pipeline.config.keys import CONFIGURATION, rank_key, role_of, varying_keys

if TYPE_CHECKING:
    from pipeline.comparison.configurations import Configuration
    from pipeline.comparison.pairwise import Rival
    from pipeline.comparison.pooling import Cell
    from pipeline.tracking.store import Store

_GROUPS_SHOWN = 4


def compare_runs(
    store: "Store",
    runs: Sequence[LoggedRun],
    by: Sequence[str] = (),
    selection: str = "",
    tell: Callable[[str], None] | None = None,
) -> Document:
    """Compare every finished run with the best one by validation, with the baselines, and along every axis.

    Args:
        store: Where the runs are.
        runs: Any runs of one configuration each; those that did not finish are listed.
        by: Keys to group by; what they leave out is averaged over. Empty: every key in which the runs differ.
        selection: What was chosen, in words.
        tell: Told of each run that is left out because its files are damaged; None refuses such a run.

    Raises:
        UserError: If no run finished, a key of `by` is unknown, runs were not scored on the same values, or the files
            of one, or of all, are damaged.
    """
    from pipeline.artifacts.errors_file import FALLBACK, NAME, read_scored_rows
    from pipeline.comparison.axes import tied_keys
    from pipeline.comparison.configurations import group_cells
    from pipeline.comparison.document import Findings, make_document
    from pipeline.comparison.errors_once import ErrorsOnce
    from pipeline.comparison.pairwise import compare_all
    from pipeline.comparison.pooling import pool_seeds
    from pipeline.tracking.artifacts import whole_folders

    finished = [run for run in runs if run.record.status is Status.finished]
    if not finished:
        raise UserError(f"none of the {len(runs)} runs {selection} finished, so there is nothing to compare")
    errors = ErrorsOnce()
    with whole_folders(store, finished, (NAME, FALLBACK), errors.read, tell) as folders:
        finished = [run for run in finished if run.record.run_id in folders]
        if not finished:
            raise UserError(f"of the runs {selection} no finished one has whole files, so there is nothing to compare")
        keys = varying_keys([run.record.params for run in finished])
        by = _check_by(by, keys, finished)
        if len({run.scored_rows or run.record.run_id for run in finished}) > 1:  # not told by tags: read the files
            rows = {run_id: read_scored_rows(folder) for run_id, folder in folders.items()}
            _refuse_mixed(finished, rows)

        def read(run: LoggedRun) -> TestErrors:
            return errors.read(folders[run.record.run_id])

        cells = pool_seeds(finished, read, list(dict.fromkeys([*keys, *by])))
        configurations = group_cells(cells, by)
        rivals = _strongest_baselines(cells, configurations[0], read)
        newest = read(configurations[0].cells[0].runs[0])
    axes = _untie([key for key in by if key in keys], lambda axis: tied_keys(cells, axis))
    comparisons = compare_all(configurations, cells, list(axes), rivals, newest.horizon)
    found = Findings(configurations, cells, axes, comparisons, rivals)
    return make_document(found, runs, by, newest.span, selection)


def _strongest_baselines(
    cells: "Sequence[Cell]", best: "Configuration", read: Callable[[LoggedRun], TestErrors]
) -> "list[Rival]":
    """Return each baseline at its strongest: that of the best configuration, or of another if that is better."""
    from pipeline.comparison.pairwise import Rival
    from pipeline.comparison.significance import loss_series
    from pipeline.models.heads.registry import head_of_run

    rivals, head, measure = [], head_of_run(best.cells[0].runs[0].record.params), best.cells[0].runs[0].record.measure
    for name in dict.fromkeys(name for cell in cells for name in cell.baselines):
        having = [cell for cell in cells if name in cell.baselines]
        own = next((cell for cell in best.cells if name in cell.baselines), None)
        strongest = min(having, key=lambda cell: measure.rank(cell.baselines[name]))
        if own is not None and math.isclose(own.baselines[name], strongest.baselines[name], rel_tol=1e-9):
            strongest = own
        newest, errors = next((run, found) for run in strongest.runs if name in (found := read(run)).baselines)
        rivals.append(
            Rival(
                name=name,
                parameters={} if strongest is own else strongest.parameters,
                rmse=strongest.baselines[name],
                losses=loss_series(errors.baselines[name][None], errors.times, strongest.scale, head),
                look_back=int(newest.record.params.get("look_back", "1")),
            )
        )
    return rivals


def keep_where(runs: Sequence[LoggedRun], where: Sequence[str]) -> list[LoggedRun]:
    """Keep the runs whose parameters have the given values.

    Args:
        runs: Any runs.
        where: Conditions such as `horizon=1`; `dataset_sha256=0a1b2c` takes the beginning of the digest.

    Raises:
        UserError: If a condition has no `=`, its key is unknown, or no run is left.
    """
    kept = list(runs)
    known = sorted({key for run in runs for key in run.record.params})
    for condition in where:
        key, equals, value = condition.partition("=")
        value = unquote(value)
        if not equals:
            raise UserError(f"where={condition} is no condition; write where=[KEY=VALUE]")
        if key != DIGEST_TAG and key not in known:
            raise UserError(f"unknown key '{key}' in where; {suggest(key, known, 'see the parameters of a run')}")
        kept = [run for run in kept if _fulfils(run, key, value)]
    if runs and not kept:
        raise UserError(f"no run matches where=[{','.join(where)}]; {len(runs)} were looked at")
    return kept


def _fulfils(run: LoggedRun, key: str, value: str) -> bool:
    from pipeline.comparison.document import typed_value

    if key == DIGEST_TAG:
        return run.dataset_digest.startswith(value)
    return key in run.record.params and typed_value(run.record.params[key]) == typed_value(value)


def _check_by(by: Sequence[str], keys: Sequence[str], runs: Sequence[LoggedRun]) -> list[str]:
    known = sorted({key for run in runs for key in run.record.params})
    for key in by:
        if key not in known:
            differ = f"the runs differ in: {', '.join(keys)}" if keys else "the runs do not differ"
            raise UserError(f"unknown key '{key}' in by; {suggest(key, [*keys, *known], differ)}")
    return list(dict.fromkeys(by)) or list(keys)


def _refuse_mixed(runs: Sequence[LoggedRun], identities: Mapping[str, tuple[str, str]]) -> None:
    """Refuse runs that were not scored on the same values, and say which groups there are and how to choose one."""
    groups: dict[str, list[LoggedRun]] = {}
    for run in runs:
        groups.setdefault(identities[run.record.run_id][0], []).append(run)
    if len(groups) < 2:
        return
    told = []
    for digest, members in list(groups.items())[:_GROUPS_SHOWN]:
        others = [run for other, those in groups.items() if other != digest for run in those]
        span = identities[members[0].record.run_id][1]
        told.append(f"{_how_to_choose(members, others)} for {len(members)} runs ({span})")
    more = f"; {len(groups) - _GROUPS_SHOWN} more groups" if len(groups) > _GROUPS_SHOWN else ""
    raise UserError(f"runs scored on different values cannot be compared; choose one group: {'; '.join(told)}{more}")


def _how_to_choose(members: Sequence[LoggedRun], others: Sequence[LoggedRun]) -> str:
    """Return the argument that keeps these runs and no other."""
    params = members[0].record.params
    for key in sorted((key for key in params if role_of(key) in CONFIGURATION), key=rank_key):
        alike = all(run.record.params.get(key) == params[key] for run in members)
        alone = not any(run.record.params.get(key) == params[key] for run in others)
        if alike and alone:
            return _write_condition(key, params[key])
    digest = members[0].dataset_digest
    if digest and not any(run.dataset_digest == digest for run in others):
        return f"where=[{DIGEST_TAG}={digest[:8]}]"
    return f"runs=[{','.join(run.record.run_id for run in members[:3])}{',...' if len(members) > 3 else ''}]"


def _write_condition(key: str, value: str) -> str:
    """Return `where=[KEY=VALUE]`, in quotes where a shell or a comma would take it apart."""
    condition = f"{key}={value}"
    plain = re.fullmatch(r"[\w.:/+-]*", value) is not None
    return f"where=[{condition}]" if plain else show_setting("where", [condition])


def _untie(axes: Sequence[str], tied: Callable[[str], Sequence[str]]) -> dict[str, list[str]]:
    """Return each axis with the keys that change together with it; those are no axes of their own."""
    found: dict[str, list[str]] = {}
    for axis in axes:
        if not any(axis in together for together in found.values()):
            found[axis] = list(tied(axis))
    return found
