"""The second gate: every range and every combination that is refused, and those on the border that are not."""

import pytest
from omegaconf import OmegaConf

from pipeline.base.errors import UserError
from pipeline.config.gates import check_ranges, num_lanes
from pipeline.config.schema import Config, typed_config


def configure(changes: str) -> Config:
    """Return a valid configuration with the changes of a command line, without composing YAML."""
    base = OmegaConf.merge(OmegaConf.structured(Config), {"dataset": {"name": "sine", "source": "sine"}})
    return typed_config(OmegaConf.merge(base, OmegaConf.from_dotlist(changes.split())))


NUMBERS = {
    "look_back=0": "look_back must be at least 1, but got look_back=0",
    "look_back=-3": "look_back must be at least 1, but got look_back=-3",
    "horizon=0": "horizon must be at least 1, but got horizon=0",
    "batch_size=0": "batch_size must be at least 1, but got batch_size=0",
    "seeds=0": "seeds must be at least 1, but got seeds=0",
    "dataset.period=0": "dataset.period must be at least 1, but got dataset.period=0",
    "dataset.delay=0": "dataset.delay must be at least 1, but got dataset.delay=0",
    "dataset.segments=0": "dataset.segments must be at least 1, but got dataset.segments=0",
    "training.epochs=0": "training.epochs must be at least 1, but got training.epochs=0",
    "training.patience=0": "training.patience must be at least 1, but got training.patience=0",
    "seed=-1": "seed must be from 0 to .*got seed=-1",
    "seed=2147483646 seeds=3": "seed must be from 0 to .*got seed=2147483646",
    "model.units=[]": r"model.units must list one or more layers .*got \[\]",
    "model.units=[4,0]": r"model.units must .*at least 1 unit.*got \[4, 0\]",
    "model.dropout=1": "model.dropout must be at least 0 and below 1, but got model.dropout=1.0",
    "model.dropout=-0.1": "model.dropout must be at least 0 and below 1, but got model.dropout=-0.1",
    "model.recurrent_dropout=.nan": "model.recurrent_dropout must be at least 0 and below 1, but got .*nan",
    "training.learning_rate=0": "training.learning_rate must be above 0, but got training.learning_rate=0.0",
    "training.learning_rate=.nan": "training.learning_rate must be above 0, but got training.learning_rate=nan",
    "training.learning_rate=.inf": "training.learning_rate must be above 0, but got training.learning_rate=inf",
    "training.decay=0": "training.decay must be above 0 and at most 1, but got training.decay=0.0",
    "training.decay=1.1": "training.decay must be above 0 and at most 1, but got training.decay=1.1",
    "training.decay=.nan": "training.decay must be above 0 and at most 1, but got training.decay=nan",
    "training.decay_after=0": "training.decay_after must be at least 1, but got training.decay_after=0",
    "training.rho=1": "training.rho must be at least 0 and below 1, but got training.rho=1.0",
    "training.epsilon=0": "training.epsilon must be above 0 and below 1, but got training.epsilon=0.0",
    "training.rho=-0.1": "training.rho must be at least 0 and below 1, but got training.rho=-0.1",
    "training.clip_norm=0": "training.clip_norm must be above 0, or null for none, but got training.clip_norm=0.0",
}

DATASET = {
    "dataset.validation_fraction=-0.1": "dataset.validation_fraction must be above 0 and below 1, but got .*=-0.1",
    "dataset.test_fraction=1": "dataset.test_fraction must be above 0 and below 1, but got dataset.test_fraction=1.0",
    "dataset.test_fraction=.nan": "dataset.test_fraction must be above 0 and below 1, but got .*nan",
    "dataset.test_fraction=0.5 dataset.validation_fraction=0.5": "=0.5 and .*=0.5 leave nothing to train on; their sum",
    "dataset.test_start=9": "validation_start and dataset.test_start go together: give both, or neither",
    "dataset.validation_start=9": "validation_start and dataset.test_start go together: give both, or neither",
    "dataset.source=file": "dataset.path is required .*dataset.path=sales.csv",
    "dataset.length=9": "dataset.length must be at least 10 and at most 10000000, but got dataset.length=9",
    "dataset.noise=-1": "dataset.noise must be at least 0, but got dataset.noise=-1.0",
    "dataset.noise=.inf": "dataset.noise must be at least 0, but got dataset.noise=inf",
    "dataset.features=[]": r"dataset.features must name at least one column and each only once, but got \[\]",
    "dataset.targets=[a,a]": r"dataset.targets must name at least one column and each only once, but got \['a', 'a'\]",
}

COMBINATIONS = {
    "dataset.transforms=[seasonal_difference]": "seasonal_difference needs dataset.period of at least 2, but got .*=1",
    "dataset.transforms=[seasonal_average]": "seasonal_average needs dataset.period of at least 2, but got .*=1",
    "dataset.transforms=[seasonal_average] dataset.period=4 horizon=5": "horizon=5 .* add dataset.horizons=all",
    "model.skip=linear stateful=true": "skip=linear adds .* stateful=true .*set stateful=false, or model.skip=none",
    "model.skip=linear return_sequences=true": "skip=linear adds .*return_sequences=true.* set return_sequences=f",
    "dataset.transforms=[difference,log]": "log must come first in dataset.transforms",
    "dataset.transforms=[log,log]": "log must come first in dataset.transforms",
    "dataset.transforms=[difference] horizon=2": "horizon=2 .*difference.* cannot be inverted .*dataset.horizons=all",
    "dataset.transforms=[seasonal_difference] dataset.period=4 horizon=5": "horizon=5 .* add dataset.horizons=all",
    "dataset.transforms=[auto,log]": "names auto beside others; set dataset.transforms=auto",
    "dataset.transforms=auto horizon=2": "horizon=2 with dataset.transforms=auto.* add dataset.horizons=all",
    "dataset.future=[b,b]": r"dataset.future must name each column only once, but got \['b', 'b'\]",
    "dataset.future=[b] dataset.features=[a,b]": "dataset.future both name b; .*leave it out of dataset.features",
    "dataset.future=[a] dataset.targets=[a]": "dataset.targets and dataset.future both name a; .*out of dataset.future",
    "dataset.static=[b] dataset.lane_column=l dataset.features=[b]": "dataset.features and dataset.static both name b",
    "dataset.static=[b] dataset.lane_column=l dataset.future=[b]": "dataset.future and dataset.static both name b",
    "dataset.categories=[b,b]": "dataset.categories must name each column only once",
    "dataset.categories=[a] dataset.targets=[a]": "dataset.categories names a, a target; what is forecast must be num",
    "dataset.categories=[b] dataset.features=[a]": "how b is written, but not that it is read; name it in dataset.feat",
    "dataset.categories=[b] dataset.missing=interpolate": "nothing between two categories; set dataset.missing=forward",
    "dataset.static=[b]": "dataset.static=.* tells lanes apart, and one series has none; set dataset.lane_column",
    "dataset.future=[day] dataset.time_column=day": "names the time column or the lane column; dataset.calendar reads",
    "dataset.calendar=[month,month]": "dataset.calendar must name each only once, but got .*month",
    "dataset.calendar=[moon]": "dataset.calendar holds moon, which is none of quarter, month, .*, or holiday:COUNTRY",
    "dataset.calendar=[holiday:germany]": r"holiday:germany names no country that is known; it may be DE \(Germany\)",
    "dataset.calendar=[holiday:ch]": r"holiday:ch names no country that is known; it may be CH \(Switzerland\)$",
    "dataset.calendar=[holiday:Zzzz]": "holiday:Zzzz names no country that is known; it may be DE .*, US .* or GB",
    "dataset.calendar=[holiday:DE-BYE]": "holiday:DE-BYE names no part of DE that is known; it may be DE-BY",
    "dataset.calendar=[holiday:MC-X]": "holiday:MC-X names a part of MC, none of which is known; write holiday:MC",
    "model.decoder=future model.wiring=encoder_decoder horizon=2 dataset.horizons=all": "but dataset.future is empty",
    "model.decoder=future model.wiring=encoder_decoder horizon=2 dataset.horizons=all dataset.future=[b] "
    "dataset.lags_as=features": "model.decoder=future needs dataset.lags_as=time_steps",
    "return_sequences=true dataset.lags_as=features": "return_sequences=true needs dataset.lags_as=time_steps",
    "dataset.order=overlapping": "dataset.order=overlapping needs stateful=true",
    "stateful=true dataset.order=overlapping batch_size=2": "is one lane, but got batch_size=2 .*set both to 1",
    "stateful=true dataset.order=overlapping dataset.segments=2": "is one lane, but got .*segments=2; set both to 1",
    "dataset.segments=2": "dataset.segments=2 makes lanes for stateful=true; add that or set it to 1",
    "stateful=true batch_size=4": "batch_size=4 .*look_back=3 and dataset.segments=1 make 3; lower batch_size",
    "dataset.scaler_per_lane=true": "dataset.scaler_per_lane=true needs dataset.lane_column",
    "dataset.lane_column=a dataset.time_column=a": "lane_column and dataset.time_column both name the column 'a'",
    "dataset.lane_column=a dataset.segments=2": "dataset.segments=2 makes lanes for stateful=true; add that or set",
    "dataset.lane_block=0": "dataset.lane_block must be at least 1, but got dataset.lane_block=0",
    "dataset.lane_block=9": "dataset.lane_block=9 needs dataset.lane_column, the column that names the series",
    **{
        f"dataset.source=file dataset.path=a.csv dataset.lane_column=a dataset.lane_block=9 {change}": (
            f"dataset.lane_block=9 needs .*{needed}"
        )
        for change, needed in {
            "stateful=true": "stateful=false: the lanes of a state lie across all blocks",
            "evaluation.origins=2": "evaluation.origins=1",
            "training.engine=fit": "training.engine=auto or fused",
            "model.head=gaussian": "model.head=point",
            "dataset.transforms=auto": "not dataset.transforms=auto, which looks at all lanes",
            "launcher=processes": "launcher=local",
            "dataset.validation_fraction=0 training.patience=null": "dataset.validation_fraction above 0",
            "training.all_rows=true": "training.all_rows=false: no program holds all lanes",
        }.items()
    },
    "dataset.lane_column=a dataset.order=overlapping": "dataset.order=overlapping needs stateful=true",
    **{
        change: f"{change} belongs to a text, and this is a series; leave it out"
        for change in (
            *("dataset.token=word", "dataset.vocabulary=9", "dataset.split=lanes", "dataset.stride=3"),
            *("dataset.stride=-5", "model.head=token"),
        )
    },
    "model.embedding=3": "model.embedding=3 stands for values of dataset.categories, .*this series has none; leave",
    "model.embedding=0 dataset.categories=[b] dataset.future=[b]": "model.embedding must be at least 1, but got",
    "model.quantiles=[0.1,0.5,0.9]": r"model.quantiles=\[0.1,0.5,0.9\] is of no use to model.head=point",
    **{
        f"model.head=quantile model.quantiles={levels}": "must list levels .* ascending, 0.5 between others"
        for levels in ("[0.1,0.9]", "[0.5,0.9]", "[0.1,0.5]", "[0.9,0.5,0.1]", "[0,0.5,0.9]", "[0.1,0.5,0.5,0.9]", "[]")
    },
    "model.head=quantile training.loss=mae": "training.loss=mae is a loss of points, and model.head=quantile has its",
    **{
        f"model.head=negative_binomial dataset.scaler=none {change}": f"counts whole numbers .*needs dataset.{needed}"
        for change, needed in {
            "dataset.scaler=standard": "scaler=none; set",
            "dataset.transforms=[log]": r"transforms=\[\]; set",
            "dataset.normalise=window_mean": "normalise=none or window_scale; set",
        }.items()
    },
    "dataset.normalise=window_scale": "window_scale is for counts, and needs model.head=negative_binomial",
    "model.head=quantile protocol=tutorial": "protocol=tutorial scores points only, but got model.head=quantile",
    "training.online=true": "training.online=true needs stateful=true, but got stateful=false",
    "training.online=true stateful=true training.all_rows=true": "training.all_rows=false: it learns from every row",
    "training.online=true stateful=true horizon=2": "training.online=true needs one step ahead.*set horizon=1",
    "stateful=true dataset.lags_as=features batch_size=2": "batch_size=2 .* make 1; lower batch_size or",
}

ALLOWED = [
    "look_back=1 horizon=1 batch_size=1 seeds=1 training.epochs=1 training.patience=null training.clip_norm=null",
    "seed=0",
    "model.head=quantile horizon=2 dataset.horizons=all dataset.transforms=[difference]",
    "seed=2147483645 seeds=3",
    "model.units=[1,1,1] model.dropout=0.99 model.recurrent_dropout=0",
    "dataset.test_fraction=0.5 dataset.validation_fraction=0.49",
    "dataset.validation_start=100 dataset.test_start=200",
    "dataset.length=10",
    "dataset.transforms=[difference] horizon=1",
    "dataset.transforms=[difference] horizon=2 dataset.horizons=all",
    "dataset.transforms=[log,difference,difference]",
    "dataset.transforms=[seasonal_difference] dataset.period=4 horizon=4",
    "dataset.transforms=[log] horizon=9",
    "dataset.transforms=auto",
    "dataset.transforms=auto horizon=2 dataset.horizons=all",
    "stateful=true batch_size=3",
    "stateful=true batch_size=400 look_back=1 dataset.segments=400",
    "stateful=true dataset.order=overlapping",
    "stateful=true dataset.lane_column=a dataset.order=overlapping batch_size=400",  # a lane per series
    "stateful=true dataset.lane_column=a dataset.scaler_per_lane=true batch_size=400 look_back=1",
    "stateful=true training.online=true",
    "training.all_rows=true dataset.validation_fraction=0 training.patience=null",
    "training.all_rows=true evaluation.origins=3 training.engine=fit",
    "stateful=true training.online=true dataset.lane_column=a batch_size=400 return_sequences=true",
    "batch_size=1000",
    "model.head=negative_binomial dataset.scaler=none",
    "model.head=quantile model.quantiles=[0.01,0.5,0.99] dataset.transforms=[log,difference]",
    "model.head=quantile horizon=4 dataset.horizons=all dataset.transforms=[seasonal_average] dataset.period=4",
]


@pytest.mark.parametrize(("changes", "complaint"), [*NUMBERS.items(), *DATASET.items(), *COMBINATIONS.items()])
def test_refused(changes: str, complaint: str) -> None:
    """Breaks the second gate: a value out of range reaches training, or the text does not say what to change."""
    with pytest.raises(UserError, match=complaint):
        check_ranges(configure(changes))


@pytest.mark.parametrize("changes", ["", *ALLOWED])
def test_allowed(changes: str) -> None:
    """Breaks valid configurations: a value on the border is refused."""
    config = configure(changes)
    untouched = configure(changes)
    check_ranges(config)
    assert config == untouched  # a gate repairs nothing


@pytest.mark.parametrize(
    ("changes", "lanes"),
    [
        ("stateful=true look_back=6", 6),
        ("stateful=true look_back=6 dataset.segments=4", 24),
        ("stateful=true look_back=6 dataset.order=overlapping", 1),
        ("stateful=true look_back=6 dataset.lags_as=features", 1),
    ],
)
def test_number_of_lanes(changes: str, lanes: int) -> None:
    """Breaks the batch_size gate and the reports that count lanes: one lane per phase and segment."""
    assert num_lanes(configure(changes)) == lanes
