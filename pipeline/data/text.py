"""A text as a run needs it: its tokens as ids, its parts, and the chunks that a network learns.

A text is one column of ids. It is split at its end, or at the end of each of `batch_size` lanes:

    split=end      |------------------ train ------------------|- validation -|- test -|
    split=lanes    |------ train ------|- val -|- test -||------ train ------|- val -|- test -||- rest

Training windows are chunks of look_back tokens that touch (dataset.stride says otherwise), each token with the next one
as its target. A stateful network reads `batch_size` lanes of them side by side, as char-rnn does. Every token of the
validation and the test part is scored; what is read before its first one is true past, the state is fresh.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Scaler, TextSplit
from pipeline.data.arrays import IntArray
from pipeline.data.contract import check_contract
from pipeline.data.lanes import Batches, batch_lanes
from pipeline.data.prepared import PreparedData
from pipeline.data.scaling import fit_scaling
from pipeline.data.series import Series
from pipeline.data.split import PARTS, Split, round_down
from pipeline.data.text_series import tokens_of
from pipeline.data.transforms import forward_transforms
from pipeline.data.vocabulary import build_vocabulary
from pipeline.data.window_spec import make_window_spec
from pipeline.data.windows import Windows
from pipeline.models.heads.registry import head_of

_REST = len(PARTS)  # of tokens that no part holds


@dataclass(frozen=True)
class Stretch:
    """Consecutive tokens of one part.

    Attributes:
        first: Its first token.
        end: One after its last.
    """

    first: int
    end: int

    def __len__(self) -> int:
        """Return the number of tokens."""
        return self.end - self.first


def split_text(config: Config, length: int) -> dict[str, list[Stretch]]:
    """Cut a text into the pieces of each part.

    Args:
        config: dataset.split, the fractions, and `batch_size`, the number of lanes.
        length: Tokens of the text.

    Returns:
        The pieces of `train`, `validation` and `test`: one each, or one for each lane.

    Raises:
        UserError: If a piece is shorter than two tokens.
    """
    lanes = config.batch_size if config.dataset.split is TextSplit.lanes else 1
    each = length // lanes
    test = round_down(each * (1 - config.dataset.test_fraction))
    validation = test - round_down(each * config.dataset.validation_fraction)
    borders = (0, validation, test, each)
    for part, size in zip(PARTS, np.diff(borders), strict=True):
        if size < 2:
            raise UserError(
                f"dataset '{config.dataset.name}' with {length} tokens in {lanes} lane{'s' * (lanes > 1)} leaves "
                f"{size} for the {part} part; change dataset.validation_fraction and dataset.test_fraction, or lower "
                "batch_size"
            )
    return {
        part: [Stretch(lane * each + borders[number], lane * each + borders[number + 1]) for lane in range(lanes)]
        for number, part in enumerate(PARTS)
    }


def prepare_text(config: Config, series: Series) -> PreparedData:
    """Prepare a text for one configuration.

    Args:
        config: The configuration of the run.
        series: As `load_text` gave it.

    Returns:
        The data; its series holds ids of the vocabulary, which is made of the training part.

    Raises:
        UserError: If text and configuration do not go together.
    """
    pieces = split_text(config, len(series))
    split = _name_parts(pieces, len(series))
    tokens, in_train = tokens_of(series, config.dataset.token), split.rows("train")
    vocabulary, notes = build_vocabulary(
        config.dataset.token, tokens[in_train], tokens[~in_train], config.dataset.vocabulary
    )
    ids = vocabulary.encode(tokens)
    encoded = replace(
        series,
        values=ids[:, None].astype(float),
        words=vocabulary.tokens,  # in its digest: ids alone are those of any text of the same pattern
        notes=(*series.notes, *notes),
    )
    spec = replace(make_window_spec(config, encoded), answer_size=len(vocabulary))
    train = [_chunks(config, piece) for piece in pieces["train"]]
    if not all(len(starts) for starts in train):
        raise UserError(
            f"dataset '{config.dataset.name}': a lane has {len(pieces['train'][0])} training tokens, fewer than "
            f"look_back={config.look_back} and one more; lower look_back or batch_size"
        )
    scored = {part: [_scored_starts(config, piece) for piece in pieces[part]] for part in ("validation", "test")}
    each = sorted((starts for part in scored.values() for starts in part), key=lambda starts: int(starts[0]))
    starts = np.concatenate(each)
    inputs = ids[:, None].astype(np.float32)
    windows = Windows(
        inputs=inputs,
        targets=inputs,
        spec=spec,
        starts=starts,
        train=np.concatenate(train),
        validation=np.concatenate(scored["validation"]),
        first_of_series=np.repeat([some[0] for some in each], [len(some) for some in each]),
    )
    lanes = _lay_lanes(config, pieces["train"]) if config.stateful else None
    if lanes is not None:
        windows = replace(windows, train=np.unique(lanes.starts[lanes.weights > 0]))
    return PreparedData(
        series=encoded,
        split=split,
        transformed=forward_transforms(encoded.values, [], 1),
        scaling=fit_scaling(Scaler.none, [encoded.values]),
        windows=windows,
        lanes=lanes,
        head=head_of(config),
        vocabulary=vocabulary,
        tokens=tokens,
    )


def describe_text(config: Config, data: PreparedData) -> Iterator[str]:
    """Say what a text was cut into: sentences without a final stop."""
    assert data.vocabulary is not None
    counts = ", ".join(f"{data.split.count(part)} {part}" for part in PARTS)
    yield f"{len(data.series)} tokens ({config.dataset.token.value}), {len(data.vocabulary)} different: {counts}"
    rest = int((data.split.parts == _REST).sum())
    if rest:
        yield f"{rest} tokens at the end fill no lane and are left out"
    if config.stateful and not config.answers_every_step:
        yield (
            f"return_sequences=false learns one token of every look_back={config.look_back}; "
            "return_sequences=true learns each"
        )


def _name_parts(pieces: dict[str, list[Stretch]], length: int) -> Split:
    parts = np.full(length, _REST)
    for number, part in enumerate(PARTS):
        for piece in pieces[part]:
            parts[piece.first : piece.end] = number
    return Split(parts)


def chunk_stride(config: Config) -> int:
    """Return how many tokens lie from the beginning of a training window to that of the next one."""
    natural = config.look_back if config.answers_every_step or config.stateful else 1
    return natural if config.dataset.stride is None or config.stateful else config.dataset.stride


def _chunks(config: Config, piece: Stretch) -> IntArray:
    """Return the starts of the training windows of a piece: every target lies in it."""
    return np.arange(piece.first, piece.end - config.look_back, chunk_stride(config))


def _scored_starts(config: Config, piece: Stretch) -> IntArray:
    """Return the starts of the windows that forecast each token of a piece from the tokens before it."""
    return np.arange(piece.first, piece.end) - config.look_back


def _lay_lanes(config: Config, pieces: Sequence[Stretch]) -> Batches:
    """Lay lanes side by side, all of one length: a rest that fills no chunk of every lane is left out."""
    if len(pieces) == 1:
        each = len(pieces[0]) // config.batch_size
        pieces = [
            Stretch(pieces[0].first + lane * each, pieces[0].first + (lane + 1) * each)
            for lane in range(config.batch_size)
        ]
    lanes = [_chunks(config, piece) for piece in pieces]
    if not all(len(lane) for lane in lanes):
        raise UserError(
            f"batch_size={config.batch_size} makes lanes of {len(pieces[0])} training tokens, fewer than "
            f"look_back={config.look_back} and one more; lower batch_size or look_back"
        )
    counted = np.concatenate(lanes)
    batches = batch_lanes(lanes, config.batch_size, counted)
    check_contract(batches, lanes, counted, config.dataset.order, config.look_back)
    return batches
