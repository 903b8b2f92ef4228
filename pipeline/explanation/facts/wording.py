"""The experiment in plain words: one sentence, and short answers to the questions that it raises."""

from collections.abc import Iterator

from pipeline.config.schema import Config, Horizons, LagsAs, Order, TextSplit, Wiring
from pipeline.data.notes import describe_data, describe_embedding, describe_head, describe_normalise, describe_skip
from pipeline.data.prepared import PreparedData
from pipeline.explanation.facts.accounts import Counts
from pipeline.explanation.facts.labels import Labels, name_frequency, name_rows, name_some

_MOST_ANSWERS = 4


def summarize(config: Config, data: PreparedData, counts: Counts) -> str:
    """Say what goes in, what comes out and what is remembered, in one sentence."""
    wiring = config.wiring.value.replace("_", "-")
    kind = f"{wiring}, {'stateful' if config.stateful else 'stateless'}" if config.can_carry else wiring
    return f"{kind}: {_ingoing(config, data)} in, {_outgoing(config, data)} out; {_remembered(config, counts)}."


def _ingoing(config: Config, data: PreparedData) -> str:
    if data.vocabulary is not None:
        return _count(config.look_back, "token")
    what = " ".join(filter(None, (name_frequency(data.series.timestamps), "value" + "s" * (config.look_back > 1))))
    features = name_some(data.series.features)
    each = " each" if len(data.series.features) > 1 else ""
    as_features = config.dataset.lags_as is LagsAs.features and config.look_back > 1
    return f"{config.look_back} {what}{each} of {features}" + (" as features of one time step" if as_features else "")


def _outgoing(config: Config, data: PreparedData) -> str:
    targets = "token" if data.vocabulary is not None else name_some(data.series.targets)
    if config.dataset.horizons is Horizons.all and config.horizon > 1:
        out = f"the next {config.horizon} of {targets}"
    else:
        out = f"the next {targets}" if config.horizon == 1 else f"{targets} {config.horizon} steps ahead"
    return f"after every one of them {out}" if config.answers_every_step else out


def _remembered(config: Config, counts: Counts) -> str:
    if config.wiring is Wiring.one_to_one:
        return "no layer has a state, so nothing is remembered"
    if not config.stateful:
        return "every window starts from a zero state, so nothing is remembered between windows"
    return "the state is carried along " + ("1 lane" if counts.num_lanes == 1 else f"{counts.num_lanes} lanes")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number > 1)}"


def answer_questions(config: Config, data: PreparedData, counts: Counts, labels: Labels) -> tuple[str, ...]:
    """Answer what people ask about such a configuration; nothing where it raises no question."""
    return tuple(_answers(config, data, counts, labels))[:_MOST_ANSWERS]


def _answers(config: Config, data: PreparedData, counts: Counts, labels: Labels) -> Iterator[str]:
    if data.vocabulary is not None:
        yield from _text_answers(config, data, labels)
        yield from (f"{note}." for note in describe_data(config, data))
        return
    yield from (f"{note}." for note in data.series.notes)  # what was guessed or left out when the file was read
    if data.series.future:
        yield _explain_decoder(data) if config.decodes_future else _explain_future(data, labels)
    if config.model.embedding is not None:
        yield f"{describe_embedding(config, data)}."
    if config.normalises:
        yield f"{describe_normalise(config)}."
    if config.skips:
        yield f"{describe_skip()}."
    if data.head.levels:
        yield f"{describe_head(config, data)}."
    if config.dataset.order is Order.overlapping:
        for note in describe_data(config, data):
            if note.startswith("dataset.order=overlapping"):
                yield f"Warning: {note}."
    if config.training.online:
        yield from _online_answers(config)
    elif data.lanes is not None:
        yield from _stateful_answers(config, data, counts, labels)
    elif config.can_carry and config.time_steps == 1:
        yield (
            "One time step and a zero state before it: the recurrence does nothing here. A larger look_back, or "
            "stateful=true, gives the network a past."
        )
    elif config.can_carry:
        yield (
            f"The windows may be shuffled, and batch_size={config.batch_size} only says how many share a weight "
            "update: no window ever sees the state of another."
            + (" stateful=true would carry it." if not config.reads_whole_windows else "")
        )
    if config.answers_every_step:
        yield (
            "Every output is trained on, the last one of a window is the forecast that is scored: in training the "
            "first output has read 1 value, the last " + f"{config.look_back}."
            if not config.stateful
            else "Every output is trained on, the last one of a window is the forecast that is scored."
        )
    if config.dataset.lags_as is LagsAs.features and config.look_back > 1:
        yield (
            f"The {config.look_back} past rows are features of one time step: the network reads them at once, as a "
            "dense layer does; dataset.lags_as=time_steps makes them a sequence."
        )
    if config.wiring in (Wiring.one_to_many, Wiring.encoder_decoder) and not config.decodes_future:
        yield (
            "The decoder is given the same vector at every step, never its own forecasts or the true values: it "
            "learns from its state how far ahead it is."
        )


def _explain_future(data: PreparedData, labels: Labels) -> str:
    """Say from which rows inputs come that are known ahead."""
    spec, first = data.windows.spec, int(data.windows.train[0])
    last = first + spec.origin + spec.future_steps[-1]
    one, rows = len(spec.future_columns) == 1, len(spec.future_steps)
    what, come = ("value", "it comes") if one else ("values", "they come")
    after = "the next row" if rows == 1 else f"each of the next {rows} rows"
    return (
        f"Known ahead (dataset.future): {name_some(spec.future_columns)}. Every row is read with its own {what} and "
        f"{'that' if one else 'those'} of {after}; the last one, t, with {name_rows(spec.future_steps)}. In the first "
        f"training window {come} from {labels.span(first, last)}, all else from "
        f"{labels.span(first, first + spec.origin)}."
    )


def _explain_decoder(data: PreparedData) -> str:
    """Say which part of an encoder-decoder reads what is known ahead."""
    names = name_some(data.windows.spec.future_columns)
    return (
        f"Known ahead (dataset.future): {names}. The encoder reads those of the past rows, as all else; the decoder at "
        "each step the encoder's last h and those of the row that it forecasts (model.decoder=future), never its own "
        "forecasts or the true values of the target."
    )


def _text_answers(config: Config, data: PreparedData, labels: Labels) -> Iterator[str]:
    """Say what validation and test read, what is carried, and what the parts of lanes are."""
    length = config.look_back
    if config.stateful:
        reads = f"from a fresh state that first reads the {_count(length, 'token')} before them"
    elif config.answers_every_step:
        reads = f"in chunks of {length}, each from a state of zero, as in training"
    else:
        reads = f"each from the {_count(length, 'token')} before it"
    pieces = ""
    if config.dataset.split is TextSplit.lanes:
        validation, test = (data.split.count(part) // config.batch_size for part in ("validation", "test"))
        pieces = f" of every lane ({validation} and {test} of {len(data.series) // config.batch_size})"
    yield f"Every token of the validation and of the test part{pieces} is scored, {reads}."
    lanes = data.lanes
    if lanes is None:
        noun = "chunks" if config.answers_every_step else "windows"
        yield f"The {noun} are shuffled in every epoch; stateful=true would carry the state from one to the next."
    elif len(lanes.starts) > 1:
        origin = data.windows.spec.origin
        first, second = (labels.read(start, start + origin) for start in lanes.starts[:2, 0].tolist())
        yield (
            f"What is carried: the state after {first} is where {second} begins. The gradient reaches {length} tokens "
            "back, to the first one of a chunk."
        )


def _online_answers(config: Config) -> Iterator[str]:
    yield (
        "Online: one pass over the whole series, also its test part. At each batch the network first forecasts, and "
        "that forecast is scored; then it learns from what came. No forecast knows a later value."
    )
    if config.time_steps > 1:
        yield (
            f"The window moves on by one row and the state with it: the state before its first row is carried, and the "
            f"gradient reaches {config.time_steps} time steps back."
        )


def _stateful_answers(config: Config, data: PreparedData, counts: Counts, labels: Labels) -> Iterator[str]:
    if config.batch_size == 1 and counts.num_lanes > 1:
        yield (
            "batch_size=1 is not needed for stateful=true: every row of a batch has a state of its own. Up to "
            f"batch_size={counts.num_lanes} these lanes lie side by side."
        )
    elif config.batch_size == 1 and config.dataset.order is Order.phases:
        yield (
            "There is one lane, so batch_size=1 is all that fits; dataset.segments=S cuts the training part into S "
            "pieces and makes S times as many."
        )
    lane = data.lanes
    if lane is not None and len(lane.starts) > 1 and not lane.resets[1] and config.dataset.order is Order.phases:
        origin = data.windows.spec.origin
        first, second = (labels.span(start, start + origin) for start in lane.starts[:2, 0].tolist())
        yield (
            f"What is carried: the state after {first} is where {second} begins. The gradient still ends at "
            f"the first step of a window: it reaches {config.time_steps} time steps back."
        )
    if counts.num_padded:
        yield (
            f"Lanes of unequal length leave {counts.num_padded} places empty: a window is repeated there with weight "
            "0, which adds nothing to the loss."
        )
    yield "Validation never touches this state; a test forecast starts from the state after the whole true past."
