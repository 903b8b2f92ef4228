"""The second gate: ranges and combinations of the configuration, before any data is read."""

import zoneinfo
from collections.abc import Iterator

from pipeline.base.errors import UserError
from pipeline.base.text import hide_password, show_names, show_setting
from pipeline.config.calendar_gates import complain_of_calendar
from pipeline.config.head_gates import complain_of_head
from pipeline.config.keys import NEUTRAL, write_parameter
from pipeline.config.launcher_gates import complain_of_ray, complain_of_slurm
from pipeline.config.schema import (
    COMPUTED,
    DATE_NAMES,
    Config,
    DatasetConfig,
    Engine,
    HeadName,
    Horizons,
    LagsAs,
    Launcher,
    Missing,
    Normalise,
    Order,
    Protocol,
    Source,
    Transform,
    Wiring,
    flat_config,
)

_OF_TEXTS = ("dataset.token", "dataset.vocabulary", "dataset.split", "dataset.stride")


def check_ranges(config: Config) -> None:
    """Check what the types cannot: every range, and every pair of values that does not go together.

    Raises:
        UserError: Naming the first key out of range, its value and the remedy.
    """
    for complaint in _complaints(config):
        raise UserError(complaint)


def check_address(uri: str | None) -> None:
    """Refuse a password on the command line: Hydra writes its words into outputs/, and everybody can list processes.

    Args:
        uri: tracking.uri.

    Raises:
        UserError: If there is one, with where it belongs.
    """
    if uri is not None and (shown := hide_password(uri)) != uri:
        raise UserError(
            f"tracking.uri={shown} holds a password, which would be kept in outputs/; give it in the environment: "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD for an MLflow server, PGPASSWORD for PostgreSQL, or "
            "the whole address in MLFLOW_TRACKING_URI"
        )


def _complaints(config: Config) -> Iterator[str]:
    yield from _texts(config)
    yield from _numbers(config)
    yield from _dataset(config)
    yield from _combinations(config)
    yield from complain_of_slurm(config.slurm)
    yield from complain_of_ray(config.ray)


def _texts(config: Config) -> Iterator[str]:
    """No file, store or page can hold half a character, which is what a command line in another encoding leaves."""
    for key, text in flat_config(config).items():
        if text.encode("utf-8", "replace").decode() != text or "\0" in text:
            yield f"{key} holds bytes that are no UTF-8 text: {text!a}; write it in UTF-8"


def _numbers(config: Config) -> Iterator[str]:
    at_least_one = {
        "look_back": config.look_back,
        "horizon": config.horizon,
        "batch_size": config.batch_size,
        "seeds": config.seeds,
        "workers": config.workers,
        "dataset.period": config.dataset.period,
        "dataset.lane_block": config.dataset.lane_block,
        "dataset.segments": config.dataset.segments,
        "dataset.delay": config.dataset.delay,
        "evaluation.origins": config.evaluation.origins,
        "training.epochs": config.training.epochs,
        "training.patience": config.training.patience,
        "training.decay_after": config.training.decay_after,
    }
    for key, number in at_least_one.items():
        if number is not None and number < 1:
            yield f"{key} must be at least 1, but got {key}={number}"
    if not 0 <= config.seed <= 2**31 - config.seeds:
        yield f"seed must be from 0 to 2^31 - seeds, but got seed={config.seed}"
    if not config.model.units or min(config.model.units) < 1:
        yield f"model.units must list one or more layers of at least 1 unit, e.g. [4], but got {config.model.units}"
    for key, rate in {"dropout": config.model.dropout, "recurrent_dropout": config.model.recurrent_dropout}.items():
        if not 0 <= rate < 1:
            yield f"model.{key} must be at least 0 and below 1, but got model.{key}={rate}"
    if not 0 < config.training.learning_rate < float("inf"):
        yield f"training.learning_rate must be above 0, but got training.learning_rate={config.training.learning_rate}"
    if not 0 < config.training.decay <= 1:
        yield f"training.decay must be above 0 and at most 1, but got training.decay={config.training.decay}"
    if not 0 <= config.training.rho < 1:
        yield f"training.rho must be at least 0 and below 1, but got training.rho={config.training.rho}"
    if not 0 < config.training.epsilon < 1:
        yield f"training.epsilon must be above 0 and below 1, but got training.epsilon={config.training.epsilon}"
    levels = config.evaluation.coverage
    if any(not 0 < level < 1 for level in levels) or levels != sorted(set(levels)):
        yield (
            "evaluation.coverage must list shares above 0 and below 1, each once and ascending, e.g. [0.8,0.95], or [] "
            f"for no intervals, but got {levels}"
        )
    clip = config.training.clip_norm
    if clip is not None and not 0 < clip < float("inf"):
        yield f"training.clip_norm must be above 0, or null for none, but got training.clip_norm={clip}"


def _dataset(config: Config) -> Iterator[str]:
    dataset = config.dataset
    for key in ("validation_fraction", "test_fraction"):
        fraction = getattr(dataset, key)
        if not (0 < fraction < 1 or (key == "validation_fraction" and fraction == 0)):
            yield f"dataset.{key} must be above 0 and below 1, but got dataset.{key}={fraction}"
    if dataset.validation_fraction == 0:
        yield from _without_validation(config)
    if dataset.validation_fraction + dataset.test_fraction >= 1:
        yield (
            f"dataset.validation_fraction={dataset.validation_fraction} and "
            f"dataset.test_fraction={dataset.test_fraction} leave nothing to train on; their sum must be below 1"
        )
    if (dataset.validation_start is None) != (dataset.test_start is None):
        yield "dataset.validation_start and dataset.test_start go together: give both, or neither to split by fraction"
    if dataset.source in (Source.packaged, Source.file) and dataset.path is None:
        yield (
            "dataset.path is required with dataset=csv: give a .csv or .parquet file, or a folder of .parquet files, "
            "e.g. dataset.path=sales.csv"
        )
    if dataset.source in COMPUTED and not 10 <= dataset.length <= 10_000_000:
        yield f"dataset.length must be at least 10 and at most 10000000, but got dataset.length={dataset.length}"
    if not 0 <= dataset.noise < float("inf"):
        yield f"dataset.noise must be at least 0, but got dataset.noise={dataset.noise}"
    for key in ("features", "targets"):
        names = getattr(dataset, key)
        if names is not None and (not names or len(set(names)) != len(names)):
            yield f"dataset.{key} must name at least one column and each only once, but got {names}"
    yield from _future(dataset)
    yield from complain_of_calendar(dataset)
    yield from _how_written(dataset)


def _future(dataset: DatasetConfig) -> Iterator[str]:
    kinds = {"features": dataset.features, "future": dataset.future_columns, "static": dataset.static}
    for key, given in (("future", dataset.future), ("static", dataset.static)):
        names = kinds[key]
        if len(set(given)) != len(given):
            yield f"dataset.{key} must name each column only once, but got {given}"
        if any(name in (names or ()) for name in (dataset.time_column, dataset.lane_column)):
            yield (
                f"dataset.{key}={names} names the time column or the lane column; dataset.calendar reads what a "
                "timestamp says"
            )
        both = [name for name in dataset.targets or () if name in (names or ())]
        if both:
            yield (
                f"dataset.targets and dataset.{key} both name {show_names(both)}; what is forecast is not known "
                f"before: leave it out of dataset.{key}"
            )
    for first, second in (("features", "future"), ("features", "static"), ("future", "static")):
        both = [name for name in kinds[first] or () if name in (kinds[second] or ())]
        if both:
            yield (
                f"dataset.{first} and dataset.{second} both name {show_names(both)}; dataset.{second} reads its past, "
                f"too: leave it out of dataset.{first}"
            )
    if len(set(dataset.categories)) != len(dataset.categories):
        yield f"dataset.categories must name each column only once, but got {dataset.categories}"
    both = [name for name in dataset.targets or () if name in dataset.categories]
    if both:
        yield f"dataset.categories names {show_names(both)}, a target; what is forecast must be numbers"
    named = (*(dataset.features or ()), *dataset.future, *dataset.static)
    unread = [name for name in dataset.categories if dataset.features is not None and name not in named]
    if unread:
        yield (
            f"dataset.categories says how {show_names(unread)} is written, but not that it is read; name it in "
            "dataset.features, or in dataset.future or dataset.static"
        )
    if dataset.categories and dataset.missing is Missing.interpolate:
        yield "dataset.missing=interpolate knows nothing between two categories; set dataset.missing=forward_fill"
    if dataset.static and dataset.lane_column is None:
        yield (
            f"dataset.static={dataset.static} tells lanes apart, and one series has none; set dataset.lane_column, the "
            "column that names the series of each row, or leave it out"
        )


def _how_written(dataset: DatasetConfig) -> Iterator[str]:
    if dataset.separator is not None and (
        (len(dataset.separator) != 1 and dataset.separator not in ("tab", "\\t")) or dataset.separator in '"\r\n'
    ):
        yield f"dataset.separator must be one character, or tab, but got dataset.separator={dataset.separator!r}"
    if dataset.decimal not in (None, ".", ","):
        yield f"dataset.decimal must be '.' or ',', but got dataset.decimal={dataset.decimal!r}"
    if dataset.thousands is not None and (len(dataset.thousands) != 1 or dataset.thousands.isalnum()):
        yield (
            "dataset.thousands must be one character, neither letter nor digit, but got "
            f"dataset.thousands={dataset.thousands!r}"
        )
    if dataset.thousands is not None and dataset.thousands == (dataset.decimal or "."):
        yield (
            f"dataset.thousands={dataset.thousands!r} is the decimal mark, too; "
            f"set {show_setting('dataset.decimal', ',' if dataset.thousands == '.' else '.')} as well"
        )
    if dataset.encoding is not None and not _is_encoding(dataset.encoding):
        yield (
            f"dataset.encoding must name a text encoding, e.g. utf-8, latin-1 or cp1252, but got "
            f"dataset.encoding={dataset.encoding}"
        )
    if dataset.time_zone is not None and not _is_zone(dataset.time_zone):
        yield (
            f"dataset.time_zone must name a zone such as Europe/Berlin or UTC, but got "
            f"dataset.time_zone={dataset.time_zone}"
        )
    if dataset.date_format is not None and dataset.date_format not in DATE_NAMES and "%" not in dataset.date_format:
        yield (
            f"dataset.date_format must be like '%d.%m.%Y' or one of {', '.join(DATE_NAMES)}, but got "
            f"dataset.date_format={dataset.date_format}"
        )


def _is_encoding(name: str) -> bool:
    try:
        b"a".decode(name)
    except (LookupError, ValueError):
        return name.lower().startswith(("utf-16", "utf_16", "utf-32", "utf_32"))
    return True


def _is_zone(name: str) -> bool:
    try:
        zoneinfo.ZoneInfo(name)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return False
    return True


def _combinations(config: Config) -> Iterator[str]:
    dataset = config.dataset
    yield from complain_of_head(config)
    if config.reads_text:
        yield from _text(config)
        return
    yield from _keys_of_texts(config)
    yield from _auto(config)
    for step in (Transform.seasonal_difference, Transform.seasonal_average):
        if step in dataset.transforms and dataset.period < 2:
            yield f"{step.value} needs dataset.period of at least 2, but got dataset.period={dataset.period}"
    if Transform.log in dataset.transforms[1:]:
        yield "log must come first in dataset.transforms, because a difference has negative values: [log,difference]"
    shortest = config.shortest_lag
    if dataset.horizons is Horizons.one and shortest is not None and config.horizon > shortest:
        yield (
            f"horizon={config.horizon} with dataset.transforms={[step.value for step in dataset.transforms]} cannot "
            "be inverted from one step alone; add dataset.horizons=all"
        )
    yield from _wiring(config)
    if dataset.order is Order.overlapping and not config.stateful:
        yield "dataset.order=overlapping needs stateful=true; a stateless network always sees every window"
    one_series = dataset.lane_column is None
    if dataset.order is Order.overlapping and (dataset.segments > 1 or (one_series and config.batch_size > 1)):
        yield (
            f"dataset.order=overlapping is one lane, but got batch_size={config.batch_size} and "
            f"dataset.segments={dataset.segments}; set both to 1"
        )
    if config.training.engine is Engine.fused and config.model.recurrent_dropout > 0:
        yield (
            f"training.engine=fused does not cover model.recurrent_dropout={config.model.recurrent_dropout}; "
            "use training.engine=auto or fit, or set model.recurrent_dropout=0"
        )
    if config.decodes_future:
        yield from _decodes_future(config)
    if config.normalises:
        yield from _normalise(config)
    if config.skips:
        yield from _skip(config)
    if config.training.online:
        yield from _online(config)
    if config.protocol is Protocol.tutorial:
        yield from _tutorial(config)
    if dataset.lane_block is not None:
        yield from _in_blocks(config)
    if dataset.segments > 1 and not config.stateful:
        yield f"dataset.segments={dataset.segments} makes lanes for stateful=true; add that or set it to 1"
    if dataset.scaler_per_lane and one_series:
        yield "dataset.scaler_per_lane=true needs dataset.lane_column, the column that names the series of each row"
    if dataset.lane_column is not None and dataset.lane_column == dataset.time_column:
        yield f"dataset.lane_column and dataset.time_column both name the column '{dataset.lane_column}'"
    if config.stateful and one_series and config.batch_size > num_lanes(config):
        yield (
            f"batch_size={config.batch_size} needs as many lanes, but look_back={config.look_back} and "
            f"dataset.segments={dataset.segments} make {num_lanes(config)}; lower batch_size or raise dataset.segments"
        )


def _keys_of_texts(config: Config) -> Iterator[str]:
    given = flat_config(config)
    wrong = [f"{key}={given[key]}" for key in _OF_TEXTS if given[key] != write_parameter(NEUTRAL[key])]
    if config.head is HeadName.token:
        wrong.append("model.head=token")
    for each in wrong:
        yield f"{each} belongs to a text, and this is a series; leave it out, or choose dataset=text"
    width = config.model.embedding
    if width is not None and not config.dataset.categories:
        yield (
            f"model.embedding={width} stands for values of dataset.categories, or tokens of a text, but this series "
            "has none; leave it out, or name columns in dataset.categories"
        )
    if width is not None and width < 1:
        yield f"model.embedding must be at least 1, but got model.embedding={width}"


def _auto(config: Config) -> Iterator[str]:
    dataset = config.dataset
    if Transform.auto not in dataset.transforms:
        return
    if len(dataset.transforms) > 1:
        yield (
            f"dataset.transforms={[step.value for step in dataset.transforms]} names auto beside others; set "
            "dataset.transforms=auto, or leave auto out"
        )
    if dataset.horizons is Horizons.one and config.horizon > 1:
        yield (
            f"horizon={config.horizon} with dataset.transforms=auto, which may choose differences, cannot be inverted "
            "from one step alone; add dataset.horizons=all"
        )


def _text(config: Config) -> Iterator[str]:
    dataset, model = config.dataset, config.model
    wrong = {
        f"horizon=1, because the next token is predicted, but got horizon={config.horizon}": config.horizon > 1,
        f"model.head=token, but got model.head={config.head.value}": config.head is not HeadName.token,
        f"model.wiring=many_to_one or many_to_many, but got model.wiring={config.wiring.value}": not config.can_carry,
        "dataset.transforms=[]: tokens are no numbers": bool(dataset.transforms),
        "dataset.normalise=none: tokens are no numbers": config.normalises,
        "model.skip=none: tokens are no numbers": config.skips,
        "dataset.calendar=[]: tokens have no timestamps": bool(dataset.calendar),
        "dataset.future=[]: no token is known ahead": bool(dataset.future),
        "dataset.static=[]: a token has no columns": bool(dataset.static),
        "dataset.categories=[]: a token has no columns": bool(dataset.categories),
        "dataset.lags_as=time_steps": dataset.lags_as is LagsAs.features,
        "dataset.order=phases": dataset.order is Order.overlapping,
        "dataset.segments=1: batch_size says how many lanes there are": dataset.segments > 1,
        "dataset.lane_column=null: batch_size says how many lanes there are": dataset.lane_column is not None,
        "dataset.time_column=null: tokens have no timestamps": dataset.time_column is not None,
        "its parts by dataset.validation_fraction and dataset.test_fraction, because tokens have no timestamps; leave "
        "dataset.validation_start and dataset.test_start out": dataset.test_start is not None,
        "protocol=fair": config.protocol is Protocol.tutorial,
        "training.online=false": config.training.online,
        "training.all_rows=false": config.training.all_rows,
        "evaluation.origins=1": config.evaluation.origins > 1,
        "dataset.stride=null with stateful=true: a lane goes on where its last chunk ended": (
            dataset.stride is not None and config.stateful
        ),
    }
    for needed, missing in wrong.items():
        if missing:
            yield f"a text needs {needed}"
    yield from _wiring(config)
    at_least = {"dataset.vocabulary": dataset.vocabulary, "dataset.stride": dataset.stride}
    for key, number in (at_least | {"model.embedding": model.embedding}).items():
        if number is not None and number < 1:
            yield f"{key} must be at least 1, but got {key}={number}"
    if config.training.engine is Engine.fused and model.recurrent_dropout > 0:
        yield (
            f"training.engine=fused does not cover model.recurrent_dropout={model.recurrent_dropout}; "
            "use training.engine=auto or fit, or set model.recurrent_dropout=0"
        )


def _normalise(config: Config) -> Iterator[str]:
    given = f"dataset.normalise={config.dataset.normalise.value}"
    if config.stateful:
        yield (
            f"{given} measures each window by its own past, but got stateful=true (which training.online=true needs, "
            "too): a carried state would hold numbers measured by other windows; set stateful=false, or "
            "dataset.normalise=none dataset.transforms=[difference]"
        )
    if config.answers_every_step:
        yield (
            f"{given} measures a window by all its rows, but with return_sequences=true or model.wiring=many_to_many "
            "its first steps are asked for rows that the measure knows already; set return_sequences=false "
            "model.wiring=many_to_one, or dataset.normalise=none dataset.transforms=[difference]"
        )
    scales = config.dataset.normalise is Normalise.window_scale
    if scales and config.head is not HeadName.negative_binomial:
        yield f"{given} is for counts, and needs model.head=negative_binomial; or set dataset.normalise=window_standard"
    if config.look_back == 1 and not scales:
        yield f"{given} of one row leaves the network a zero to read, but got look_back=1; set look_back=2 or more"


def _decodes_future(config: Config) -> Iterator[str]:
    given = "model.decoder=future"
    if config.wiring is not Wiring.encoder_decoder:
        yield f"{given} needs model.wiring=encoder_decoder; leave it out: every wiring reads dataset.future in its rows"
    if not config.dataset.future:
        yield f"{given} reads what is known ahead, but dataset.future is empty; name its columns, or leave it out"
    if config.dataset.lags_as is LagsAs.features:
        yield f"{given} needs dataset.lags_as=time_steps: with lags as features no step of the encoder is a row"


def _skip(config: Config) -> Iterator[str]:
    given = f"model.skip={config.model.skip.value}"
    if config.stateful:
        yield (
            f"{given} adds a linear map of a whole window, but got stateful=true (which training.online=true needs, "
            "too), where a forecast follows from the state; set stateful=false, or model.skip=none"
        )
    if config.answers_every_step:
        yield (
            f"{given} adds a linear map of a whole window, but with return_sequences=true or "
            "model.wiring=many_to_many its first steps are asked for rows that come later in it; set "
            "return_sequences=false model.wiring=many_to_one, or model.skip=none"
        )


def _online(config: Config) -> Iterator[str]:
    wrong = {
        f"stateful=true, but got stateful={str(config.stateful).lower()}": not config.stateful,
        f"one step ahead, because a later target is not known when the next step is learnt; but got horizon="
        f"{config.horizon}: set horizon=1": config.horizon > 1,
        "no dropout, because one pass both forecasts and learns; set model.dropout=0 and model.recurrent_dropout=0": (
            max(config.model.dropout, config.model.recurrent_dropout) > 0
        ),
        "training.decay=1: it has one epoch": config.training.decay < 1,
        "the engine fused; set training.engine=auto": config.training.engine is Engine.fit,
        "dataset.order=phases: it reads every row once": config.dataset.order is Order.overlapping,
        "dataset.segments=1: it reads in time order": config.dataset.segments > 1,
        "evaluation.origins=1: every forecast has an origin of its own": config.evaluation.origins > 1,
        "training.all_rows=false: it learns from every row as it is": config.training.all_rows,
    }
    for needed, missing in wrong.items():
        if missing:
            yield f"training.online=true needs {needed}"


def _in_blocks(config: Config) -> Iterator[str]:
    dataset = config.dataset
    wrong = {
        "dataset.lane_column, the column that names the series of each row": dataset.lane_column is None,
        "values of a file or a table": dataset.source not in (Source.file, Source.frame, Source.packaged),
        "stateful=false: the lanes of a state lie across all blocks": config.stateful,
        "training.online=false": config.training.online,
        "protocol=fair": config.protocol is Protocol.tutorial,
        "evaluation.origins=1": config.evaluation.origins > 1,
        "dataset.validation_fraction above 0": dataset.validation_fraction == 0,
        "transforms that are named, not dataset.transforms=auto, which looks at all lanes": (
            Transform.auto in dataset.transforms
        ),
        "dataset.categories=[]: a block may lack values that others hold": bool(dataset.categories),
        "dataset.static=[]: a scaler of one block would not be that of all lanes": bool(dataset.static),
        "model.head=point": config.head is not HeadName.point,
        "training.engine=auto or fused": config.training.engine is Engine.fit,
        "training.all_rows=false: no program holds all lanes": config.training.all_rows,
        "launcher=local: workers would each need the blocks": config.launcher is not Launcher.local,
    }
    for needed, missing in wrong.items():
        if missing:
            yield f"dataset.lane_block={dataset.lane_block} needs {needed}"


def _without_validation(config: Config) -> Iterator[str]:
    wrong = {
        "training.patience=null: there is no validation part to stop by": config.training.patience is not None,
        "a series: of a text the validation part chooses the n-grams": config.reads_text,
        "dataset.validation_start=null and dataset.test_start=null": config.dataset.test_start is not None,
        "training.online=false": config.training.online,
    }
    for needed, missing in wrong.items():
        if missing:
            yield f"dataset.validation_fraction=0 needs {needed}"


def _tutorial(config: Config) -> Iterator[str]:
    wrong = {
        f"horizon=1, but got horizon={config.horizon}": config.horizon > 1,
        "one series: dataset.lane_column=null": config.dataset.lane_column is not None,
        "dataset.transforms=[]": bool(config.dataset.transforms),
        "training.patience=null, because it has no validation part to stop by": config.training.patience is not None,
        "training.online=false": config.training.online,
        "evaluation.origins=1": config.evaluation.origins > 1,
    }
    for needed, missing in wrong.items():
        if missing:
            yield f"protocol=tutorial needs {needed}"


def _wiring(config: Config) -> Iterator[str]:
    wiring, given = config.wiring, f"model.wiring={config.wiring.value}"
    if config.return_sequences and wiring is not Wiring.many_to_many:
        yield f"return_sequences=true is short for model.wiring=many_to_many, but got {given}; leave one of them out"
    if wiring is Wiring.many_to_many and config.dataset.lags_as is LagsAs.features:
        yield (
            f"return_sequences=true needs dataset.lags_as=time_steps, and so does {given}: with lags as features a "
            "sample has one time step"
        )
    if wiring in (Wiring.one_to_one, Wiring.one_to_many) and config.time_steps > 1:
        yield (
            f"{given} reads one time step, but look_back={config.look_back} gives {config.time_steps}; set look_back=1 "
            "or dataset.lags_as=features"
        )
    if wiring in (Wiring.one_to_many, Wiring.encoder_decoder) and len(config.horizon_steps) < 2:
        yield (
            f"{given} gives several steps, but horizon={config.horizon} with dataset.horizons="
            f"{config.dataset.horizons.value} asks for one; set for example horizon=6 dataset.horizons=all"
        )
    if config.stateful and not config.can_carry:
        yield (
            f"stateful=true carries a state from window to window, which {given} has none for; use many_to_one or "
            "many_to_many, or stateful=false"
        )
    if wiring is Wiring.one_to_one and max(config.model.dropout, config.model.recurrent_dropout) > 0:
        yield f"model.dropout and model.recurrent_dropout belong to recurrent layers; {given} has none: set them to 0"


def num_lanes(config: Config) -> int:
    """Return how many lanes the training windows of a stateful network make: phases times segments."""
    phases = 1 if config.dataset.order is Order.overlapping else config.time_steps
    return phases * config.dataset.segments
