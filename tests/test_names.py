"""Names, units and lanes of any characters, through everything that is written about a run: none is lost or changed."""

import csv
import io
import re
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from pipeline.artifacts.errors_file import read_test_errors
from pipeline.artifacts.run_files import Results, draw_run_figures, write_run_files
from pipeline.base.document import DatasetFacts, Document
from pipeline.base.record import RunRecord, Status
from pipeline.base.text import show_name
from pipeline.config.keys import label_run, varying_keys
from pipeline.config.schema import Config, DatasetConfig, Source, TrackingConfig, flat_config
from pipeline.data.prepare import prepare_data
from pipeline.data.series import Series
from pipeline.evaluation.scores import Truth, score_run, score_seed
from pipeline.models.heads.point import RMSE
from pipeline.models.heads.registry import measure_of_run
from pipeline.report.page.template import render_page
from pipeline.report.terminal.console import PlainConsole
from pipeline.report.terminal.table import print_table
from pipeline.serving.answer_lines import write_answer
from pipeline.serving.model import load_config
from pipeline.serving.rows import read_header
from pipeline.tracking.live import track_run
from pipeline.tracking.names import escape_name, tags_of_long, unescape_name
from pipeline.tracking.resume import find_finished
from pipeline.tracking.store import open_store

few = settings(  # a figure takes a tenth of a second: a smaller example is not worth minutes
    max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate),
)  # fmt: skip
# Any characters but halves of pairs, which the gates refuse; with what libraries read as commands, more often.
TELLING = "$_^\\{}[]()<>&%#:/.,;'\"`~!?*=@ \n\t\x1b\u202e\u200b\N{SLIGHTLY SMILING FACE}Öł漢ع0"
names = st.text(st.one_of(st.sampled_from(TELLING), st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
columns = names.map(str.strip).filter(bool)
NASTY = ["T (degC)", "$_a_b per $", "[red]x[/] :cat:", "${oc.env:HOME}\\${x}", "x" * 300, "a\nb\x1b[31m", "<b>&amp;"]


# -------------------------------------------------------------------------------------------------------- MLflow


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(names, st.sampled_from(NASTY)), min_size=1, max_size=5))
def test_every_metric_name_is_taken_and_read_back(found: list[str]) -> None:
    """A finished training is lost to the name of a column, or two columns share one score."""
    given_names = [f"test_rmse.{name}_std" for name in dict.fromkeys(found)]
    escaped = [escape_name(name) for name in given_names]
    for name in escaped:
        _validate_metric_name(name)
        assert len(name) <= 250
    tags = tags_of_long(given_names)
    assert [unescape_name(name, tags) for name in escaped] == given_names


def test_a_run_with_any_names_is_logged_and_read_back(tmp_path: Path, make_store: Callable[[Path], str]) -> None:
    """The store refuses a name, a unit or a long list that the data have."""
    config = Config(dataset=DatasetConfig(name="\n".join(NASTY), unit=NASTY[1], features=NASTY * 40, targets=NASTY))
    store = open_store(TrackingConfig(uri=make_store(tmp_path)))
    truth = Truth(
        np.arange(30.0 * len(NASTY)).reshape(30, -1) ** 1.1, np.full((30, len(NASTY)), True),
        {part: np.arange(30) // 10 == number for number, part in enumerate(("train", "validation", "test"))}, NASTY,
    )  # fmt: skip
    forecasts = truth.actual[:, None] + 1
    scores = [score_seed(truth, forecasts + seed) for seed in range(2)]
    metrics = score_run(truth, scores, dict.fromkeys(("persistence", "seasonal", "linear"), forecasts))
    assert sum(name.startswith("test_rmse.") for name in metrics) >= len(NASTY)
    with track_run(store, "\n".join(NASTY), flat_config(config), {"config_hash": "one"}, None) as run:
        run.log_metrics(metrics, {"loss": [1.0]})
        frame = pd.DataFrame(truth.actual, columns=NASTY)
        run.log_dataset(frame, config.dataset.name, "0", NASTY)
        run.set_tags({"memory": "x" * 9000})
    record = find_finished(store, "one")
    assert record is not None and record.metrics == metrics
    mlflow.set_tracking_uri(None)


# ------------------------------------------------------------------------------------------------- files, figures


def results_of(series: Series) -> Results:
    forecasts = np.stack([series.actual() + 1, series.actual() + 2])[:, :, None]
    return Results(
        answers=forecasts,
        forecasts=forecasts,
        baselines=dict.fromkeys(("persistence", "seasonal", "linear"), forecasts[0]),
        metrics={"test_rmse": 1.0, "test_rmsse": 1.0, "baseline_linear_rmse": 2.0, "baseline_linear_rmsse": 2.0},
        scale=np.ones(len(series.targets)),
        seeds=[{"seed": seed, "validation_rmse": 1.0, "validation_rmsse": 1.0} for seed in (1, 2)],
        lanes=[{"test_rows": 1.0}] * len(series.slices()), origins=[], best=0,
        losses={1: ([1.0], [1.0]), 2: ([1.0], [1.0])},
    )  # fmt: skip


@few
@example(NASTY[:2], [NASTY[1], NASTY[2]], NASTY[1], NASTY[3])
@example(NASTY[3:5], [NASTY[4], NASTY[5]], NASTY[4], NASTY[4])
@given(
    st.lists(columns, min_size=2, max_size=2, unique=True), st.lists(columns, min_size=2, max_size=2, unique=True),
    names, names,
)  # fmt: skip
def test_files_and_figures_of_a_run(
    tmp_path: Path, make_panel: Any, targets: list[str], lanes: list[str], unit: str, name: str
) -> None:
    """A figure fails on a dollar sign, or a file gives a column, a lane or a unit back under another name."""
    rows = np.sin(np.arange(80.0)).reshape(40, 2)
    series = replace(
        make_panel([rows, rows + 1]), columns=tuple(targets), features=tuple(targets), targets=tuple(targets),
        series_ids=tuple(lanes),
    )  # fmt: skip
    dataset = DatasetConfig(name=name, source=Source.sine, unit=unit, features=targets, targets=targets)
    config = Config(look_back=2, dataset=dataset)
    data = prepare_data(config, series)
    results = results_of(series)
    write_run_files(tmp_path, config, data, results)
    read = load_config(tmp_path / "config.yaml").dataset
    assert (read.name, read.unit, read.features, read.targets) == (name, unit, targets, targets)
    with (tmp_path / "predictions.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert list(dict.fromkeys(row["target"] for row in found)) == targets
    assert list(dict.fromkeys(row["lane"] for row in found)) == lanes
    with (tmp_path / "lanes.csv").open(encoding="utf-8", newline="") as file:
        assert [row["lane"] for row in csv.DictReader(file)] == lanes
    errors = read_test_errors(tmp_path)
    np.testing.assert_allclose(errors.errors[0][np.isfinite(errors.errors[0])], 1, rtol=1e-5)
    for file_name, draw in draw_run_figures(f"unit={unit}", config, data, results).items():
        draw(tmp_path / file_name)
        assert (tmp_path / file_name).stat().st_size > 1000


# ---------------------------------------------------------------------------------------------- terminal and page


@settings(max_examples=30, deadline=None)
@example(NASTY[2], NASTY[5])
@given(names, names)
def test_tables_and_sentences_show_names_as_they_are(name: str, unit: str) -> None:
    """A name is read as a colour, a command of the terminal or a smile, or breaks the table."""
    params = {"look_back": "3", "stateful": "false", "horizon": "1", "seeds": "1", "dataset.horizons": "one"}
    params |= {"model.cell": "lstm", "dataset.name": name, "dataset.unit": unit}
    scores = ("validation_rmse", "test_rmse", "test_mae", "test_mase", "fit_seconds")
    metrics = dict.fromkeys(scores, 2.0)
    for baseline in ("persistence", "seasonal", "linear"):
        metrics |= {f"baseline_{baseline}_rmse": 1.0, f"skill_{baseline}": 0.1}
    measure = measure_of_run(params, metrics)
    named = [params | {"dataset.name": each} for each in (name, "other")]
    records = [RunRecord("a", Status.finished, each, metrics, measure) for each in named]
    out = io.StringIO()
    console = PlainConsole(file=out, width=80)
    print_table(records, console)
    console.print(label_run(records[0].params, varying_keys([each.params for each in records])), soft_wrap=True)
    shown = out.getvalue()
    assert show_name(name).strip() in re.sub(r"\s*\n", "\n", shown)
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e]", shown)


@settings(max_examples=30, deadline=None)
@given(names)
def test_a_page_holds_names_as_text(name: str) -> None:
    """A name becomes a part of the page: its rest is hidden, or a script runs."""
    document = Document(
        name, DatasetFacts(name, name, "", name, replace(RMSE, label=name)), (name,), (), (), (), (), (), (name, name)
    )
    made = render_page("comparison", name, document=document, sections=[(name, [name])])
    body = made[made.index("<body>") :]
    tags = "body div h1 h2 html li p section strong table tbody th thead tr ul"
    assert sorted(set(re.findall(r"</?([a-z0-9]+)", body))) == tags.split()
    assert unescape(body[body.index("<h1>") + 4 : body.index("</h1>")]) == unescape(name) or "&" in name


# --------------------------------------------------------------------------------------------------------- stream


@settings(max_examples=50, deadline=None)
@given(st.lists(columns, min_size=4, max_size=4, unique=True), st.one_of(columns, st.sampled_from(NASTY)))
def test_rows_of_a_stream_keep_their_names(make_panel: Any, header: list[str], lane: str) -> None:
    """Rows of a lane or a column with a comma, a quote or a foreign letter are refused, or answered as another."""
    header, lane = ([" ".join(each.splitlines()).strip() or "x" for each in some] for some in (header, [lane]))
    header = [f"{number}{each}" for number, each in enumerate(header)]
    time, lane_column, *features = header
    series = replace(make_panel([np.zeros((9, 2))]), columns=tuple(features), features=tuple(features))
    dataset = DatasetConfig(time_column=time, lane_column=lane_column, features=features, targets=features)

    def line(cells: list[str]) -> str:
        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(cells)
        return text.getvalue()

    read = read_header(line(header), Config(dataset=dataset), series)
    name = lane[0][:200]
    row = read.read(line(["2024-01-01", name, "1", "2.5"]), lambda lane: None)
    assert (row.lane, row.timestamp, row.values) == (name.strip(), "2024-01-01", [1.0, 2.5])
    answer = next(csv.reader(io.StringIO(write_answer(row, np.array([1.5]), None))))
    assert answer == [name.strip(), "2024-01-01", "1.5"]


@pytest.mark.parametrize("half", ["\udc80", "a\0b"])
def test_half_a_character_is_refused_before_the_training(half: str) -> None:
    """A command line in another encoding trains for hours and then fails at the first file."""
    from pipeline.base.errors import UserError
    from pipeline.config.gates import check_ranges

    with pytest.raises(UserError, match=r"dataset.unit holds bytes that are no UTF-8 text"):
        check_ranges(Config(dataset=DatasetConfig(unit=half)))
