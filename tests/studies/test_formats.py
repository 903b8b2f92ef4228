"""JSON and CSV of `compare protocol`: every key at its place."""

import json

from pipeline.base.study import ProtocolDocument, ProtocolScore, RefusedRun, RescoredRun
from pipeline.studies.formats import write_csv, write_json

SCORE = ProtocolScore(50.0, None, (50.0,), 20, 48.0)
ROW = RescoredRun(
    "a", "the, one", {"look_back": 3}, "m", "fair", (1,), None, SCORE, SCORE, 1.5, 1.0, 0.5, 0.25, "größer"
)
DOCUMENT = ProtocolDocument("sweep=1", (ROW,), (RefusedRun("b", "other", "too long"),), ("no match",), ("all",))


def test_json_has_these_keys_in_this_order() -> None:
    """A script that reads the answer finds another name after a field of a record got one."""
    score = {"test_rmse": 50.0, "std": None, "per_seed": [50.0], "points": 20, "persistence_rmse": 48.0}
    row = {
        "run": "a", "label": "the, one", "parameters": {"look_back": 3}, "unit": "m", "trained_under": "fair",
        "seeds": [1], "logged_test_rmse": None, "fair": score, "tutorial": score, "difference": 1.5, "by_points": 1.0,
        "by_state": 0.5, "share": 0.25, "sentence": "größer",
    }  # fmt: skip
    refused = {"run": "b", "label": "other", "reason": "too long"}
    expected = {"selection": "sweep=1", "runs": [row], "refused": [refused]}
    expected |= {"mismatches": ["no match"], "sentences": ["all"]}
    assert write_json(DOCUMENT) == json.dumps(expected, indent=2, ensure_ascii=False) + "\n"


def test_csv_has_these_columns_and_a_sentence_for_what_cannot_be_scored() -> None:
    """A spreadsheet that was built on the columns finds them elsewhere."""
    assert write_csv(DOCUMENT).splitlines() == [
        "run,label,trained_under,seeds,logged_test_rmse,fair_test_rmse,fair_std,fair_points,fair_persistence_rmse,"
        "tutorial_test_rmse,tutorial_std,tutorial_points,tutorial_persistence_rmse,difference,by_points,by_state,share,"
        "sentence",
        'a,"the, one",fair,1,,50.0,,20,48.0,50.0,,20,48.0,1.5,1.0,0.5,0.25,größer',
        f"b,other{',' * 16}too long",
    ]
