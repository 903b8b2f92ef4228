"""The folder that the command and its Slurm jobs share: what each is to train, its answers, its log. Plain JSON.

outputs/slurm/<parent run>/<round>/0.json      the jobs of task 0, written by the command
outputs/slurm/<parent run>/<round>/0.answers   one line for each as it ends, written by the task
outputs/slurm/<parent run>/<round>/12_0.log    what the task says, written by Slurm for array 12
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config.schema import Config
from pipeline.launching.answers import write_job

if TYPE_CHECKING:
    from pipeline.tracking.store import Store

PATTERN = "%A_%a.log"  # of sbatch, for a log's name


def tell_of_sqlite(store: "Store", tell: Callable[[str], None]) -> None:
    """Say that runs lie in a file that few shared disks can keep, if they do."""
    if store.folder is not None:
        tell(
            "launcher=slurm: runs are kept in SQLite, which few network disks can share; on several nodes use a server"
        )


def batch_file(folder: Path, index: int) -> Path:
    """Return the file with the jobs of a task; the command that takes a task for dead removes it."""
    return folder / f"{index}.json"


def write_batch(folder: Path, index: int, jobs: Mapping[int, Config]) -> None:
    """Write what a task is to train.

    Args:
        folder: Of a round of tasks.
        index: Of the task.
        jobs: By their places in the sweep. The store's address, which may hold a password, is left out: it goes by
            the environment.
    """
    bare = {place: replace(job, tracking=replace(job.tracking, uri=None)) for place, job in jobs.items()}
    text = json.dumps([write_job(place, job) for place, job in bare.items()])
    batch_file(folder, index).write_text(text, encoding="utf-8")


def read_batch(folder: Path, index: int) -> list[dict[str, Any]]:
    """Return what a task is to train, as `pipeline.launching.answers` takes it."""
    jobs: list[dict[str, Any]] = json.loads(batch_file(folder, index).read_text(encoding="utf-8"))
    return jobs


def add_answer(folder: Path, index: int, answer: Mapping[str, Any]) -> None:
    """Write an answer, a line of its own, whatever a writer that was killed has left before it."""
    with (folder / f"{index}.answers").open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(answer)}\n")


def read_answers(folder: Path, index: int) -> list[dict[str, Any]]:
    """Return the answers of a task; a line that is not whole yet is left out."""
    file = folder / f"{index}.answers"
    lines = file.read_text(encoding="utf-8").split("\n") if file.exists() else []
    return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]


def read_log(log: Path, read: int) -> tuple[list[str], int]:
    """Return the whole lines of a log after the bytes that were read, and the bytes that are read then."""
    if not log.exists():
        return [], read
    with log.open("rb") as file:
        file.seek(read)
        fresh = file.read()
    whole = fresh[: fresh.rfind(b"\n") + 1]
    return whole.decode(errors="replace").splitlines(), read + len(whole)


def name_work(written: Mapping[str, Any]) -> str:
    """Name what a written job trains, whichever sweep asks for it."""
    config = {key: value for key, value in written["config"].items() if key not in ("resume", "workers", "slurm")}
    own: dict[str, Any] = {"uri": None, "parent_run_id": None, "sweep_keys": []}
    return json.dumps(config | {"tracking": config["tracking"] | own}, sort_keys=True)


def collect_work(folders: Iterable[Path]) -> set[str]:
    """Return the names of all that the tasks of some rounds train."""
    files = [file for folder in folders for file in folder.glob("*.json")]
    return {name_work(written) for file in files for written in _read(file)}


def _read(file: Path) -> Sequence[Mapping[str, Any]]:
    jobs: Sequence[Mapping[str, Any]] = json.loads(file.read_text(encoding="utf-8"))
    return jobs
