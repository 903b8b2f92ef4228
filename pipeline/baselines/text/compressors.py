"""Compressors as models of a text: how many bits a part adds to the compressed training part.

Each is what its command makes of a file at its strongest setting (`xz -9e`, `bzip2 -9`): nothing here is tuned. Headers
and checksums are in both sizes, so they cancel to a few bytes. A compressor learns from the part while it reads
it, which an n-gram model and a network do not.
"""

import bz2
import lzma
from collections.abc import Callable

_SMALLEST_DICTIONARY, _LARGEST_DICTIONARY = 4096, 3 << 29  # bytes; what xz accepts


def measure_bits(compress: Callable[[bytes], bytes], train: bytes, part: bytes) -> int:
    """Return the size of a part for somebody who has the training part: (size of both - size of the training part) * 8.

    Args:
        compress: `compress_xz` or `compress_bz2`.
        train: What may be copied from.
        part: What is measured; divide by its characters for bits per character.
    """
    return 8 * (len(compress(train + part)) - len(compress(train)))


def compress_xz(content: bytes) -> bytes:
    """Compress by LZMA2 at preset 9 extreme, with a dictionary that covers all of the text, up to 1.5 GiB."""
    size = min(max(len(content), _SMALLEST_DICTIONARY), _LARGEST_DICTIONARY)
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": size}]
    return lzma.compress(content, filters=filters)


def compress_bz2(content: bytes) -> bytes:
    """Compress by bzip2 at level 9, which knows nothing beyond the block of 900 kB it is in.

    So of a long training part only the tail in the part's own block helps: where the training part fills whole blocks,
    bzip2 compresses the part almost by itself. The number is what the program gives, not what its method could give.
    """
    return bz2.compress(content, compresslevel=9)
