"""The report of a search: which keys decided, and a page that shows every trial."""

from pathlib import Path

import numpy as np

from pipeline.base.document import DatasetFacts, Document
from pipeline.base.salvage import Salvage
from pipeline.models.heads.point import RMSE
from pipeline.report.figures.coordinates import MOST_LINES
from pipeline.report.page.search import SearchFacts, write_search_report
from pipeline.searching.halving import RUNGS
from pipeline.searching.report import list_coordinates, list_rows, weigh_keys
from pipeline.searching.space import Between, Options, Space
from pipeline.searching.trials import State, Trial

SPACE = Space({"model.units": Options(("[4]", "[8]")), "training.learning_rate": Between(0.001, 0.1, log=True)}, {})


def make_trials(count: int = 40) -> list[Trial]:
    """The rate decides; the units do not."""
    rates = 10 ** np.random.default_rng(1).uniform(-3, -1, count)
    return [
        Trial(
            number,
            {"model.units": "[4]" if number % 2 else "[8]", "training.learning_rate": repr(float(rate))},
            scores=(1 + 100 * float(rate),) * (3 if number % 9 == 0 else 1),
            state=State.complete if number % 9 == 0 else State.pruned,
        )
        for number, rate in enumerate(rates)
    ]


def test_the_key_that_decides_is_the_important_one() -> None:
    """The page says that a key decided which changed nothing, or takes four trials for evidence."""
    shares = weigh_keys(SPACE, make_trials())
    assert shares["training.learning_rate"] > 0.9 and abs(sum(shares.values()) - 1) < 1e-6
    assert weigh_keys(SPACE, make_trials(4)) == {}


def test_coordinates_stand_where_the_values_are() -> None:
    """A line of the figure goes through a value that its trial did not have, or the champion's line is another's."""
    trials = make_trials()
    units, rate, score = list_coordinates(SPACE, trials, 9, "RMSE")
    assert score.values[0] == trials[9].scores[0] and len(score.values) == len(trials)
    ranks = np.argsort(np.argsort(score.values))
    np.testing.assert_allclose(10 ** (2 * rate.spread(ranks) - 3), rate.values)
    assert units.options == ("[4]", "[8]") and units.options[units.values[0]] == "[4]"
    places = units.spread(ranks)
    for option, start in enumerate((0, 0.5)):
        mine = places[units.values == option]
        assert len(set(mine)) == len(mine) and start < min(mine) and max(mine) < start + 0.5
        assert (np.argsort(mine) == np.argsort(ranks[units.values == option])).all()
    many = list_coordinates(SPACE, make_trials(3 * MOST_LINES), 9, "RMSE")[-1].values
    assert len(many) == MOST_LINES and min(many) < 1.2 and max(many) > 10.5
    assert list_coordinates(SPACE, trials[:1], 0, "RMSE") == []


def test_numbers_stand_on_their_axis_by_size() -> None:
    """The look-backs stand as 12, 1, 3, 24: a trend along the axis cannot be seen, or a line goes to a wrong tick."""
    texts = ("12", "1", "3", "24")
    space = Space({"look_back": Options(texts), "model.dropout": Options(("0.1", "0.0"))}, {})
    trials = [
        Trial(number, {"look_back": text, "model.dropout": "0.1"}, (1.0 + number,)) for number, text in enumerate(texts)
    ]
    back, dropout, _ = list_coordinates(space, trials, 0, "RMSE")
    assert back.options == ("1", "3", "12", "24") and dropout.options == ("0.0", "0.1")
    assert [back.options[place] for place in back.values] == list(texts)


def test_a_page_shows_the_search(tmp_path: Path) -> None:
    """The page lacks its figures, its best trials or the command; or text from outside becomes markup."""
    trials = [*make_trials(), Trial(40, {"model.units": "[4]", "training.learning_rate": "0.1"}, state=State.failed,
                                   reason="<b>nan</b>")]  # fmt: skip
    facts = SearchFacts(
        document=Document(
            selection="", dataset=DatasetFacts("air<line", "thousand", "", "48 timestamps", RMSE), by=(),
            configurations=(), axes=(), baselines=(), failed=(), sentences=(), verdict=("It beats it.",),
        ), forecast=None, sentences=["Champion: look_back=3."], trials=list_rows(trials), last=len(RUNGS), naive=5.0,
        importance={"model.units": 0.1, "training.learning_rate": 0.9},
        coordinates=list_coordinates(SPACE, trials, 0, "RMSE"), command=["dataset=airline"],
    )  # fmt: skip
    salvage = Salvage(lambda text: None)
    page = write_search_report(tmp_path, facts, salvage).read_text()
    assert not salvage.lost
    for text in ("How the search went", "What was tried", "Which keys decided",
                 "Champion: look_back=3.", "python -m pipeline.search",
                 "11 more trials", "air&lt;line"):  # fmt: skip
        assert text in page
    assert page.count("<svg") == 6 and "<b>nan" not in page
    assert {path.name for path in tmp_path.iterdir()} == {
        "history.png", "coordinates.png", "importance.png", "report.html"
    }  # fmt: skip
