"""The words of a space, in a file and on the command line."""

from pathlib import Path

import pytest

from pipeline.base.errors import UserError
from pipeline.base.paths import conf_dir
from pipeline.config.schema import Config, DatasetConfig, Source, Transform
from pipeline.searching.space import Between, Options, Space, check_keys, read_space, set_values

BASE = Config(dataset=DatasetConfig(name="airline", source=Source.packaged, path="airline.csv"))


def test_every_word_of_hydra_becomes_an_axis() -> None:
    """A word of Hydra's grammar means something else in a search than in a sweep."""
    words = [
        "look_back=choice(3,6)", "batch_size=range(1,8,3)", "model.units=[4],[8,8]", "model.cell=gru",
        "training.learning_rate=tag(log,interval(0.001,0.1))", "training.patience=int(interval(1,4))",
        "model.dropout=interval(0.0,0.5)",
    ]  # fmt: skip
    space = read_space("small", 100, 1, words, taken=["dataset.transforms", "dataset.scaler"])
    assert space.axes["look_back"] == Options(("3", "6"))
    assert space.axes["batch_size"] == Options(("1", "4", "7"))
    assert space.axes["model.units"] == Options(("[4]", "[8,8]"))
    assert space.axes["training.learning_rate"] == Between(0.001, 0.1, log=True)
    assert space.axes["training.patience"] == Between(1, 4, whole=True)
    assert space.axes["model.dropout"] == Between(0.0, 0.5)
    assert space.fixed["model.cell"] == "gru" and "model.cell" not in space.axes
    assert "dataset.transforms" not in space.axes | space.fixed


@pytest.mark.parametrize(
    "name",
    [
        path.stem if path.stem == "small" else pytest.param(path.stem, marks=pytest.mark.thorough)
        for path in sorted((conf_dir() / "search").glob("*.yaml"))
    ],
)
def test_every_packaged_space_can_be_set(name: str) -> None:
    """A space of conf/search names a key or a value that no run takes."""
    space = read_space(name, 100, 1, (), ())
    config = set_values(BASE, space.fixed)
    for key, axis in space.axes.items():
        for text in axis.texts if isinstance(axis, Options) else (str(axis.low), str(axis.high)):
            set_values(config, {key: text})


def test_the_length_of_a_series_chooses_its_space() -> None:
    """Thousands of rows are searched with batches of one window, or a hundred with those of many."""
    sizes = [read_space("auto", steps, 1, (), ()) for steps in (96, 2000, 50_000)]
    assert sizes == [read_space(name, 1, 1, (), ()) for name in ("small", "medium", "large")]


def test_a_season_is_a_look_back_of_the_packaged_spaces() -> None:
    """A weekly or hourly season is longer than every packaged look-back but one, or choices of a person get another."""

    def look_backs(*words: str) -> tuple[str, ...]:
        axis = read_space("small", 100, 7, words, ()).axes["look_back"]
        assert isinstance(axis, Options)
        return axis.texts

    assert look_backs().count("7") == 1
    assert look_backs("look_back=choice(1,3)") == ("1", "3")


def test_a_file_is_a_space(tmp_path: Path) -> None:
    """A person's own file needs the words of the packaged ones, but cannot say lists, levels or nothing."""
    (tmp_path / "mine.yaml").write_text("model:\n  units: [8, 8]\n  embedding: null\nlook_back: choice(1,2)\n")
    space = read_space(str(tmp_path / "mine.yaml"), 100, 12, (), ())
    assert space.fixed == {"model.units": "[8,8]", "model.embedding": "null"}
    assert space.axes == {"look_back": Options(("1", "2"))}  # no season is added to what a person wrote
    (tmp_path / "mine.yaml").write_text("look_back: 3\n")
    with pytest.raises(UserError, match="nothing to search"):
        read_space(str(tmp_path / "mine.yaml"), 100, 12, (), ())
    with pytest.raises(UserError, match=r"unknown search 'smal'.*small"):
        read_space("smal", 100, 1, (), ())


def test_values_are_set_as_on_the_command_line() -> None:
    """A list, a word or null means something else to a trial than to the run that repeats it."""
    changed = set_values(
        BASE, {"dataset.transforms": "[log,difference]", "training.clip_norm": "null", "look_back": "6"}
    )
    assert changed.dataset.transforms == [Transform.log, Transform.difference]
    assert changed.training.clip_norm is None and changed.look_back == 6
    assert BASE.look_back == 3 and BASE.dataset.transforms == []
    for values, message in (({"look_bak": "1"}, "look_bak"), ({"look_back": "soon"}, "look_back")):
        with pytest.raises(UserError, match=message):
            set_values(BASE, values)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("dataset.test_fraction=choice(0.33,0.6)", "what is forecast"),
        ("horizon=choice(1,3)", "what is forecast"),
        ("dataset.targets=[a]", "what is forecast"),
        ("dataset.missing=interpolate", "what is forecast"),
        ("dataset.name=choice(a,b)", "what is forecast"),
        ("dataset.path=other.csv", "where the values come from"),
        ("dataset.features=[a]", "which columns are read"),
        ("seed=choice(1,2)", "which trainings"),
        ("tracking.uri=elsewhere", "where runs are recorded"),
        ("training.online=choice(true,false)", "the same for all trials"),
        ("evaluation.origins=choice(1,3)", "the same for all trials"),
        ("training.engine=choice(keras,fused)", "the same for all trials"),
    ],
)
def test_what_all_trials_share_is_not_searched(word: str, said: str) -> None:
    """The champion's test part has rows that chose it, scores of different tasks compete, or a key changes nothing."""
    with pytest.raises(UserError, match=f"{word.partition('=')[0]} .*{said}"):
        check_keys(read_space("small", 100, 1, [word], ()))


def test_an_engine_is_set_in_a_file() -> None:
    """A person's file may not say with which engine its trials are trained."""
    check_keys(Space({"look_back": Options(("1", "2"))}, {"training.engine": "keras"}))
