"""The champion: the best trial of which the whole series can train a network."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.base.errors import TrainingError, UserError
from pipeline.config.schema import Config, DatasetConfig, Source, TrackingConfig
from pipeline.data.sources import load_series
from pipeline.searching import run
from pipeline.searching.budget import parse_budget
from pipeline.searching.champion import train_champion
from pipeline.searching.run import Task
from pipeline.searching.trials import State, Trial

AIRLINE = Config(dataset=DatasetConfig(name="airline", source=Source.packaged, path="airline.csv", time_column="month"))
TEXTS = ("90", "1", "2", "3")  # the best cannot be prepared, the next one diverges
RANKED = [Trial(number, {"look_back": text}, (float(number),), State.complete) for number, text in enumerate(TEXTS)]


def train(failing: tuple[int, ...], told: list[str], error: Exception | None = None) -> Any:
    def train_one(config: Config) -> Any:
        if config.look_back in failing:
            raise TrainingError(f"seed 1001: the loss of look_back={config.look_back} is nan") from error
        return SimpleNamespace(run_id=str(config.look_back))

    return train_champion(AIRLINE, {}, RANKED, load_series(AIRLINE.dataset), 2, told.append, train_one)


def test_a_champion_that_diverges_gives_way_to_the_next() -> None:
    """One seed of the best trial is not a number, and an hour of searching ends without a champion."""
    told: list[str] = []
    found = train((1,), told)
    assert (found.trial.number, found.record.run_id, found.config.look_back) == (2, "2", 2)
    assert [text.partition(":")[0] for text in told] == [
        f"trial {number} is no champion, the next best is taken" for number in (0, 1)
    ]
    with pytest.raises(TrainingError, match=r"no complete trial .* the last one: seed 1001: the loss of look_back=3"):
        train((1, 2, 3), told)


def test_a_full_disk_is_no_reason_to_take_the_next() -> None:
    """A worse champion is registered because the disk was full, or it is asked for again and again."""
    told: list[str] = []
    with pytest.raises(TrainingError, match="look_back=1 is nan"):
        train((1, 2, 3), told, OSError(28, "No space left on device"))
    assert len(told) == 1


@pytest.mark.parametrize("line", ["evaluation.origins: 3", "training.online: true"])
def test_a_file_of_a_space_is_held_to_what_a_search_needs(tmp_path: Path, line: str) -> None:
    """What is refused on the command line is accepted in a file: trials are scored otherwise than the folds say."""
    (tmp_path / "mine.yaml").write_text(f"look_back: choice(1,3)\n{line}\n")
    series = load_series(AIRLINE.dataset)
    task = Task(AIRLINE, series, str(tmp_path / "mine.yaml"), [], [], [], parse_budget("1"), 1, resume=False)
    with pytest.raises(UserError, match=f"a search needs {line.partition(':')[0]}="):
        run.run_search(task)


def test_experiments_of_one_store_have_searches_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With resume=true a search goes on with the trials of another experiment, and logs its runs there."""
    names: list[str] = []

    def open_trials(file: Path, name: str, *others: Any) -> None:
        names.append(name)
        raise UserError("far enough")

    monkeypatch.setattr(run, "open_trials", open_trials)
    monkeypatch.setattr(run, "open_store_to_train", lambda tracking: SimpleNamespace(folder=tmp_path, uri="sqlite:///"))
    (tmp_path / "mine.yaml").write_text("look_back: choice(1,3)\n")
    series = load_series(AIRLINE.dataset)
    for experiment in ("one", "one", "two"):
        config = replace(AIRLINE, tracking=TrackingConfig(experiment_name=experiment))
        task = Task(config, series, str(tmp_path / "mine.yaml"), [], [], [], parse_budget("1"), 1, resume=True)
        with pytest.raises(UserError, match="far enough"):
            run.run_search(task)
    assert names[0] == names[1] != names[2]
