"""The table at the end of a sweep: its rows, their order, and what is said about runs that did not finish."""

import io
import re
from dataclasses import replace

from pipeline.base.record import RunRecord, Status
from pipeline.models.heads.point import RMSSE
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.terminal.table import print_table, sort_records


def printed(records: list[RunRecord], width: int = 80) -> str:
    out = io.StringIO()
    print_table(records, PlainConsole(file=out, width=width))
    return out.getvalue()


def rows_of(table: str) -> list[list[str]]:
    """Cells of every row below the headings."""
    return [[cell.strip() for cell in line.split("│")[1:-1]] for line in table.splitlines() if line.startswith("│")]


def look_back(value: int) -> dict[str, str]:
    return {"params": {"look_back": str(value)}}


def test_one_row_per_run_best_validation_first(make_record) -> None:
    """The first row would be chosen by its test score, which nobody knows in advance; or a number is misplaced."""
    records = [
        make_record(test_rmse=10, validation_rmse=30, **look_back(1)),
        make_record(test_rmse=50, validation_rmse=20, **look_back(6)),
    ]
    table = printed(records)
    assert rows_of(table) == [
        ["6", "20.00", "50.00 ± 1.5", "40.00", "1.25", "-0.04", "+0.25", "-0.50", "12.3"],
        ["1", "30.00", "10.00 ± 1.5", "40.00", "1.25", "-0.04", "+0.25", "-0.50", "12.3"],
    ]
    assert records[0].params["look_back"] == "1"  # the order that was given is untouched


def test_headings_say_what_and_in_which_unit(make_record) -> None:
    """A reader could not tell what the columns are, in which unit, or over how many seeds."""
    table = printed([make_record()])
    for words in (
        "validation",
        "test RMSE",
        "mean ± std",
        "MAE",
        "MASE",
        "persistence",
        "seasonal",
        "linear",
        "seconds",
    ):
        assert words in table
    assert "airline: RMSE and MAE in thousand passengers, 3 seeds per row" in table
    assert "RMSE on the same test timestamps: persistence 100.0, seasonal naive 90.00." in " ".join(table.split())


def test_a_single_run_is_named_by_look_back_and_stateful(make_record) -> None:
    """The row of a single run would have no name."""
    record = make_record()
    assert rows_of(printed([record]))[0][:2] == ["3", "false"]
    assert "look_back" in printed([record]) and "stateful" in printed([record])


def test_only_keys_that_differ_name_the_rows_root_keys_first(make_record) -> None:
    """Rows could not be told apart, or would be named by keys that are the same or decide nothing."""
    one = make_record(params={"model.cell": "lstm", "stateful": "true", "resume": "true", "experiment": "a"})
    other = make_record(params={"model.cell": "gru", "stateful": "false", "training.patience": "None"})
    assert [row[:3] for row in rows_of(printed([one, other]))] == [["true", "lstm", "-"], ["false", "gru", "null"]]


def test_runs_that_did_not_finish_are_listed_last(make_record) -> None:
    """A failed configuration would vanish from the summary, or be ranked by a score it does not have."""
    failed = make_record(status=Status.failed, **look_back(1))
    killed = make_record(status=Status.killed, **look_back(2))
    finished = make_record(**look_back(3))
    assert sort_records([failed, killed, finished])[0] is finished
    assert rows_of(printed([failed, killed, finished]))[1:] == [
        ["1", "FAILED", *"-------"],
        ["2", "KILLED", *"-------"],
    ]


def test_no_run_finished(make_record) -> None:
    """A sweep in which everything failed would end in a traceback instead of a table."""
    table = printed([make_record(status=Status.failed)])
    assert "No run finished" in table
    assert "FAILED" in table


def test_resumed_runs_carry_a_star_that_is_explained(make_record) -> None:
    """Seconds of an earlier command would pass for seconds of this one."""
    table = printed([make_record(resumed=True, **look_back(1)), make_record(**look_back(3))])
    assert sorted(row[-1] for row in rows_of(table)) == ["12.3", "12.3 *"]
    assert "* trained by an earlier command" in table
    assert "*" not in printed([make_record()])


def test_one_seed_shows_no_spread(make_record) -> None:
    """One training would be shown as if its spread were known."""
    table = printed([make_record(one_seed=True)])
    assert rows_of(table)[0][3] == "50.00"
    assert "1 seed per row" in table


def test_numbers_are_not_cut_on_a_narrow_terminal(make_record) -> None:
    """On a narrow terminal, or in a log file, digits of a score would be missing."""
    table = printed([make_record(test_rmse=12345.678, **look_back(1)), make_record(**look_back(3))], width=20)
    assert re.search(r"12346 ± 1\.5", table)
    assert "…" not in table


def test_a_hopeless_skill_keeps_its_column_narrow(make_record) -> None:
    """A network a thousand times worse than a near-perfect baseline would break the table."""
    assert rows_of(printed([make_record(skill_seasonal=-12345.6)]))[0][7] == "< -100"


def test_targets_in_different_units_are_not_pooled(make_record) -> None:
    """Billions and per cent are averaged in one RMSE, which is that of the billions; or a target has no score."""
    names = {"test_rmse.gdp": 100.0, "test_rmse.jobs [%]": 0.3, "test_rmsse": 0.8, "validation_rmsse": 0.7}
    several = make_record(params={"dataset.targets": '["gdp", "jobs [%]"]'}, **names, baseline_persistence_rmsse=0.9)
    metrics = {name: value for name, value in several.metrics.items() if name not in ("test_rmse", "test_mae")}
    table = printed([replace(several, metrics=metrics, measure=RMSSE)], width=200)
    assert rows_of(table)[0][2:6] == ["0.7000", "0.8000", "100.0", "0.3000"]
    for words in ("RMSSE", "gdp", "jobs [%]", "persistence 0.9", "RMSE of each target in its own"):
        assert words in table


def test_brackets_in_names_are_shown(make_record) -> None:
    """A unit or a path in square brackets would be taken for a colour and vanish from the table."""
    params = {"dataset.unit": "speed [knots]"}
    records = [make_record(params=params | {"dataset.path": path}) for path in ("sales[old].csv", "sales.csv")]
    table = printed(records, width=200)
    assert "speed [knots]" in table
    assert "sales[old].csv" in table
