"""Measure the baselines of a text on tiny shakespeare: nats and bits per character, seconds, memory; on one core.

python benchmarks/ngrams.py                                    81 % training, 9 % validation, the last 10 % test
python benchmarks/ngrams.py --lanes 50                         the same shares of each of 50 lanes
python benchmarks/ngrams.py --validation 0.1 --test 0          the last 10 % choose, and nothing is held out from that
python benchmarks/ngrams.py --path book.txt                    another text, UTF-8
"""
# ruff: noqa: E402 - the environment is prepared before NumPy is imported

import argparse
import lzma
import math
import os
import resource
import time
from collections.abc import Sequence
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np

from pipeline.base.paths import data_dir
from pipeline.baselines.text.compressors import compress_bz2, compress_xz, measure_bits
from pipeline.baselines.text.ngrams import fit_ngrams
from pipeline.baselines.text.pieces import Piece

MOST = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--path", type=Path, default=data_dir() / "tinyshakespeare.txt.xz", help="a text, plain or .xz")
    parser.add_argument("--lanes", type=int, default=1, help="contiguous pieces that are split alike")
    parser.add_argument("--validation", type=float, default=0.09, help="share before the test part")
    parser.add_argument("--test", type=float, default=0.1, help="share at the end")
    given = parser.parse_args()
    content = given.path.read_bytes()
    text = (lzma.decompress(content) if given.path.suffix == ".xz" else content).decode()
    alphabet, ids = np.unique(np.array(list(text)), return_inverse=True)  # (characters,)
    train, validation, test = [], [], []
    for lane in np.array_split(ids, given.lanes):
        second = len(lane) - math.floor(len(lane) * given.test)
        first = second - math.floor(len(lane) * given.validation)
        train.append(lane[:first])
        validation.append(Piece(lane[:second], first))
        test.append(Piece(lane, second))
    measure_ngrams(train, validation, test, len(alphabet))
    if given.test > 0:
        spelt = [
            b"".join("".join(alphabet[each]).encode() for each in part) for part in (train, [p.scored for p in test])
        ]
        measure_compressors(*spelt, sum(len(each.scored) for each in test))


def measure_ngrams(
    train: Sequence[np.ndarray], validation: Sequence[Piece], test: Sequence[Piece], vocabulary_size: int
) -> None:
    """Fit up to each order, as a run with that order as the highest would."""
    print("        validation            test")
    print("order  nats    bits    nats    bits  fit s  score s  peak MB")
    for most in range(1, MOST + 1):
        started = time.process_time()
        model = fit_ngrams(train, validation, vocabulary_size, most)
        fitted = time.process_time()
        costs = model.costs(test, most)
        scored = time.process_time()
        nats = (model.validation_costs[-1], costs.mean() if len(costs) else math.nan)
        shown = "  ".join(f"{each:.4f}  {each / math.log(2):.4f}" for each in nats)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{most:>5}  {shown}  {fitted - started:5.2f}  {scored - fitted:7.2f}  {peak:7.0f}")
    print(f"chosen by validation: order {model.order}")


def measure_compressors(train: bytes, part: bytes, characters: int) -> None:
    for name, compress in (("xz", compress_xz), ("bz2", compress_bz2)):
        started = time.process_time()
        bits = measure_bits(compress, train, part) / characters
        print(f"{name:>5}  {'':14}  {bits * math.log(2):.4f}  {bits:.4f}  {time.process_time() - started:5.2f}")


if __name__ == "__main__":
    main()
