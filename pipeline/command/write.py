"""Let a network write: `python -m pipeline.write run=best prime="ROMEO:"`."""

import io
import os
import re
import sys
from dataclasses import MISSING, dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.interrupt import listen_for_interrupts
from pipeline.base.paths import check_state
from pipeline.base.terminal import say
from pipeline.base.text import show_names
from pipeline.command.arguments import Manual, option, run_entry
from pipeline.command.exits import DONE
from pipeline.command.served import ServedRun
from pipeline.command.written import print_score, print_score_json, print_texts, print_texts_json
from pipeline.config.schema import Token, TrackingConfig

if TYPE_CHECKING:
    from pipeline.data.arrays import IntArray
    from pipeline.serving.writer import Writer
    from pipeline.serving.writing import Writing

_BEFORE = "\n"  # what a text without a prime is taken to follow
_ESCAPES = {"\\n": "\n", "\\t": "\t", "\\\\": "\\"}
_MOST_SAMPLES = 1000


class Format(Enum):
    """How the answer is written."""

    text = "text"
    json = "json"


@dataclass(frozen=True, kw_only=True)
class Arguments(ServedRun):
    """The keys of the command."""

    run: str = option(MISSING, "A run of a text: its id in MLflow, best, or latest.", shown="RUN_ID|best|latest")
    network_seed: int | None = option(None, "Which trained seed of the run writes. Default: the best by validation.")
    prime: str | None = option(
        None,
        "What the text begins with: the network reads it, and it is printed. \\n is a line break, \\t a tab. Default: "
        "the text begins after a line break, which is not printed.",
    )
    length: int = option(500, "Tokens that are written: characters, bytes or words, as the run's dataset.token says.")
    temperature: float = option(
        0.8, "Below 1: the probable becomes more probable; above 1: less; 0: always the most probable token."
    )
    top_k: int | None = option(None, "Choose among so many of the most probable tokens only.")
    top_p: float | None = option(
        None, "Choose among the most probable tokens only that have this probability together, above 0 to 1."
    )
    seed: int | None = option(None, "Of the random numbers: the same text again. Default: 1, or as state goes on.")
    samples: int = option(1, "Texts that are written side by side; the first one is printed as it is written.")
    state: Path | None = option(
        None,
        "A file that keeps what the network remembers at the end. If it exists the text goes on from it, as if there "
        "had been no stop; a prime is read after it.",
    )
    score: Path | None = option(
        None,
        "Write nothing: read this text file, encoded as the run's own, after the prime, and say what it costs the "
        "network.",
    )
    places: int = option(10, "With score: the most surprising places that are shown.")
    format: Format = option(Format.text, "json: one object, when all is written or read.")


MANUAL = Manual(
    command="python -m pipeline.write",
    purpose=(
        "Lets a network that was trained on a text write, one token at a time, as it is sampled; or reads a text with "
        "it and says what each token costs. Only the text goes to stdout, everything else to stderr."
    ),
    examples=(
        ('run=best prime="ROMEO:"', "500 characters, by the best run by validation"),
        ("run=RUN_ID temperature=0.5 length=2000 samples=3", "three texts of more probable characters"),
        ("run=best state=play.npz >> play.txt", "every call continues the text"),
        ("run=best score=mine.txt", "nats per token, bits per character, and the most surprising places"),
        ("run=best score=mine.txt format=json", '{"nats_per_token": ..., "bits_per_character": ..., "tokens": ...}'),
    ),
    notes=(
        "The state is carried from token to token. Only a stateless network with return_sequences=false, which has "
        "learnt from windows of look_back tokens, reads such a window for every token, and needs as much longer.",
        "Spaces at the edges of a prime are left out; quotes keep them: prime=\"'To be, '\". A character that the "
        "network was not trained on is refused by name. A word that it does not know is read, and counted, as <unk>; "
        "<unk> is never written.",
        "With several samples a blank line stands between the texts. Each has random numbers of its own: the first is "
        "the one of samples=1.",
        "On a terminal control characters that a text may hold are shown as escapes such as \\x1b.",
        "Exit code: 0 done, or the pipe was closed; 1 failed, 2 wrong input, 130 Ctrl-C, after which state holds what "
        "was written.",
    ),
)


def main() -> None:
    """Run the command line and exit with 0, 1, 2 or 130."""
    prepare_environment()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # NumPy reads it: more would wait for each other at every step
    listen_for_interrupts()
    sys.exit(run_entry(sys.argv[1:], Arguments, MANUAL, write_or_score))


def write_or_score(arguments: Arguments) -> int:
    """Do what the keys ask for.

    Raises:
        UserError: If the run, a key, the prime or a file cannot be used.
    """
    _check(arguments)
    from pipeline.api.forecasting import open_writer

    tracking = TrackingConfig(uri=arguments.uri, experiment_name=arguments.experiment)
    writer = open_writer(arguments.run, tracking, arguments.network_seed)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # a text is data: it leaves as it is, whatever the terminal is
    prime = re.sub(r"\\[nt\\]", lambda found: _ESCAPES[found[0]], arguments.prime or "")
    begins = _encode_prime(writer, prime)
    if arguments.score is not None:
        return _score(writer, begins, arguments.score, arguments)
    writing = _open_writing(writer, begins, arguments)
    if arguments.format is Format.json:
        print_texts_json(writing, prime, arguments.length, arguments.state)
    else:
        print_texts(writing, prime, arguments.length, arguments.state)
    return DONE


def _check(arguments: Arguments) -> None:
    at_least = {"length": 1, "samples": 1, "seed": 0, "places": 0}
    for key, least in at_least.items():
        number = getattr(arguments, key)
        if number is not None and number < least:
            raise UserError(f"{key} must be at least {least}, but got {key}={number}")
    if arguments.samples > _MOST_SAMPLES:
        raise UserError(f"samples must be at most {_MOST_SAMPLES}, but got samples={arguments.samples}")
    if arguments.score is not None and not arguments.score.is_file():
        raise UserError(f"score={arguments.score} is not a file that can be read from {Path.cwd()}; check the path")
    if arguments.state is None:
        return
    if arguments.score is not None:
        raise UserError("score reads a text after the prime, not after a state; leave state out")
    check_state(arguments.state)


def _encode_prime(writer: "Writer", prime: str) -> "IntArray":
    """Return the ids of the prime, none if there is none."""
    unknown = writer.vocabulary.list_unknown(prime)
    shown = show_names([repr(each) for each in unknown])
    if unknown and writer.vocabulary.kind is not Token.word:
        raise UserError(f"prime holds {shown}, which the network was not trained on; leave it out")
    if unknown:
        say(f"the prime holds words that the network does not know and reads as <unk>: {shown}")
    return writer.vocabulary.encode(prime)


def _begin(writer: "Writer", begins: "IntArray") -> "IntArray":
    """Return what a text begins with, where nothing was given a line break: a network must read something."""
    vocabulary = writer.vocabulary
    if len(begins):
        return begins
    return vocabulary.encode(_BEFORE if not vocabulary.list_unknown(_BEFORE) else vocabulary.tokens[0])


def _open_writing(writer: "Writer", begins: "IntArray", arguments: Arguments) -> "Writing":
    from pipeline.serving.sampling import Sampling
    from pipeline.serving.writing import begin_writing, resume_writing

    sampling = Sampling(arguments.temperature, arguments.top_k, arguments.top_p, writer.vocabulary.unknown)
    sampling.check()
    state = arguments.state
    if state is None or not state.exists():
        seed = 1 if arguments.seed is None else arguments.seed
        return begin_writing(writer, sampling, seed, _begin(writer, begins), arguments.samples)
    writing = resume_writing(writer, sampling, state, arguments.seed)
    if arguments.samples not in (1, writing.rows):
        raise UserError(f"state={state} holds {writing.rows} text(s), but got samples={arguments.samples}")
    say(f"state={state}: {writing.rows} text(s) go on after {writing.length} tokens")
    writing.read(begins)
    return writing


def _score(writer: "Writer", begins: "IntArray", path: Path, arguments: Arguments) -> int:
    from pipeline.data.text_files import read_file
    from pipeline.serving.surprise import find_surprises, score_text

    text = read_file(path, writer.config.dataset.encoding, "write it in the encoding of the run's own text")
    unknown = writer.vocabulary.list_unknown(text)
    if unknown and writer.vocabulary.unknown is not None:
        shown = show_names([repr(each) for each in unknown])
        say(f"{path} holds tokens that the network does not know and reads as <unk>: {shown}")
    scored = score_text(writer, _begin(writer, begins), text)
    if arguments.format is Format.json:
        print_score_json(scored)
    else:
        print_score(scored, find_surprises(scored, arguments.places), str(path))
    return DONE
