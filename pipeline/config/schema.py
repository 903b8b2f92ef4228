"""The typed schema of every knob. The YAML files under conf/ are merged into it and checked against it.

The comments in conf/ are the manual; this file holds names, types and the defaults, which conf/ shows again.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum, StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

from omegaconf import MISSING, DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from pipeline.base.errors import UserError
from pipeline.config.keys import NEUTRAL, PARAMETERS, RESULT, Role, role_of, write_parameter

# Part of every config_hash. Raise it when a change of the code changes results: older runs are then not resumed.
RESULTS_VERSION = 3


class Source(Enum):
    """Where the values of a dataset come from."""

    packaged = "packaged"
    file = "file"
    frame = "frame"
    text = "text"
    sine = "sine"
    delayed_copy = "delayed_copy"
    adding = "adding"
    seasonal_phase = "seasonal_phase"
    shops = "shops"


DATE_NAMES = ("iso", "number", "quarter", "week", "month", "day", "s", "ms", "us", "ns")  # of dataset.date_format

COMPUTED = (Source.sine, Source.delayed_copy, Source.adding, Source.seasonal_phase, Source.shops)  # need no file


class Gaps(Enum):
    """What happens to timestamps that the calendar of a series has and the file has not."""

    keep = "keep"
    error = "error"
    fill = "fill"


class ShortLanes(Enum):
    """What happens to lanes of a panel that are too short to be trained on."""

    error = "error"
    leave_out = "leave_out"


class Unseen(Enum):
    """What happens to values of a category that the training part does not hold."""

    error = "error"
    unknown = "unknown"


class Missing(Enum):
    """What happens to empty cells."""

    error = "error"
    forward_fill = "forward_fill"
    interpolate = "interpolate"


class Transform(Enum):
    """An invertible change of the series before scaling; auto: those that the training part asks for."""

    log = "log"
    difference = "difference"
    seasonal_difference = "seasonal_difference"
    seasonal_average = "seasonal_average"
    auto = "auto"


if TYPE_CHECKING:
    Transforms = list[Transform]
else:
    Transforms = Any  # a list, or the word auto: OmegaConf has no type for both; `typed_config` makes the list


class Cycle(StrEnum):
    """What of a timestamp goes in, as sine and cosine of its place in the cycle."""

    quarter = "quarter"
    month = "month"
    day_of_year = "day_of_year"
    day_of_month = "day_of_month"
    day_of_week = "day_of_week"
    hour = "hour"


class Scaler(Enum):
    """How values are scaled; fitted on the training part only."""

    minmax = "minmax"
    standard = "standard"
    none = "none"


class Normalise(Enum):
    """What each window is measured by before the network reads it, from its own past; undone on what comes out."""

    none = "none"
    window_last = "window_last"
    window_mean = "window_mean"
    window_standard = "window_standard"
    window_scale = "window_scale"


class Decoder(Enum):
    """What each step of a decoder reads: copies of one vector, or beside them what is known ahead of its row."""

    copies = "copies"
    future = "future"


class Skip(Enum):
    """What stands beside the network and is added to its forecast: nothing, or a linear map of the same window."""

    none = "none"
    linear = "linear"


class LagsAs(Enum):
    """How the past steps of a window reach the network: (look_back, features) or (1, look_back * features)."""

    time_steps = "time_steps"
    features = "features"


class Horizons(Enum):
    """Which steps ahead are predicted: only step `horizon`, or every step from 1 to `horizon`."""

    one = "one"
    all = "all"


class Order(Enum):
    """In which order a stateful network sees the windows: lanes by phase, or the tutorial's overlapping windows."""

    phases = "phases"
    overlapping = "overlapping"


class Token(Enum):
    """What a text is cut into: characters, bytes of UTF-8, or words with the space before them."""

    char = "char"
    byte = "byte"
    word = "word"


class TextSplit(Enum):
    """Where the parts of a text lie: at its end, or at the end of each of `batch_size` lanes."""

    end = "end"
    lanes = "lanes"


class Cell(Enum):
    """The recurrent layer."""

    lstm = "lstm"
    gru = "gru"
    simple_rnn = "simple_rnn"


class Wiring(Enum):
    """Which time steps go in and which come out; auto: many_to_many with return_sequences, otherwise many_to_one."""

    auto = "auto"
    one_to_one = "one_to_one"
    one_to_many = "one_to_many"
    many_to_one = "many_to_one"
    many_to_many = "many_to_many"
    encoder_decoder = "encoder_decoder"


class HeadName(Enum):
    """What the network says about each target: a number, quantiles, a distribution, tokens' odds; auto: by the data."""

    auto = "auto"
    point = "point"
    quantile = "quantile"
    gaussian = "gaussian"
    student_t = "student_t"
    negative_binomial = "negative_binomial"
    token = "token"  # noqa: S105 - of a text


class Protocol(Enum):
    """How a run is split, scaled and scored: without a look at the test part, or as the well-known tutorial does it."""

    fair = "fair"
    tutorial = "tutorial"


class Engine(Enum):
    """How a run is trained: all seeds inside XLA, one keras.Model.fit per seed, or fused when the network can be."""

    auto = "auto"
    fused = "fused"
    fit = "fit"


class Launcher(Enum):
    """Where the jobs of a sweep are trained: one after another in this process, or by an engine."""

    local = "local"
    processes = "processes"
    slurm = "slurm"
    ray = "ray"


class Optimizer(Enum):
    """The optimizer, with Keras defaults except for the learning rate and the gradient clipping."""

    sgd = "sgd"
    rmsprop = "rmsprop"
    adam = "adam"
    adamw = "adamw"


class Device(Enum):
    """Where compiled programs run."""

    auto = "auto"
    cpu = "cpu"
    gpu = "gpu"


class Loss(Enum):
    """The training loss, in scaled units."""

    mse = "mse"
    mae = "mae"
    huber = "huber"
    log_cosh = "log_cosh"


@dataclass
class DatasetConfig:
    """The series, its split and its windows. Units and meanings: conf/dataset/_common.yaml."""

    name: str = MISSING
    source: Source = MISSING
    path: str | None = None
    time_column: str | None = None
    lane_column: str | None = None
    lane_block: int | None = None
    separator: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    date_format: str | None = None
    time_zone: str | None = None
    encoding: str | None = None
    features: list[str] | None = None
    future: list[str] = field(default_factory=list)
    static: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    unseen: Unseen = Unseen.error
    targets: list[str] | None = None
    unit: str = "units"
    period: int = 1
    missing: Missing = Missing.error
    gaps: Gaps = Gaps.keep
    short_lanes: ShortLanes = ShortLanes.error
    transforms: Transforms = field(default_factory=list)
    calendar: list[str] = field(default_factory=list)
    scaler: Scaler = Scaler.minmax
    scaler_per_lane: bool = False
    normalise: Normalise = Normalise.none
    lags_as: LagsAs = LagsAs.time_steps
    horizons: Horizons = Horizons.one
    order: Order = Order.phases
    segments: int = 1
    validation_fraction: float = 0.17
    test_fraction: float = 0.33
    validation_start: str | None = None
    test_start: str | None = None
    token: Token = Token.char
    vocabulary: int = 10_000
    split: TextSplit = TextSplit.end
    stride: int | None = None
    length: int = 400
    delay: int = 4
    noise: float = 0.0

    @property
    def future_columns(self) -> list[str]:
        """Columns of the data that are known ahead: `future` without the entries of the calendar that it names."""
        return [name for name in self.future if name not in self.calendar]

    @property
    def calendar_ahead(self) -> list[str]:
        """Entries of the calendar that are read ahead, in its order."""
        return [entry for entry in self.calendar if entry in self.future]


@dataclass
class ModelConfig:
    """The network. Units and meanings: conf/model/."""

    cell: Cell = Cell.lstm
    wiring: Wiring = Wiring.auto
    head: HeadName = HeadName.auto
    quantiles: list[float] = field(default_factory=lambda: [0.05, 0.25, 0.5, 0.75, 0.95])
    embedding: int | None = None
    skip: Skip = Skip.none
    decoder: Decoder = Decoder.copies
    units: list[int] = field(default_factory=lambda: [4])
    dropout: float = 0.0
    recurrent_dropout: float = 0.0


@dataclass
class TrainingConfig:
    """The training. Units and meanings: conf/training/."""

    engine: Engine = Engine.auto
    device: Device = Device.auto
    online: bool = False
    epochs: int = 100
    optimizer: Optimizer = Optimizer.adam
    learning_rate: float = 0.01
    decay: float = 1.0
    decay_after: int = 1
    rho: float = 0.9
    epsilon: float = 1e-7
    loss: Loss = Loss.mse
    clip_norm: float | None = 1.0
    patience: int | None = 10
    all_rows: bool = False


@dataclass
class EvaluationConfig:
    """How a run is scored. Units and meanings: conf/evaluation/."""

    origins: int = 1
    coverage: list[float] = field(default_factory=lambda: [0.8, 0.95])
    adaptive: bool = True


@dataclass
class TrackingConfig:
    """Where runs are recorded. Units and meanings: conf/tracking/."""

    uri: str | None = None
    experiment_name: str = "lstm-pipeline"
    log_model: bool = True
    spool: str | None = None
    parent_run_id: str | None = None
    sweep_keys: list[str] = field(default_factory=list)


@dataclass
class SlurmConfig:
    """The jobs of launcher=slurm. Units and meanings: conf/slurm/."""

    partition: str | None = None
    time: int | None = None
    memory: float | None = None
    cpus: int = 1
    requeue: bool = True
    cancel: bool = True
    folder: str = "outputs/slurm"
    extra: Any = None  # a dictionary: of one that has a type no command line may set a new entry


@dataclass
class RayConfig:
    """The cluster of launcher=ray. Units and meanings: conf/ray/."""

    address: str | None = None
    cores: int | None = None
    memory: float | None = None


@dataclass
class Config:
    """One run: everything that decides its result. Units and meanings: conf/config.yaml."""

    look_back: int = 3
    horizon: int = 1
    stateful: bool = False
    return_sequences: bool = False
    batch_size: int = 1
    seed: int = 1
    seeds: int = 8
    resume: bool = False
    launcher: Launcher = Launcher.local
    workers: int | None = None
    protocol: Protocol = Protocol.fair
    experiment: str | None = None
    debug: str | None = None
    dataset: DatasetConfig = field(default_factory=DatasetConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    tracking: TrackingConfig = field(default_factory=TrackingConfig)
    slurm: SlurmConfig = field(default_factory=SlurmConfig)
    ray: RayConfig = field(default_factory=RayConfig)

    @property
    def horizon_steps(self) -> tuple[int, ...]:
        """Steps ahead that are predicted, for example (3,) or, with dataset.horizons=all, (1, 2, 3)."""
        if self.dataset.horizons is Horizons.all:
            return tuple(range(1, self.horizon + 1))
        return (self.horizon,)

    @property
    def wiring(self) -> Wiring:
        """The wiring in use, with `auto` resolved."""
        if self.model.wiring is not Wiring.auto:
            return self.model.wiring
        return Wiring.many_to_many if self.return_sequences else Wiring.many_to_one

    @property
    def reads_text(self) -> bool:
        """Whether the data are tokens of a text, not values of a series."""
        return self.dataset.source is Source.text

    @property
    def head(self) -> HeadName:
        """The head in use, with `auto` resolved."""
        if self.model.head is not HeadName.auto:
            return self.model.head
        return HeadName.token if self.reads_text else HeadName.point

    @property
    def answers_every_step(self) -> bool:
        """Whether every time step of a window has a target of its own: many-to-many."""
        return self.wiring is Wiring.many_to_many

    @property
    def can_carry(self) -> bool:
        """Whether a state can be carried from window to window: the wirings whose recurrent layers read the series."""
        return self.wiring in (Wiring.many_to_one, Wiring.many_to_many)

    @property
    def normalises(self) -> bool:
        """Whether the network shifts each window by its own past, and its outputs back."""
        return self.dataset.normalise is not Normalise.none

    @property
    def shortest_lag(self) -> int | None:
        """Rows that the shortest difference looks back; None without any. What auto will choose is not among them."""
        seasonal = (Transform.seasonal_difference, Transform.seasonal_average)
        lags = {Transform.difference: 1} | dict.fromkeys(seasonal, self.dataset.period)
        return min((lags[step] for step in self.dataset.transforms if step in lags), default=None)

    @property
    def skips(self) -> bool:
        """Whether a linear map of the window is added to what the network says."""
        return self.model.skip is not Skip.none

    @property
    def decodes_future(self) -> bool:
        """Whether the decoder reads what is known ahead of the row that it forecasts."""
        return self.model.decoder is Decoder.future

    @property
    def reads_whole_windows(self) -> bool:
        """Whether something beside the layers that read step by step needs all rows of a window at once."""
        return self.normalises or self.skips

    @property
    def time_steps(self) -> int:
        """Time steps of one sample as the network sees it: look_back, or 1 when the lags are features."""
        return 1 if self.dataset.lags_as is LagsAs.features else self.look_back


def typed_config(config: DictConfig) -> Config:
    """Turn a composed configuration into the typed record; the first gate.

    Args:
        config: What Hydra composed, or a logged config.yaml loaded by OmegaConf. A `hydra` node is ignored.

    Returns:
        The configuration with every interpolation resolved.

    Raises:
        UserError: If a key is unknown (also one added with `+`), a type is wrong or a required value is missing.
    """
    return read_node(typed_node(config))


def typed_node(config: DictConfig) -> DictConfig:
    """Return a composed configuration as a node that knows the type of every key, references resolved.

    Raises:
        UserError: If a key is unknown or a type is wrong.
    """
    try:
        plain = OmegaConf.masked_copy(config, [str(key) for key in config if key != "hydra"])
        resolved = without_references(OmegaConf.to_container(plain, resolve=True))
        merged = OmegaConf.merge(_schema(), resolved)
    except OmegaConfBaseException as error:
        raise UserError(explain_omegaconf(error)) from error
    assert isinstance(merged, DictConfig)
    return merged


def read_node(node: DictConfig) -> Config:
    """Return the record of a typed node.

    Raises:
        UserError: If a required value is missing.
    """
    try:
        record = OmegaConf.to_object(node)
    except OmegaConfBaseException as error:
        raise UserError(explain_omegaconf(error)) from error
    assert isinstance(record, Config)
    record.dataset.transforms = _read_transforms(record.dataset.transforms)
    record.model.head = record.head  # what is logged says it without its dataset
    return record


def schema_keys() -> Iterator[str]:
    """Return every key of the schema, dotted, nodes as well as values."""
    yield from _node_keys(_schema())


def _node_keys(node: DictConfig, prefix: str = "") -> Iterator[str]:
    for key in map(str, node):
        yield f"{prefix}{key}"
        child = node._get_node(key)
        if isinstance(child, DictConfig):
            yield from _node_keys(child, f"{prefix}{key}.")


@cache
def _schema() -> DictConfig:
    return OmegaConf.structured(Config)  # never changed: what is merged into it is a copy


def _read_transforms(given: Any) -> list[Transform]:
    """Return the transforms as a list, of which the word auto is short for one."""
    steps = [given] if given in (Transform.auto, Transform.auto.value) else given
    names = [each.value for each in Transform]
    if not isinstance(steps, list):
        raise UserError(f"dataset.transforms must be auto, or a list in brackets such as [log], but got '{given}'")
    for step in steps:
        if step not in (*Transform, *names):
            raise UserError(f"dataset.transforms holds '{step}', which is none of {', '.join(names)}")
    return [Transform(getattr(step, "value", step)) for step in steps]


def without_references(node: Any) -> Any:
    """Mark what looks like a reference to another key, `${a}`, as text: every value is resolved, names may look so."""
    if isinstance(node, dict):
        return {key: without_references(value) for key, value in node.items()}
    if isinstance(node, list):
        return [without_references(value) for value in node]
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", node) if isinstance(node, str) else node


def explain_omegaconf(error: OmegaConfBaseException) -> str:
    """Say in one line which key is wrong and what to do, from OmegaConf's several lines."""
    first_line = str(error).strip().splitlines()[0].strip()
    key = getattr(error, "full_key", None)
    if "not in" in first_line and key:
        return f"unknown key '{key}'; `lstm-pipeline --cfg job` lists every key"
    if key and key not in first_line:
        return f"{key}: {first_line}"
    return first_line


def plain_config(config: Config) -> dict[str, Any]:
    """Return the configuration as nested dictionaries of plain values (enums by name), ready for YAML or JSON."""
    container = _plain_node(config)
    container["model"]["head"] = config.head.value
    if container["dataset"]["transforms"] == [Transform.auto.value]:
        container["dataset"]["transforms"] = Transform.auto.value  # as it is written
    return container


def _plain_node(node: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for each in fields(node):
        value = getattr(node, each.name)
        if is_dataclass(value) and not isinstance(value, type):
            plain[each.name] = _plain_node(value)
        elif each.type in (float, float | None) and value is not None:
            plain[each.name] = float(value)  # 1 of Python code is the 1.0 of a file, in the name of the run as well
        elif isinstance(value, list | tuple):
            plain[each.name] = [_plain_value(item) for item in value]
        else:
            plain[each.name] = _plain_value(value)
    return plain


def _plain_value(value: Any) -> Any:
    return value.name if isinstance(value, Enum) else value


def hash_config(config: Config, data_digest: str) -> str:
    """Name the result of a run: equal hashes mean equal results on the same machine.

    Args:
        config: The run's configuration. What cannot change a result is left out; pipeline/config/keys.py says what.
        data_digest: sha256 of the values that were loaded.

    Returns:
        Sixteen hexadecimal digits.
    """
    keys = _only(_without_neutral(plain_config(config)), RESULT)
    identity = {"config": keys, "data": data_digest, "version": RESULTS_VERSION}
    if config.dataset.calendar and config.dataset.time_zone is not None:  # the digest has moments, not their hour there
        identity["clock"] = config.dataset.time_zone
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def _without_neutral(node: dict[str, Any]) -> dict[str, Any]:
    """Leave out the keys that came later and change nothing: a run before them, of this RESULTS_VERSION, is found."""
    kept = {key: dict(value) if isinstance(value, dict) else value for key, value in node.items()}
    for name, value in NEUTRAL.items():
        group, key = name.split(".")
        if kept[group][key] == value:
            del kept[group][key]
    return kept


def flat_config(config: Config) -> dict[str, str]:
    """Return the configuration with dotted keys and text values, as MLflow shows parameters."""
    return {key: write_parameter(value) for key, value in _leaves(_only(plain_config(config), PARAMETERS))}


def _only(node: dict[str, Any], roles: Collection[Role], prefix: str = "") -> dict[str, Any]:
    """Return the keys of some roles; a group of which none is left is left out."""
    kept = {}
    for key, value in node.items():
        if isinstance(value, dict):
            if inner := _only(value, roles, f"{prefix}{key}."):
                kept[key] = inner
        elif role_of(f"{prefix}{key}") in roles:
            kept[key] = value
    return kept


def _leaves(node: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, dict):
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
