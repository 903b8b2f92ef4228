"""The values that a run was trained on are found again, where its project is now."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.base.record import DIGEST_TAG
from pipeline.config.schema import Config, DatasetConfig, Source
from pipeline.data.sources import load_series
from pipeline.serving.model import load_history


@pytest.mark.parametrize("path", ["in/a.csv", "a.csv", "/the/old/place/a.csv"])
def test_a_file_that_moved_with_the_store_is_found(path: str, tmp_path: Path) -> None:
    """A project that was moved, or is used from another folder, must be trained again though its data lie there."""
    place = tmp_path / (path if not path.startswith("/") else "a.csv")
    place.parent.mkdir(exist_ok=True)
    dataset = DatasetConfig(name="a", source=Source.file, path=str(place))
    place.write_text("value\n" + "\n".join(str(number % 7) for number in range(40)))
    tags = {DIGEST_TAG: load_series(dataset).digest()}
    config = Config(dataset=DatasetConfig(name="a", source=Source.file, path=path))
    assert load_history(config, tags, tmp_path).origin == str(place)
    place.write_text("value\n" + "\n".join(str(number % 5) for number in range(40)))
    with pytest.raises(UserError, match="no longer holds the values"):  # another file of the same name
        load_history(config, tags, tmp_path)
    place.unlink()
    with pytest.raises(
        UserError, match=f"dataset.path={path}, which is neither in .* nor beside the store in .*; copy"
    ):
        load_history(config, tags, tmp_path)
