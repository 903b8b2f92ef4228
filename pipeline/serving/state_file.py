"""What a stream remembers, in one file: plain arrays, versioned, bound to one model, replaced in one move."""

import json
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.base.paths import replace_file

VERSION = 1
# What a damaged zip raises, depending on the byte; RuntimeError: a flag that says it is encrypted.
_DAMAGED = (OSError, ValueError, KeyError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)


@dataclass(frozen=True)
class SavedState:
    """The lanes of a stream at one moment.

    Attributes:
        names: Name of each lane.
        rows: Rows of the stream that each lane has consumed, its history not counted.
        last: Key of the last timestamp of each lane; NaN where none is known.
        arrays: `Lanes.arrays`, those of the intervals, and whatever else; each with the lanes in front.
        digest: Of the model that it belongs to, once it is read from a file.
        position: Where its source is, of one that knows; see `pipeline.command.broker`.
        drift: `LaneDrift.arrays`; empty in files of before there were any.
        journal: Number of the first journal with rows that came after it; see `pipeline.service.journal`.
    """

    names: Sequence[str]
    rows: Sequence[int]
    last: Sequence[float]
    arrays: Sequence[np.ndarray]
    journal: int = 0
    digest: str = ""
    position: str = ""
    drift: Sequence[np.ndarray] = ()


def save_state(path: Path, digest: str, state: SavedState) -> None:
    """Write the file in one move: after a crash it holds the old or the new state, never half of one."""
    count = len(state.names)
    fixed = {
        "version": np.array(VERSION),
        "digest": np.array(digest),
        "names": np.frombuffer(json.dumps(list(state.names)).encode(), np.uint8),
        "rows": np.array(state.rows, dtype=np.int64),
        "last": np.array(state.last, dtype=np.float64),
        "journal": np.array(state.journal),
        "position": np.array(state.position),
    }
    kinds = {"array": state.arrays, "drift": state.drift}
    arrays = {f"{kind}_{place:03d}": each[:count] for kind, some in kinds.items() for place, each in enumerate(some)}
    with replace_file(path) as file:
        np.savez(file, allow_pickle=False, **fixed, **arrays)


def load_state(path: Path, digest: str | None) -> SavedState:
    """Read the file; `digest` is that of the model that it must belong to, None: any.

    Raises:
        UserError: If it is damaged, of another version, or of another model.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            version, owner = int(file["version"]), str(file["digest"])
            names = [str(name) for name in json.loads(file["names"].tobytes())]
            arrays, drift = (
                [file[name] for name in sorted(file.files) if name.startswith(kind)] for kind in ("array_", "drift_")
            )
            journal = int(file["journal"]) if "journal" in file.files else 0  # before there were any
            position = str(file["position"]) if "position" in file.files else ""  # likewise
            state = SavedState(
                names, file["rows"].tolist(), file["last"].tolist(), arrays, journal, owner, position, drift
            )
            if not len(set(names)) == len(state.rows) == len(state.last):
                raise ValueError("its parts have different lengths")
    except _DAMAGED as error:
        reason = str(error).splitlines()[0] if str(error) else "it is empty"
        raise UserError(f"state={path} is not a state file ({reason}); remove it to start anew") from error
    if version != VERSION:
        raise UserError(f"state={path} has version {version}, but this program writes {VERSION}; remove it")
    if digest is not None and owner != digest:
        raise UserError(
            f"state={path} belongs to another model ({owner[:12]}, this one is {digest[:12]}); choose the run that "
            "wrote it, or another file"
        )
    return state
