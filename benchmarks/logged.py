"""Runs as faults.py finds them after a fault."""

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

SCORED = "SELECT count(*) FROM latest_metrics WHERE run_uuid = ? AND key = 'test_rmse'"


@dataclass(frozen=True)
class Logged:
    """A run, or a sweep.

    Attributes:
        run_id: Its id.
        status: In MLflow's words.
        files: The folder of its files.
        tags: All of them.
        has_scores: Whether it has a test score.
    """

    run_id: str
    status: str
    files: Path
    tags: dict[str, str]
    has_scores: bool

    @property
    def is_job(self) -> bool:
        """Whether it is a configuration's; a sweep is none."""
        return "config_hash" in self.tags


def read_database(folder: Path) -> list[Logged]:
    """Return every run, sweeps included, without MLflow: it would repair a database that is half made."""
    if not (folder / "mlflow.db").is_file():
        return []
    with closing(sqlite3.connect(folder / "mlflow.db")) as database:
        try:
            rows = database.execute("SELECT run_uuid, status, artifact_uri FROM runs").fetchall()
            return [
                Logged(
                    run_id,
                    status,
                    Path((uri or "").removeprefix("file://")),
                    dict(database.execute("SELECT key, value FROM tags WHERE run_uuid = ?", [run_id]).fetchall()),
                    database.execute(SCORED, [run_id]).fetchone()[0] > 0,
                )
                for run_id, status, uri in rows
            ]
        except sqlite3.OperationalError:  # the fault came before the tables
            return []
