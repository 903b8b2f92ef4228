"""`python -m pipeline.compare champion` and `promote data=FILE`: runs on rows that arrived since both ended."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.recipe_files import write_config
from pipeline.artifacts.weights import save_weights
from pipeline.base.record import DIGEST_TAG, HASH_TAG, LENGTH_TAG
from pipeline.command.compare import main as compare
from pipeline.command.promote import main as promote
from pipeline.config.keys import complete_parameters
from pipeline.config.schema import Config, DatasetConfig, HeadName, Horizons, ModelConfig, Scaler, Source, Transform
from pipeline.data.prepare import prepare_data
from pipeline.models.plan import plan_layers
from pipeline.tracking.live import track_run
from pipeline.tracking.search import find_alias
from pipeline.tracking.store import Store

HISTORY, ROWS = 60, 20
Keep = Callable[..., str]
Ask = Callable[..., int]
_SCALED = {"scaler": Scaler.standard}  # in which 0 is the mean change
SEASONAL = {"transforms": [Transform.seasonal_difference]}


def weeks(rows: int = HISTORY + ROWS, seed: int = 1) -> pd.DataFrame:
    """A week that repeats, with noise; of a second column the same, larger."""
    noise = np.random.default_rng(seed).normal(0, 0.3, size=(rows, 2))
    values = 10 + 5 * np.sin(2 * np.pi * np.arange(rows) / 7)[:, None] + noise
    days = pd.date_range("2024-01-01", periods=rows).strftime("%Y-%m-%d")
    return pd.DataFrame({"day": days, "a": values[:, 0], "b": 3 * values[:, 1]})


@pytest.fixture
def keep(store: Store, tmp_path: Path) -> Keep:
    """Log a run of nearly silent networks: what they forecast is what their transforms say."""

    def keep(
        table: pd.DataFrame, seeds: int = 3, path: str = "weeks.csv", own: Path | None = None, **changes: Any
    ) -> str:
        file = tmp_path / path if own is None else own
        if own is None:
            table.to_csv(file, index=False)
        lane = {"lane_column": "lane"} if "lane" in table else {}
        named = {"name": "weeks", "source": Source.file, "path": str(file), "time_column": "day", "period": 7} | _SCALED
        dataset = DatasetConfig(**named | {"features": ["a"], "targets": ["a"]} | lane | changes.pop("dataset", {}))
        model = ModelConfig(**{"units": [2]} | changes.pop("model", {}))
        config = Config(**{"look_back": 2} | changes, dataset=dataset, model=model)
        data = prepare_data(config)
        shapes = [shape for layer in plan_layers(config, *data.windows.interface) for shape in layer.weight_shapes]
        random = np.random.default_rng(seeds)
        weights = [[random.normal(scale=0.01, size=shape) for shape in shapes] for _ in range(seeds)]
        folder = tmp_path / "files"
        folder.mkdir(exist_ok=True)
        write_config(folder, config)
        save_weights(folder, range(1, seeds + 1), 0, weights)
        tags = {DIGEST_TAG: data.series.digest(), LENGTH_TAG: str(len(table)), HASH_TAG: str(changes)}
        params = complete_parameters(
            {
                "look_back": str(config.look_back),
                "dataset.transforms": json.dumps([each.value for each in dataset.transforms]),
                "dataset.source": "file",
                "model.head": config.head.value,
            }
        )
        with track_run(store, "a run", params, tags, None) as run:
            run.log_metrics({"validation_rmse": 1.0, "test_rmse": 1.0}, {})
            store.client.log_artifacts(run.run_id, str(folder))
        return str(run.run_id)

    return keep


@pytest.fixture
def ask(store: Store) -> Ask:
    def ask(door: Callable[[Sequence[str]], int], *words: str) -> int:
        name = store.client.get_experiment(store.experiment_id).name
        return door([*words, f"tracking.uri={store.uri}", f"tracking.experiment_name={name}"])

    return ask


def test_a_better_challenger_is_found_on_newer_rows_and_promoted(
    store: Store, keep: Keep, ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A champion that has become worse is served on, or a worse run takes its place."""
    whole = weeks()
    flat, seasonal = keep(whole[:HISTORY]), keep(whole[:HISTORY], dataset=SEASONAL)
    assert ask(promote, f"run={flat}") == 0
    file = tmp_path / "later.csv"
    whole[HISTORY:].to_csv(file, index=False)
    assert ask(compare, "champion", f"data={file}", "format=json") == 0
    told = capsys.readouterr()
    document = json.loads(told.out[told.out.index("{") :])
    assert f"challenger {seasonal}, champion {flat}" in told.err
    assert (document["verdict"], document["timestamps"], document["measure"]) == ("challenger", ROWS, "RMSE")
    assert document["span"] == f"{ROWS} timestamps from 2024-03-01 to 2024-03-20, a, 1 ahead"
    assert document["champion"]["seeds"] == [1, 2, 3] and document["champion"]["end"] == "2024-02-29"
    scores = {row["forecast"]: row for row in document["scores"]}
    values = whole["a"].to_numpy()
    for name, lag in (("persistence", 1), ("seasonal", 7)):
        errors = values[HISTORY:] - values[HISTORY - lag : -lag]
        assert scores[name]["rmse"] == pytest.approx(np.sqrt((errors**2).mean()))
        assert scores[name]["mae"] == pytest.approx(np.abs(errors).mean())
    assert scores["challenger"]["rmse"] == pytest.approx(scores["seasonal"]["rmse"], rel=0.1)  # it is nearly silent
    assert scores["challenger"]["low"] < scores["challenger"]["difference"] < scores["challenger"]["high"] < 0
    assert scores["challenger"]["p"] == pytest.approx(document["p"])
    assert document["sentences"][0].startswith("Evidence that the challenger is better on the rows that arrived since")
    assert ask(promote, f"run={seasonal}", f"data={file}") == 0
    assert "it beats run" in (out := capsys.readouterr().out) and "on rows that arrived since, 20 timestamps" in out
    assert find_alias(store, "champion") == seasonal
    assert ask(promote, f"run={flat}", f"data={file}") == 2
    assert "its score is not the better one" in capsys.readouterr().err
    assert ask(compare, "champion", flat, f"data={file}") == 0
    assert "Evidence that the champion is better on the rows that arrived since" in capsys.readouterr().out


@pytest.mark.thorough
def test_a_run_is_compared_on_what_its_own_file_has_got(
    keep: Keep, ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever adds rows to the file must name it again; or rows that one run has learnt from are scored."""
    whole = weeks()
    flat = keep(whole[:HISTORY])
    own = tmp_path / "weeks.csv"
    assert ask(promote, f"run={flat}") == 0
    whole[: HISTORY + 4].to_csv(own, index=False)
    later = keep(whole[: HISTORY + 4], seeds=1, own=own, dataset=SEASONAL, look_back=5)
    assert ask(compare, "champion") == 2
    assert f"the challenger, run {later}: {own} holds no row after 2024-03-04" in capsys.readouterr().err
    whole[: HISTORY + 9].to_csv(own, index=False)
    assert ask(compare, "champion") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "Too few rows arrived since for a verdict: 5 timestamp(s), and at least 10 are needed." in told
    assert (
        "Left out: 4 timestamp(s) up to 2024-03-04 belong to the data of the challenger; the champion, whose data end "
        "at 2024-02-29, reads them and is not scored on them." in told
    )
    assert ask(promote, f"run={later}", f"data={own}") == 2
    assert "fewer than 10 timestamps are too few for evidence" in capsys.readouterr().err
    whole.to_csv(own, index=False)
    assert ask(promote, f"run={later}", f"data={own}") == 0  # one seed is enough where no challenge has looked before
    assert "one seed on a side" in capsys.readouterr().out


@pytest.mark.thorough
def test_lanes_targets_and_steps_ahead_are_shown_one_by_one(
    keep: Keep, ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a panel, or with several targets, one number hides where a run is worse."""
    lanes = [weeks(seed=seed).assign(lane=name) for seed, name in enumerate("xyz")]
    ahead = {"targets": ["a", "b"], "features": ["a", "b"], "horizons": Horizons.all}
    old = pd.concat([lane[:HISTORY] for lane in lanes[:2]])
    flat = keep(old, horizon=2, dataset=ahead)
    seasonal = keep(old, horizon=2, dataset=ahead | SEASONAL)
    sure = keep(old, horizon=2, dataset=ahead, model={"head": HeadName.quantile})
    assert ask(promote, f"run={flat}") == 0
    file = tmp_path / "later.csv"
    pd.concat([lane[HISTORY - 2 :] for lane in lanes[::-1]]).to_csv(file, index=False)
    capsys.readouterr()
    assert ask(compare, "champion", seasonal, f"data={file}", "format=csv") == 0
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    places = [(line[2], line[3]) for line in lines[1:] if line[1] == "challenger"]
    assert places == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")] and len(lines) == 1 + 4 * 4
    assert {line[0] for line in lines[1:]} == {flat, seasonal, ""}
    assert ask(compare, "champion", sure, f"data={file}") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "20 timestamps in 2 lanes from 2024-03-01 to 2024-03-20, a, b, 1 to 2 ahead" in told
    assert "The champion: the lane(s) z are none of the run's and are left out." in told
    assert "Their heads are not the same, so only the points that they forecast are compared." in told
    assert "RMSSE" in told


FAULTS = {
    "itself": ("champion", "is the champion itself; name another run as its challenger"),
    "another horizon": ("far", "the two runs forecast other steps ahead: 2 and 1; compare runs that forecast the same"),
    "no file": ("good", "is not a file that can be read from"),
    "no run": ("0123", "run=0123 is not in"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_be_compared_is_said_in_one_line(
    fault: str, keep: Keep, ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A verdict about two runs that do not forecast the same, or a traceback."""
    chosen, told = FAULTS[fault]
    whole = weeks()
    assert ask(compare, "champion") == 2
    assert "there is no champion in experiment" in capsys.readouterr().err
    runs = {"champion": keep(whole[:HISTORY]), "good": keep(whole[:HISTORY]), "far": keep(whole[:HISTORY], horizon=2)}
    file = tmp_path / "later.csv"
    if fault != "no file":
        whole[HISTORY:].to_csv(file, index=False)
    assert ask(promote, f"run={runs['champion']}") == 0
    capsys.readouterr()
    assert ask(compare, "champion", runs.get(chosen, chosen), f"data={file}") == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and told in error


def test_help_names_the_keys(ask: Ask, capsys: pytest.CaptureFixture[str]) -> None:
    """Who asks what the command does is told nothing of its keys, or of the word that stands for one."""
    assert ask(compare, "champion", "--help") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "data=FILE" in told and "run=RUN_ID|best|latest" in told and "The word behind champion is run=." in told
    assert ask(compare, "champion", "a", "run=b") == 2
    assert "run is given twice" in capsys.readouterr().err
