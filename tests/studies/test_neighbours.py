"""What others report for a text: where it stands, beside which runs, and in what the protocols differ."""

import math
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore

from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun, RunRecord, Status
from pipeline.base.study import NeighbourDocument
from pipeline.command.compare import main
from pipeline.config.schema import Config, flat_config
from pipeline.experiment.jobs import plan_jobs
from pipeline.models.heads.token import NATS
from pipeline.report.terminal.neighbours import print_neighbours
from pipeline.studies.formats import write_json, write_neighbours_csv
from pipeline.studies.neighbourhood import describe_rivals, label_runs, newest_runs, place_neighbours
from pipeline.studies.neighbours import NEIGHBOURS, list_differences
from pipeline.studies.text_protocol import describe_protocol
from pipeline.tracking import artifacts, past, store

METRICS = {
    "validation_nats_per_token": 1.5, "test_nats_per_token": 1.6, "test_nats_per_token_std": 0.1, "fit_seconds": 90.0,
    "baseline_kneser_ney_nats_per_token": 1.64, "kneser_ney_order": 8.0,
}  # fmt: skip
SEEDS = "seed,epochs,kept_epoch,test_nats_per_token\n1,3,2,1.5\n2,2,2,1.7\n"
HISTORY = "seed,epoch,loss,val_loss\n1,1,9,9\n1,2,1.25,9\n1,3,9,9\n2,1,9,9\n2,2,1.5,9\n"


def params(*words: str) -> Mapping[str, str]:
    ConfigStore.instance().store(name="base_config", node=Config)
    return flat_config(plan_jobs(get_args_parser().parse_intermixed_args(list(words))).jobs[0])


def run(number: int, parameters: Mapping[str, str], status: Status = Status.finished) -> LoggedRun:
    return LoggedRun(RunRecord(f"run{number}", status, parameters, METRICS, NATS), "digest", "", number)


@pytest.fixture(scope="module")
def char_rnn() -> Mapping[str, str]:
    return params("experiment=char_rnn")


@pytest.fixture
def document(char_rnn: Mapping[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> NeighbourDocument:
    """One run with two seeds, its files in a folder."""
    (tmp_path / "seeds.csv").write_text(SEEDS)
    (tmp_path / "history.csv").write_text(HISTORY)

    @contextmanager
    def folders(store, runs, names):
        yield [tmp_path for _ in runs]

    monkeypatch.setattr(artifacts, "run_folders", folders)
    return place_neighbours(None, [run(1, char_rnn)], "experiment=e")


def test_every_number_has_a_source_and_every_facet() -> None:
    """A number is shown that nobody can look up, or a difference of protocol is not told."""
    facets = set(describe_protocol(params("experiment=char_rnn")))
    for each in NEIGHBOURS:
        assert each.source.startswith("https://") and each.quote, each.name
        assert set(each.protocol) == facets, each.name
        spans = [span for span in (each.train, each.validation) if span is not None]
        assert spans and all(0 < low <= high < math.log(65) for low, high in spans), each.name


@pytest.mark.parametrize(
    ("preset", "neighbour", "facets"),
    [
        ("char_rnn", "char-rnn", ["split", "state", "gradient", "reported"]),
        ("keras_text", "Keras' example", ["text", "split", "epochs", "reported"]),
        ("tensorflow_text", "TensorFlow's tutorial, a log of it", ["split", "epochs", "reported"]),
    ],
)
def test_a_preset_differs_from_its_original_only_in_what_it_says(
    preset: str, neighbour: str, facets: list[str]
) -> None:
    """A preset drifts from what it is named after: another network, batch or learning rate."""
    original = next(each for each in NEIGHBOURS if each.name == neighbour)
    lines = list_differences(original.protocol, describe_protocol(params(f"experiment={preset}")))
    assert [line.partition(":")[0] for line in lines] == facets


def test_only_finished_runs_of_the_text_and_the_newest_of_each(char_rnn: Mapping[str, str]) -> None:
    """An old run is shown in place of a new one, or one on words, on another text, or that failed."""
    long = {**char_rnn, "training.epochs": "99"}
    words, other = {**char_rnn, "dataset.token": "word"}, {**char_rnn, "dataset.path": "my.txt"}
    runs = [run(4, {**char_rnn, "seed": "7"}), run(1, char_rnn), run(2, long), run(5, words), run(6, other)]
    runs.append(run(7, {**char_rnn, "look_back": "9"}, Status.failed))
    newest = newest_runs(runs)
    assert [each.record.run_id for each in newest] == ["run2", "run4"]
    assert label_runs(newest) == ["char_rnn training.epochs=99", "char_rnn training.epochs=50"]
    assert label_runs(newest[:1]) == ["char_rnn"]


def test_the_losses_are_those_of_the_epoch_that_is_kept(document: NeighbourDocument) -> None:
    """The training loss beside the neighbours' is that of weights which are not scored."""
    (placed,) = document.runs
    assert placed.train == pytest.approx(1.375)
    assert (placed.validation, placed.test, placed.std, placed.epochs) == (1.5, 1.6, 0.1, (3, 2))
    assert [each.name for each in placed.neighbours] == ["char-rnn", "torch-rnn", "char-rnn-tensorflow"]


def test_at_the_end_of_the_text_the_transformers_stand_beside(char_rnn: Mapping[str, str], document) -> None:
    """Losses on another test part would be put beside a run on lanes, or left out where they are the same."""
    ended = place_neighbours(None, [run(1, {**char_rnn, "dataset.split": "end"})], "e").runs[0]
    assert {"nanoGPT", "nanoGPT on a CPU"} <= {each.name for each in ended.neighbours}


def test_the_verdict_counts_seeds() -> None:
    """A network that loses to counting characters is praised, or a mean hides that its seeds disagree."""
    assert "a: beats the n-gram model on the same test part by 6.2 %" in describe_rivals("a", [1.5, 1.5], 1.6)
    assert "does NOT beat the n-gram model on the same test part: it is 6.2 % worse" in describe_rivals("a", [1.7], 1.6)
    assert "1 of 2 seeds do (1.600 nats against 1.640)" in describe_rivals("a", [1.5, 1.7], 1.64)


def test_the_table_shows_who_reports_what(document: NeighbourDocument) -> None:
    """A training loss of others stands under validation, or a difference or a source is lost."""
    lines = print_neighbours(document).splitlines()
    cells = {
        line.split("│")[1].strip(): [cell.strip() for cell in line.split("│")[2:-1]] for line in lines if "│" in line
    }
    assert cells["char_rnn"] == ["1.375", "1.500", "1.600 ± 0.10", "2", "2 to 3", "90"]
    assert cells["n-gram of order 8, same test part"][2] == "1.640"
    assert cells["char-rnn-tensorflow"][:2] == ["1.295 to 1.305", "-"]
    assert "  split: there 95 / 5 / 0 % of each of 50 lanes; here 90 / 5 / 5 % of each of 50 lanes" in lines
    assert any("https://github.com/jcjohnson/torch-rnn/issues/17" in line for line in lines)


def test_programs_get_every_number(document: NeighbourDocument) -> None:
    """A script finds no neighbour, or a seed's missing spread breaks the JSON."""
    alone = replace(document, runs=(replace(document.runs[0], std=None),))
    assert '"std": null' in write_json(alone) and '"name": "torch-rnn"' in write_json(alone)
    head, own, ngram, *others = write_neighbours_csv(alone).splitlines()
    assert head.startswith("run,beside,name,network,seeds,train_low,train_high,validation_low,validation_high,test,std")
    assert own.startswith("run1,char_rnn,char_rnn,2 x LSTM(128) on one-hot,2,1.375,1.375,1.5,1.5,1.6,,3,90.0,,")
    assert ",1.64," in ngram and len(others) == 3


def test_without_a_run_one_line_says_what_to_train(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has trained nothing on a text sees a traceback, or not what to type."""
    monkeypatch.setattr(store, "find_store", lambda tracking, name: None)
    monkeypatch.setattr(past, "experiment_runs", lambda found: [])
    assert main(["published"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: no run of experiment=lstm-pipeline finished on tiny shakespeare")
    assert "python -m pipeline.run experiment=char_rnn" in line


def test_what_is_no_run_of_the_text_is_refused(char_rnn: Mapping[str, str]) -> None:
    """An empty table is printed for runs on something else."""
    with pytest.raises(UserError, match=r"no run of runs=.* finished on tiny shakespeare by characters"):
        place_neighbours(None, [run(1, {**char_rnn, "dataset.token": "byte"})], "runs=[run1]")
