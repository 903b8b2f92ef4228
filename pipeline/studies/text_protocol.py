"""The protocol of a run on a text in words, from its logged parameters: split, state, learning rate, epochs."""

import json
from collections.abc import Mapping

from pipeline.studies.neighbours import TINY, Way

Params = Mapping[str, str]
_NONE = "None"  # as MLflow has it


def find_way(params: Params) -> Way:
    """Say how a run reads a text in training."""
    if params["return_sequences"] != "true":
        return Way.window
    return Way.carried if params["stateful"] == "true" else Way.chunks


def describe_protocol(params: Params) -> dict[str, str]:
    """Return every facet of the protocol of a run on tiny shakespeare, worded as those of `NEIGHBOURS`."""
    return {
        "text": TINY,
        "network": _describe_network(params),
        "split": _describe_split(params),
        "state": _describe_state(params),
        "batch": f"{params['batch_size']} x {params['look_back']} characters",
        "learning rate": _describe_rate(params),
        "gradient": _describe_gradient(params["training.clip_norm"]),
        "epochs": _describe_epochs(params),
        "reported": "the test part, read once, with the weights that the validation part chose",
    }


def _describe_network(params: Params) -> str:
    units = json.loads(params["model.units"])
    cell = {"lstm": "LSTM", "gru": "GRU"}.get(params["model.cell"], params["model.cell"])
    alike = len(set(units)) == 1 and len(units) > 1
    layers = f"{len(units)} x {cell}({units[0]})" if alike else ", ".join(f"{cell}({each})" for each in units)
    embedding = params.get("model.embedding", _NONE)
    read = "one-hot" if embedding == _NONE else f"{embedding} learnt numbers"
    dropped = params["model.dropout"]
    return f"{layers} on {read}" + (f", dropout {dropped}" if float(dropped) > 0 else "")


def _describe_split(params: Params) -> str:
    validation, test = (float(params[f"dataset.{part}_fraction"]) * 100 for part in ("validation", "test"))
    shares = f"{100 - validation - test:g} / {validation:g} / {test:g} %"
    lanes = params.get("dataset.split") == "lanes"
    return f"{shares} of each of {params['batch_size']} lanes" if lanes else f"{shares} in order"


def _describe_state(params: Params) -> str:
    way = find_way(params)
    if params["stateful"] == "true":
        return (
            "carried, zero at the start of every epoch, every part is scored by a state that was zero "
            f"{params['look_back']} characters before it"
        )
    if way is Way.chunks:
        return "zero at every chunk"
    stride = params.get("dataset.stride", _NONE)
    return f"zero at every window, one in {'1' if stride == _NONE else stride} characters"


def _describe_rate(params: Params) -> str:
    rate = f"{params['training.optimizer']} {float(params['training.learning_rate']):g}"
    decay, after = float(params.get("training.decay", "1")), params.get("training.decay_after", "1")
    if decay == 1:
        return rate
    return f"{rate}, times {decay:g} every epoch" + (f" after {after}" if after != "1" else "")


def _describe_gradient(clip_norm: str) -> str:
    return "never cut" if clip_norm == _NONE else f"norm cut at {float(clip_norm):g}"


def _describe_epochs(params: Params) -> str:
    most, patience = params["training.epochs"], params["training.patience"]
    return most if patience == _NONE else f"{most} at most, until {patience} in a row are no better"
