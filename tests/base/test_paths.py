"""Where configuration, packaged data and the tracking database lie."""

from pathlib import Path

import pytest

from pipeline.base import paths


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package without a repository around it, and a working directory elsewhere."""
    package = tmp_path / "site-packages" / "pipeline"
    (package / "conf").mkdir(parents=True)
    (package / "data_files").mkdir()
    (package / "conf" / "config.yaml").touch()
    (package / "data_files" / "airline.csv").touch()
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setattr(paths, "_PACKAGE", package)
    monkeypatch.chdir(work)
    return package


def test_source_tree() -> None:
    """Breaks a clone: configuration and data are looked for in the wrong place."""
    root = Path(__file__).resolve().parents[2]
    assert paths.conf_dir() == root / "conf"
    assert paths.data_dir() == root / "data"
    assert paths.home_dir() == root


def test_home_of_a_clone_does_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Breaks `mlflow ui` in the clone: runs started from another folder land in another database."""
    before = paths.home_dir()
    monkeypatch.chdir(tmp_path)
    assert paths.home_dir() == before


def test_installed_wheel(wheel: Path) -> None:
    """Breaks the installed console script: conf and data are inside the package there, runs belong to the user."""
    assert paths.conf_dir() == wheel / "conf"
    assert paths.data_dir() == wheel / "data_files"
    assert paths.home_dir() == Path.cwd()


@pytest.mark.parametrize(("name", "find"), [("conf", paths.conf_dir), ("data_files", paths.data_dir)])
def test_broken_installation(wheel: Path, name: str, find) -> None:
    """Breaks the text for a broken installation: it must name what is missing, where it was looked for, the remedy."""
    for file in (wheel / name).iterdir():
        file.unlink()
    with pytest.raises(FileNotFoundError, match=f"was not found in .* or .*{name}; reinstall lstm-pipeline"):
        find()
