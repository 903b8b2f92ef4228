"""Measure pipeline.write: characters per second of a 2 x LSTM(128) over 65 characters, on one core.

    make bench-write                  seconds

The weights are random: what a network has learnt changes no time. Writing is measured as the command does it, to where
nobody reads, and its parts alone: the step of the network, and the choice of a character. Each is the best of
five rounds, in the processor time of all threads, so that other programs do not change it. NumPy has one thread, as
the command gives it.
"""

import os
import sys
import time
from collections.abc import Callable

import numpy as np

from pipeline.command.written import print_texts
from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Source, Token
from pipeline.data.vocabulary import build_vocabulary
from pipeline.models.plan import plan_layers
from pipeline.serving.sampling import Dice, Sampling
from pipeline.serving.surprise import score_text
from pipeline.serving.writer import Writer, make_writer
from pipeline.serving.writing import begin_writing

REQUIRED = 5_000  # characters per second, one text
LENGTH = 4_000  # characters of a round
ROUNDS = 5
ROWS = (1, 3, 16)


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    writer = make_random_writer()
    begins = writer.vocabulary.encode("\n")
    print(f"{'':<28}{'characters per second':>23}")
    for rows in ROWS:
        seconds = seconds_of(lambda rows=rows: write(writer, Sampling(0.8), begins, rows))
        required = f"   required {REQUIRED:,}" if rows == 1 else ""
        print(f"{f'write, {rows} text(s)':<28}{rows * LENGTH / seconds:>23,.0f}{required}")
    seconds = seconds_of(lambda: write(writer, Sampling(0.8, top_k=20, top_p=0.9), begins, 1))
    print(f"{'write, top_k and top_p':<28}{LENGTH / seconds:>23,.0f}")
    text = writer.vocabulary.decode(np.arange(LENGTH) % len(writer.vocabulary))
    print(f"{'score':<28}{LENGTH / seconds_of(lambda: score_text(writer, begins, text)):>23,.0f}")
    logits, memory = writer.read_all(begins, 1)
    dice, sampling, states = Dice(np.array([1])), Sampling(0.8), list(memory)
    one = np.ones((1, 1), np.float32)
    step = seconds_of(lambda: [writer.network.step(one, states) for _ in range(LENGTH)]) / LENGTH
    choice = seconds_of(lambda: [sampling.choose(logits, dice.roll()) for _ in range(LENGTH)]) / LENGTH
    print(f"\none step of the network {step * 1e6:.0f} us, one choice {choice * 1e6:.0f} us")


def make_random_writer() -> Writer:
    dataset = DatasetConfig(name="random", source=Source.text, path="random.txt", token=Token.char)
    config = Config(stateful=True, return_sequences=True, dataset=dataset, model=ModelConfig(units=[128, 128]))
    characters = np.array([10, *range(32, 96)], np.uint32)  # 65
    vocabulary, _ = build_vocabulary(Token.char, characters, characters, 0)
    random = np.random.default_rng(0)
    shapes = [shape for layer in plan_layers(config, 1, len(vocabulary)) for shape in layer.weight_shapes]
    return make_writer(config, vocabulary, 1, [random.normal(scale=0.1, size=shape) for shape in shapes])


def write(writer: Writer, sampling: Sampling, begins: np.ndarray, rows: int) -> None:
    """Write to where nobody reads, flushed as the command does."""
    shown = sys.stdout
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: PTH123
        sys.stdout = nowhere
        try:
            print_texts(begin_writing(writer, sampling, 1, begins, rows), "", LENGTH, None)
        finally:
            sys.stdout = shown


def seconds_of(act: Callable[[], object]) -> float:
    """Return the processor time of one call: the best of some rounds."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        act()
        rounds.append(time.process_time() - start)
    return min(rounds)


if __name__ == "__main__":
    main()
