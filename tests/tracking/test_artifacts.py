"""Folders of many runs: read in place, else downloaded, and a run without its files is named."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.base.record import LoggedRun, RunRecord, Status
from pipeline.models.heads.point import RMSE
from pipeline.tracking.artifacts import run_folders
from pipeline.tracking.store import Store


class Client:
    """Downloads what it has, as MlflowClient does."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def download_artifacts(self, run_id: str, path: str, dst_path: str) -> str:
        if path not in self.files:
            raise OSError(f"No such artifact: {path}")
        (Path(dst_path) / path).write_text(f"{run_id} {self.files[path]}")
        return dst_path


class FakeStore:
    uri = "http://127.0.0.1:5000"

    def __init__(self, files: dict[str, str]) -> None:
        self.client = Client(files)


def run(run_id: str, uri: str) -> LoggedRun:
    return LoggedRun(RunRecord(run_id, Status.finished, {}, {}, RMSE), "digest", uri, 0)


def store(**files: str) -> Store:
    return FakeStore({name.replace("_", "."): text for name, text in files.items()})  # type: ignore[return-value]


def test_local_files_are_read_where_they_are(tmp_path: Path) -> None:
    """A thousand runs are copied before they are read."""
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "new.npz").touch()
    with run_folders(store(), [run("1", folder.as_uri()), run("2", str(folder))], ["new.npz"]) as found:
        assert found == [folder, folder]


def test_remote_files_are_downloaded_each_into_its_own_folder() -> None:
    """The files of one run are read as those of another, or the older file is fetched although there is a newer one."""
    runs = [run(str(number), "mlflow-artifacts:/x") for number in range(40)]
    with run_folders(store(new_npz="n", old_csv="o"), runs, ["new.npz", "old.csv"]) as found:
        texts = [(folder / "new.npz").read_text() for folder in found]
        assert not (found[0] / "old.csv").exists()
    assert texts == [f"{number} n" for number in range(40)]
    assert not found[0].exists()  # nothing is left behind
    with run_folders(store(old_csv="o"), runs[:1], ["new.npz", "old.csv"]) as (folder,):
        assert (folder / "old.csv").read_text() == "0 o"


@pytest.mark.parametrize("uri", ["file:///nowhere", "mlflow-artifacts:/x"])
def test_a_run_without_its_files_is_named(uri: str) -> None:
    """One run whose files were deleted ends the comparison with a traceback."""
    with (
        pytest.raises(UserError, match=r"run abc has no artifact new\.npz or old\.csv in .*; leave it out with runs="),
        run_folders(store(), [run("abc", uri)], ["new.npz", "old.csv"]),
    ):
        pass
