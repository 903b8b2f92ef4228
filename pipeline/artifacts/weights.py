"""The weights of all seeds of a run in one file of plain arrays: nothing in it can be executed."""

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.base.errors import UserError

FILE_NAME = "weights.npz"
ALL_ROWS_NAME = "weights_all_rows.npz"  # of the networks that training.all_rows trained again


@dataclass(frozen=True)
class SavedWeights:
    """The weights of a run.

    Attributes:
        seeds: Number of each seed. Shape (seeds,).
        best: Position of the seed with the lowest validation RMSE.
        arrays: As `get_weights` orders them; each with a seeds axis in front.
    """

    seeds: np.ndarray
    best: int
    arrays: Sequence[np.ndarray]

    def of_best(self) -> list[np.ndarray]:
        """Return the weights of the best seed."""
        return [array[self.best] for array in self.arrays]

    def of_seed(self, seed: int) -> "SavedWeights":
        """Return the same weights with another seed in the place of the best.

        Raises:
            UserError: If there is no such seed.
        """
        found = np.flatnonzero(self.seeds == seed)
        if not found.size:
            raise UserError(f"the run has no seed {seed}; it has {', '.join(map(str, self.seeds.tolist()))}")
        return replace(self, best=int(found[0]))

    def digest(self) -> str:
        """Return the sha256 of the best seed's weights: which network this is."""
        identity = hashlib.sha256()
        for array in self.of_best():
            identity.update(repr(array.shape).encode())
            identity.update(np.ascontiguousarray(array, dtype=np.float32).tobytes())
        return identity.hexdigest()


def save_weights(
    folder: Path, seeds: Sequence[int], best: int, weights: Sequence[Sequence[Any]], name: str = FILE_NAME
) -> None:
    """Write weights.npz, or another file like it.

    Args:
        folder: Where it goes.
        seeds: Number of each seed.
        best: Position of the seed with the lowest validation RMSE.
        weights: Of each seed, as `get_weights` gives them.
        name: What the file is called.
    """
    arrays = {f"weight_{number:03d}": np.stack(each) for number, each in enumerate(zip(*weights, strict=True))}
    np.savez(folder / name, allow_pickle=False, seeds=np.array(seeds), best=np.array(best), **arrays)


def name_weights(all_rows: bool) -> str:
    """Name the file of the networks that forecast the rows after the end.

    Args:
        all_rows: Whether they were trained again on all rows.
    """
    return ALL_ROWS_NAME if all_rows else FILE_NAME


def load_weights(path: Path) -> SavedWeights:
    """Read weights.npz.

    Raises:
        UserError: If it is not one.
    """
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            names = sorted(name for name in file.files if name.startswith("weight_"))
            saved = SavedWeights(file["seeds"], int(file["best"]), [file[name] for name in names])
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path.name} of the run cannot be read: {error}; train the run again") from error
    count = saved.seeds.size
    if not 0 <= saved.best < count or any(array.shape[:1] != (count,) for array in (saved.seeds, *saved.arrays)):
        raise UserError(f"{path.name} of the run is damaged: its arrays do not have one entry per seed")
    return saved
