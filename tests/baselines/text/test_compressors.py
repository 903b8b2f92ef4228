"""Compressors: a part that was seen costs nothing, noise costs its bits, and how far each of them sees."""

import lzma

import numpy as np

from pipeline.baselines.text.compressors import compress_bz2, compress_xz, measure_bits

NOISE = np.random.default_rng(0).integers(0, 256, 1_000_000).astype(np.uint8).tobytes()  # more than a block of bzip2


def test_noise_costs_its_bits_and_what_was_seen_costs_almost_none() -> None:
    """The part would be measured without what the training part tells about it, or the training part with it."""
    train, part = NOISE[:20_000], NOISE[20_000:30_000]
    for compress in (compress_xz, compress_bz2):
        assert 0.99 < measure_bits(compress, train, part) / (8 * len(part)) < 1.1
        assert measure_bits(compress, train, train[5_000:15_000]) / (8 * 10_000) < 0.5
    assert measure_bits(compress_xz, b"", b"") == measure_bits(compress_bz2, b"", b"") == 0


def test_xz_sees_all_of_the_training_part_and_bzip2_only_its_own_block() -> None:
    """The dictionary would be smaller than the text; or the caveat about blocks of 900 kB would be wrong."""
    part = NOISE[:20_000]
    assert measure_bits(compress_xz, NOISE, part) / (8 * len(part)) < 0.05
    assert measure_bits(compress_bz2, NOISE, part) / (8 * len(part)) > 0.99


def test_xz_is_what_the_command_gives() -> None:
    """Nobody could repeat the number with `xz -9e`."""
    text = b"To be, or not to be, that is the question. " * 50
    assert abs(len(compress_xz(text)) - len(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))) <= 4
