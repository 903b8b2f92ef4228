"""`python -m pipeline.write` with a store: it finds the run of a text, of which it needs three files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import forecast
from pipeline.artifacts.recipe_files import write_config
from pipeline.artifacts.weights import save_weights
from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG, HASH_TAG
from pipeline.command.arguments import run_entry
from pipeline.command.served import ServedRun, fetch_model
from pipeline.command.write import MANUAL, Arguments, write_or_score
from pipeline.config.schema import TrackingConfig, flat_config
from pipeline.data.vocabulary import FILE_NAME, save_vocabulary
from pipeline.models.plan import plan_layers
from pipeline.tracking.live import track_run
from pipeline.tracking.store import Store, open_store

TEXT = "to be, or not to be: that is the question\n"
WORDS = ("length=30", "seed=4")


def log_text(store: Store, folder: Path, writer: Any, score: float) -> str:
    """Log a run of a text whose network has random weights, two seeds; the text itself is nowhere."""
    folder.mkdir()
    layers = plan_layers(writer.config, 1, len(writer.vocabulary))
    shapes = [shape for layer in layers for shape in layer.weight_shapes]
    random = np.random.default_rng(int(100 * score))
    write_config(folder, writer.config)
    save_weights(folder, [1, 2], 1, [[random.normal(size=shape) for shape in shapes] for _ in range(2)])
    save_vocabulary(folder / FILE_NAME, writer.vocabulary)
    tags = {HASH_TAG: "hash", DIGEST_TAG: "0a1b"}
    with track_run(store, "text", flat_config(writer.config), tags, None) as run:
        run.log_folder(folder)
        run.log_metrics({"validation_nats_per_token": score, "test_nats_per_token": score}, {})
    return run.run_id


@pytest.fixture
def store(make_store: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    uri = make_store(tmp_path / "store")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    return open_store(TrackingConfig(uri=uri))


def test_the_best_run_of_a_text_writes(
    store: Store, tmp_path: Path, random_writer: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Breaks run=best: a run of numbers would be taken, a worse one, or the seed that is worse by validation."""

    def write(*words: str) -> tuple[int, str, str]:
        code = run_entry(words, Arguments, MANUAL, write_or_score)
        return code, *capfd.readouterr()

    code, out, told = write("run=best")
    assert (code, out) == (2, "") and "has no finished run" in told
    params = {"dataset.source": "file", "horizon": "1", "dataset.horizons": "one"}
    with track_run(store, "series", params, {HASH_TAG: "hash", DIGEST_TAG: "0a1b"}, None) as series:
        series.log_metrics({"validation_rmse": 0.1, "test_rmse": 0.1}, {})
    code, _, told = write("run=best")
    assert code == 2 and "has no finished run of a text; train one: python -m pipeline.run experiment=char_rnn" in told
    code, _, told = write(f"run={series.run_id}")
    assert code == 2 and "was trained on a series, not on a text" in told
    good = log_text(store, tmp_path / "good", random_writer(TEXT), 1.4)
    log_text(store, tmp_path / "bad", random_writer(TEXT), 1.9)
    code, out, told = write("run=best", *WORDS)
    assert code == 0 and told == f"run {good}: validation nats per token 1.400\n"
    assert len(out) == 30 and set(out) <= set(TEXT)
    assert write(f"run={good}", *WORDS) == (0, out, "")
    assert write(f"run={good}", "network_seed=2", *WORDS)[1] == out != write("run=best", "network_seed=1", *WORDS)[1]
    assert write("run=latest", *WORDS)[1] != out


def test_a_run_of_a_text_is_no_series_to_forecast(store: Store, tmp_path: Path, random_writer: Any) -> None:
    """A forecast of tokens as if they were numbers runs for ever, or best means a run of a text."""
    run_id = log_text(store, tmp_path / "text", random_writer(TEXT), 1.4)
    with pytest.raises(UserError, match=rf"trained on a text, .* python -m pipeline\.write run={run_id} continues"):
        fetch_model(ServedRun(run=run_id))
    with pytest.raises(UserError, match="has no finished run of a series"):
        forecast("best")
