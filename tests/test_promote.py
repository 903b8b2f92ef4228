"""`python -m pipeline.promote`: the champion is replaced by a run that is shown to be better, and by no other."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pipeline.artifacts.errors_file import NAME, measure_test_errors, write_test_errors
from pipeline.base.record import HASH_TAG
from pipeline.command.promote import main
from pipeline.config.keys import complete_parameters
from pipeline.tracking.live import track_run
from pipeline.tracking.search import FORCED_TAG, PROMOTED_TAG, find_alias
from pipeline.tracking.store import Store

ROWS = 48
Log = Callable[..., str]


@pytest.fixture
def log(store: Store, tmp_path: Path) -> Log:
    """Logs a run whose test errors are noise of a size, on rows that are the same unless told otherwise."""

    def log(size: float, seeds: int = 3, first: str = "2020-01-01", noise: int = 0) -> str:
        random = np.random.default_rng([noise, int(100 * size)])
        answers = size * random.standard_normal((seeds, ROWS, 1, 1))
        write_test_errors(
            tmp_path / NAME,
            measure_test_errors(
                timestamps=pd.date_range(first, periods=ROWS, name="day"),
                targets=["a"],
                horizon_steps=[1],
                test=np.ones(ROWS, bool),
                actual=np.zeros((ROWS, 1)),
                answers=answers,
                baselines={"persistence": np.ones((ROWS, 1, 1))},
                seeds=range(1, seeds + 1),
                validation_rmse=[size] * seeds,
                scale=np.ones(1),
            ),
        )
        params = complete_parameters({"look_back": "3"})
        with track_run(store, "a run", params, {HASH_TAG: f"{size} {noise}"}, None) as run:
            run.log_metrics({"test_rmse": size, "validation_rmse": size}, {})
            store.client.log_artifact(run.run_id, str(tmp_path / NAME))
        return str(run.run_id)

    return log


def promote(store: Store, run_id: str, *more: str) -> int:
    experiment = store.client.get_experiment(store.experiment_id).name
    return main([f"run={run_id}", f"tracking.uri={store.uri}", f"tracking.experiment_name={experiment}", *more])


def tags(store: Store, run_id: str) -> dict[str, Any]:
    return dict(store.client.get_run(run_id).data.tags)


def test_only_a_better_run_becomes_the_champion(store: Store, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    """What is served becomes worse, or as good by chance, because somebody promoted a run."""
    first, equal, better = log(2.0), log(1.95, noise=1), log(0.5)
    assert promote(store, first) == 0
    assert "there was no champion before it, so nothing was compared" in capsys.readouterr().out
    assert promote(store, equal) == 2
    told = capsys.readouterr().err
    assert f"run {equal} is not shown to beat the champion, run {first}: test RMSE" in told
    assert "over the timestamps, p=" in told and 'force="..."' in told
    assert find_alias(store, "champion") == first
    assert promote(store, better) == 0
    told = capsys.readouterr().out
    assert f"it beats run {first}: test RMSE 0." in told and f"on the same {ROWS} timestamps" in told
    assert find_alias(store, "champion") == better
    assert tags(store, better)[PROMOTED_TAG].startswith(f"champion: it beats run {first}")
    assert FORCED_TAG not in tags(store, better)
    assert promote(store, better) == 2
    assert "is the champion already" in capsys.readouterr().err
    assert promote(store, first, "alias=standby") == 0  # another name is another matter
    assert (find_alias(store, "standby"), find_alias(store, "champion")) == (first, better)


def test_force_needs_a_reason_which_stays(store: Store, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody knows any more why a worse run is served."""
    good, worse = log(0.5), log(2.0)
    assert promote(store, good) == 0
    assert promote(store, worse, "force=") == 2
    assert promote(store, worse, "force=the sensor was replaced") == 0
    assert "forced (the sensor was replaced); it is not shown to beat run" in capsys.readouterr().out
    assert (find_alias(store, "champion"), tags(store, worse)[FORCED_TAG]) == (worse, "the sensor was replaced")


def test_what_cannot_be_compared_is_no_evidence(store: Store, log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    """A run becomes the champion by scores on other, easier rows, or by one lucky seed."""
    champion, elsewhere, lucky = log(2.0), log(0.5, first="2021-01-01"), log(0.4, seeds=1)
    assert promote(store, champion) == 0
    assert promote(store, elsewhere) == 2
    assert "their scores do not compare; train both on the same data" in capsys.readouterr().err
    assert promote(store, lucky) == 2
    assert "one seed on a side, so nothing can be said over seeds" in capsys.readouterr().err
    assert promote(store, elsewhere, "force=new data") == 0
    assert "with which it could not be compared" in capsys.readouterr().out
    assert promote(store, elsewhere, "alias=a/b") == 2
