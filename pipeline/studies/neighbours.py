"""What others report for tiny shakespeare, or for the example that a preset follows, and how they came by it.

Numbers are nats per character. Each stands in the source that is named beside it, or is marked as what it is; nothing
here was measured by us. Facets are worded as `describe_protocol` words those of a run, so that equal ones are equal.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

TINY = "tiny shakespeare, 1,115,394 characters"
Span = tuple[float, float]  # lowest and highest that is reported


class Way(Enum):
    """How a network reads a text in training; neighbours of a run read as it does."""

    carried = "chunks in order, the state carried from one to the next"
    chunks = "chunks in any order, a target at every character"
    window = "windows in any order, one target each"


@dataclass(frozen=True)
class Neighbour:
    """A reported loss.

    Attributes:
        name: For tables.
        ways: The ways of reading beside which it stands.
        ends: Whether it stands only beside runs whose test part is the end of the text.
        train: Training loss; None if none is reported.
        validation: Validation loss; None if none is reported.
        protocol: How it came about, by facet.
        source: Where it stands.
        quote: What stands there, or what is known of where it comes from.
    """

    name: str
    ways: frozenset[Way]
    train: Span | None
    validation: Span | None
    protocol: Mapping[str, str]
    source: str
    quote: str
    ends: bool = False


_EVERY_NUMBER = "every number cut at 5"
_RANDOM_CHUNKS = "random chunks, nothing remembered before them"
_NANO_SPLIT = "90 / 10 / 0 % in order"

NEIGHBOURS = (
    Neighbour(
        "char-rnn",
        frozenset({Way.carried}),
        train=None,
        validation=(1.40, 1.60),
        protocol={
            "text": TINY,
            "network": "2 x LSTM(128) on one-hot",
            "split": "95 / 5 / 0 % of each of 50 lanes",
            "state": "carried, from epoch to epoch as well, validation begins at zero in every lane",
            "batch": "50 x 50 characters",
            "learning rate": "rmsprop 0.002, times 0.97 every epoch after 10",
            "gradient": _EVERY_NUMBER,
            "epochs": "50",
            "reported": "a validation loss, as checkpoints are named by, whether the last or the lowest is not said",
        },
        source="https://github.com/karpathy/char-rnn/blob/master/train.lua",
        quote="The protocol is the defaults of train.lua. char-rnn prints no number in its pages: the range is what "
        "third parties are said to have reached, and we know no page that has number and settings together.",
    ),
    Neighbour(
        "torch-rnn",
        frozenset({Way.carried}),
        train=(1.6, 1.7),
        validation=(1.6, 1.7),
        protocol={
            "text": TINY,
            "network": "2 x LSTM(128) on 64 learnt numbers",
            "split": "80 / 10 / 10 % in order",
            "state": "carried, zero after every epoch and every validation",
            "batch": "50 x 50 characters",
            "learning rate": "adam 0.002, halved every 5 epochs",
            "gradient": _EVERY_NUMBER,
            "epochs": "50 at most, the report does not say how many were made",
            "reported": "where both losses are 'stuck', in words",
        },
        source="https://github.com/jcjohnson/torch-rnn/issues/17",
        quote="'torch-rnn is stuck at about 1.6 to 1.7 where char-rnn manages a considerably better loss with fewer "
        "epochs', all defaults in both.",
    ),
    Neighbour(
        "char-rnn-tensorflow",
        frozenset({Way.carried}),
        train=(1.295, 1.305),
        validation=None,
        protocol={
            "text": TINY,
            "network": "2 x LSTM(128) on 128 learnt numbers",
            "split": "nothing held out",
            "state": "carried, zero at the start of every epoch",
            "batch": "50 x 50 characters",
            "learning rate": "adam 0.002, times 0.97 every epoch",
            "gradient": "norm cut at 5",
            "epochs": "50",
            "reported": "the training loss of single batches at the end",
        },
        source="https://github.com/sherjilozair/char-rnn-tensorflow/pull/60",
        quote="'Without the fix, I attain a train_loss of 1.305 while in reaches 1.295 with the fix', defaults.",
    ),
    Neighbour(
        "TensorFlow's tutorial, a log of it",
        frozenset({Way.chunks}),
        train=(1.244, 1.244),
        validation=None,
        protocol={
            "text": TINY,
            "network": "GRU(1024) on 256 learnt numbers",
            "split": "nothing held out",
            "state": "zero at every chunk",
            "batch": "64 x 100 characters",
            "learning rate": "adam 0.001",
            "gradient": "never cut",
            "epochs": "10 of this log, the tutorial says 10 and runs 20",
            "reported": "the training loss, mean over the epoch, there is no validation",
        },
        source="https://github.com/alexchungio/GRU-Text-Generation (the tutorial: "
        "https://www.tensorflow.org/text/tutorials/text_generation)",
        quote="'Epoch 1 train Loss 2.6764590740203857', 'Epoch 10 train Loss 1.2439918518066406'; 1.111 after 14. A "
        "third party's log of its own copy of the code, which may differ from the tutorial's.",
    ),
    Neighbour(
        "Keras' example",
        frozenset({Way.window}),
        train=(1.2021, 1.2021),
        validation=None,
        protocol={
            "text": "Nietzsche, 600,893 characters in lower case, 56 kinds",
            "network": "LSTM(128) on one-hot",
            "split": "nothing held out",
            "state": "zero at every window, one in 3 characters",
            "batch": "128 x 40 characters",
            "learning rate": "rmsprop 0.01",
            "gradient": "never cut",
            "epochs": "40",
            "reported": "the training loss, mean over the last epoch, there is no validation",
        },
        source="https://keras.io/examples/generative/lstm_character_level_text_generation/",
        quote="'loss: 2.2850' in the first epoch, 'loss: 1.2021' in the last.",
    ),
    Neighbour(
        "nanoGPT",
        frozenset(Way),
        train=None,
        validation=(1.4697, 1.4697),
        protocol={
            "text": TINY,
            "network": "Transformer, 6 layers of 384, dropout 0.2",
            "split": _NANO_SPLIT,
            "state": _RANDOM_CHUNKS,
            "batch": "64 x 256 characters",
            "learning rate": "adamw 0.001, warmed up, then down to 0.0001",
            "gradient": "norm cut at 1",
            "epochs": "5,000 batches at most, as many characters as 82 epochs",
            "reported": "the best validation loss, of 200 batches of random chunks, it chose the weights",
        },
        source="https://github.com/karpathy/nanoGPT#quick-start",
        quote="'On one A100 GPU this training run takes about 3 minutes and the best validation loss is 1.4697.'",
        ends=True,
    ),
    Neighbour(
        "nanoGPT on a CPU",
        frozenset(Way),
        train=None,
        validation=(1.88, 1.88),
        protocol={
            "text": TINY,
            "network": "Transformer, 4 layers of 128",
            "split": _NANO_SPLIT,
            "state": _RANDOM_CHUNKS,
            "batch": "12 x 64 characters",
            "learning rate": "adamw 0.001, warmed up, then down to 0.0001",
            "gradient": "norm cut at 1",
            "epochs": "2,000 batches, as many characters as 1.5 epochs",
            "reported": "the validation loss of 20 batches of random chunks",
        },
        source="https://github.com/karpathy/nanoGPT#quick-start",
        quote="'This still runs in about ~3 minutes, but gets us a loss of only 1.88'.",
        ends=True,
    ),
)


def list_differences(theirs: Mapping[str, str], ours: Mapping[str, str]) -> tuple[str, ...]:
    """Return one line for every facet in which two protocols differ.

    Example:
        >>> list_differences({"epochs": "50", "batch": "50 x 50"}, {"epochs": "20", "batch": "50 x 50"})
        ('epochs: there 50; here 20',)
    """
    return tuple(
        f"{facet}: there {value}; here {ours[facet]}" for facet, value in theirs.items() if value != ours[facet]
    )
