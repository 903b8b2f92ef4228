"""Where the configuration and the packaged data lie, in a source tree and in an installed wheel."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def conf_dir() -> Path:
    """Return the folder of the Hydra configuration.

    Returns:
        `conf/` beside the package in a source tree or editable install, `pipeline/conf/` in a wheel.

    Raises:
        FileNotFoundError: If the installation holds neither.
    """
    return _first_with("config.yaml", _PACKAGE.parent / "conf", _PACKAGE / "conf")


def data_dir() -> Path:
    """Return the folder of the packaged CSV files (`data/`, or `pipeline/data_files/` in a wheel)."""
    return _first_with("airline.csv", _PACKAGE.parent / "data", _PACKAGE / "data_files")


def home_dir() -> Path:
    """Return the folder that holds the tracking database by default.

    Returns:
        The repository root when the package runs from a source tree, so that a bare `mlflow ui` there shows
        every run; otherwise the working directory.
    """
    root = _PACKAGE.parent
    return root if (root / "conf" / "config.yaml").is_file() and (root / "pyproject.toml").is_file() else Path.cwd()


def _first_with(name: str, *folders: Path) -> Path:
    for folder in folders:
        if (folder / name).is_file():
            return folder
    looked = " or ".join(str(folder) for folder in folders)
    raise FileNotFoundError(f"{name} was not found in {looked}; reinstall lstm-pipeline")
