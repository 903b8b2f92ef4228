"""Print what a network writes, as it is written, and what a text cost it."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.interrupt import check_interrupt, wait_for_safe_point
from pipeline.base.text import show_name

if TYPE_CHECKING:
    from pipeline.serving.surprise import ScoredText, Surprise
    from pipeline.serving.writing import Writing

_SECONDS_BETWEEN_FLUSHES = 0.004
_OBEYED = {number: f"\\x{number:02x}" for number in (*range(32), *range(127, 160)) if chr(number) not in "\t\n\r"}


def print_texts(writing: "Writing", prime: str, length: int, state: Path | None) -> None:
    """Print the first text as it is written, then the others, a blank line before each; save what is remembered.

    A first interrupt ends them where they are. Nothing is saved when the pipe is closed: what nobody has read is
    written again after a resume.
    """
    begin = _show(prime)
    others: list[list[str]] = [[] for _ in range(writing.rows - 1)]
    with wait_for_safe_point():
        sys.stdout.write(begin)
        next_flush = 0.0
        for first, *rest in _until_interrupt(writing.write(length)):
            sys.stdout.write(_show(first))
            for pieces, piece in zip(others, rest, strict=True):
                pieces.append(piece)
            if time.monotonic() >= next_flush:
                sys.stdout.flush()
                next_flush = time.monotonic() + _SECONDS_BETWEEN_FLUSHES
        for pieces in others:
            sys.stdout.write("\n\n" + begin + _show("".join(pieces)))
        if sys.stdout.isatty():
            sys.stdout.write("\n")  # the shell's prompt begins a line of its own
        sys.stdout.flush()
        _save(writing, state)


def print_texts_json(writing: "Writing", prime: str, length: int, state: Path | None) -> None:
    """Print one object: the prime, and each text after it; save what is remembered."""
    with wait_for_safe_point():
        texts = ["".join(pieces) for pieces in zip(*_until_interrupt(writing.write(length)), strict=True)]
        print(json.dumps({"prime": prime, "samples": texts}, ensure_ascii=False), flush=True)
        _save(writing, state)


def print_score(scored: "ScoredText", surprises: Sequence["Surprise"], name: str) -> None:
    """Print what a text cost, and the places where it cost most."""
    print(f"{name}: {len(scored.tokens):,} tokens, {len(scored.text):,} characters")
    print(f"{scored.nats_per_token:.4f} nats per token, {scored.bits_per_character:.4f} bits per character")
    if surprises:
        print("\nmost surprising, with the token in brackets\n   nats  line:column")
    for each in surprises:
        place = f"{each.line}:{each.column}"
        print(f"{each.nats:7.2f}  {place:<11}  {_name(each.before)}[{_name(each.token)}]{_name(each.after)}")


def print_score_json(scored: "ScoredText") -> None:
    """Print what a text cost as one object."""
    facts = {
        "nats_per_token": scored.nats_per_token,
        "bits_per_character": scored.bits_per_character,
        "tokens": len(scored.tokens),
    }
    print(json.dumps(facts))


def _until_interrupt(pieces: Iterator[list[str]]) -> Iterator[list[str]]:
    """Stop at the first interrupt, which the end of the safe block raises."""
    for each in pieces:
        yield each
        try:
            check_interrupt()
        except KeyboardInterrupt:
            return


def _save(writing: "Writing", state: Path | None) -> None:
    if state is not None:
        writing.save(state)


def _show(text: str) -> str:
    """Write what a terminal would obey as an escape; a pipe gets the text as it is."""
    return text.translate(_OBEYED) if sys.stdout.isatty() else text


def _name(text: str) -> str:
    return show_name(text, most=len(text) * 8 + 1)
