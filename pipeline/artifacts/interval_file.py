"""What the intervals of the best seed have learnt up to the end of its data, in one file of plain arrays."""

import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.base.errors import UserError
from pipeline.evaluation.conformal import Conformal

NAME = "intervals.npz"
_ARRAYS = ("ahead", "errors", "outside", "waiting", "radii", "pooled")


def save_intervals(folder: Path, conformal: Conformal, lanes: Sequence[str]) -> None:
    """Write intervals.npz.

    Args:
        folder: Where it goes.
        conformal: What the intervals have learnt.
        lanes: Names of its lanes, in their order; empty for a single series.
    """
    names = np.array(list(lanes), dtype=str)
    arrays = {name: getattr(conformal, name) for name in _ARRAYS}
    if conformal.halves is not None:
        arrays["halves"] = conformal.halves
    np.savez_compressed(folder / NAME, allow_pickle=False, levels=np.array(conformal.levels), lanes=names, **arrays)


def load_intervals(path: Path) -> tuple[Conformal, tuple[str, ...]]:
    """Read intervals.npz.

    Returns:
        What was learnt, and the names of its lanes; none for a single series, and in files of before they were kept.

    Raises:
        UserError: If it is not one.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            arrays = {name: file[name] for name in (*_ARRAYS, *({"halves"} & set(file.files)))}
            levels = tuple(file["levels"].tolist())
            names = tuple(file["lanes"].tolist()) if "lanes" in file.files else ()
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path.name} of the run cannot be read: {error}; train the run again") from error
    lanes, steps, targets, _ = arrays["errors"].shape if arrays["errors"].ndim == 4 else (0, 0, 0, 0)
    if arrays["ahead"].shape != (steps,) or arrays["outside"].shape != (lanes, steps, targets, len(levels)):
        raise UserError(f"{path.name} of the run is damaged: its arrays do not fit each other; train the run again")
    if names and len(names) != lanes:
        raise UserError(
            f"{path.name} of the run is damaged: it names {len(names)} of {lanes} lanes; train the run again"
        )
    return Conformal(levels, **arrays), names
