"""JSON and CSV of a comparison: every key at its place, whatever the record behind it is called."""

import json

from pipeline.base.document import (
    AxisEffect,
    AxisRow,
    BaselineRow,
    ComparisonRow,
    ConfigurationRow,
    DatasetFacts,
    Document,
    FailedRow,
    Level,
    Summary,
)
from pipeline.comparison.formats import write_csv, write_json
from pipeline.models.heads.point import RMSE

NAN = float("nan")
DIFFERENCE = ComparisonRow(1.5, NAN, NAN, NAN, 2.25, 0.01, 0.02, False, "3 is better, so far")
PLAIN = {
    "difference": 1.5, "low": None, "high": None, "p_seeds": None, "diebold_mariano": 2.25, "p": 0.01,
    "p_holm": 0.02, "evidence": False, "sentence": "3 is better, so far",
}  # fmt: skip
SCORE, PLAIN_SCORE = Summary(50.0, NAN, NAN, NAN), {"mean": 50.0, "std": None, "low": None, "high": None}
SCORES = dict.fromkeys(("validation_rmse", "test_rmse", "test_mae"), PLAIN_SCORE)


def configuration(look_back: int, against: ComparisonRow | None) -> ConfigurationRow:
    skills = {"persistence": 0.5, "linear": NAN}
    worth = {"coverage_95": 0.9}
    return ConfigurationRow({"look_back": look_back}, ("b", "a"), 1, SCORE, SCORE, SCORE, skills, 3.5, against, worth)


DOCUMENT = Document(
    selection="sweep=1",
    dataset=DatasetFacts("größe", "m", "0a", "9 timestamps", RMSE),
    by=("look_back",),
    configurations=(configuration(3, None), configuration(1, DIFFERENCE)),
    axes=(AxisRow("look_back", ("x",), (Level(1, 51.5), Level(3, 50.0)), (AxisEffect(1, 3, 1, DIFFERENCE),)),),
    baselines=(BaselineRow("linear", "look_back=1", 48.0, DIFFERENCE),),
    failed=(FailedRow("c", {"look_back": None}, "FAILED", "too, large"),),
    sentences=("one", "two"),
    verdict=("First.", "Second."),
)


def test_json_has_these_keys_in_this_order_and_null_for_no_number() -> None:
    """A script that reads the answer finds another name; or a file that has not changed differs in every line."""
    row = {"runs": ["b", "a"], "seeds": 1, **SCORES, "skill_persistence": 0.5, "skill_linear": None, "fit_seconds": 3.5}
    row |= {"coverage_95": 0.9}
    expected = {
        "selection": "sweep=1",
        "dataset": {"name": "größe", "unit": "m", "sha256": "0a", "scored": "9 timestamps", "measure": "RMSE"},
        "by": ["look_back"],
        "configurations": [
            {"parameters": {"look_back": 3}, **row, "against_best": None},
            {"parameters": {"look_back": 1}, **row, "against_best": PLAIN},
        ],
        "axes": [
            {
                "name": "look_back",
                "changes_together_with": ["x"],
                "levels": [{"value": 1, "test_rmse": 51.5}, {"value": 3, "test_rmse": 50.0}],
                "effects": [{"from": 1, "to": 3, "matched": 1, **PLAIN}],
            }
        ],
        "baselines": [{"name": "linear", "of": "look_back=1", "test_rmse": 48.0, **PLAIN}],
        "failed": [{"run": "c", "parameters": {"look_back": None}, "status": "FAILED", "reason": "too, large"}],
        "sentences": ["one", "two"],
        "verdict": "First. Second.",
    }
    assert write_json(DOCUMENT) == json.dumps(expected, indent=2, ensure_ascii=False) + "\n"


def test_csv_has_these_columns_and_an_empty_cell_for_no_number() -> None:
    """A spreadsheet that was built on the columns finds them elsewhere, or `nan` among the numbers."""
    score = "50.0,,,"
    assert write_csv(DOCUMENT).splitlines() == [
        "status,look_back,seeds,runs,validation_rmse_mean,validation_rmse_std,validation_rmse_low,validation_rmse_high,"
        "test_rmse_mean,test_rmse_std,test_rmse_low,test_rmse_high,test_mae_mean,test_mae_std,test_mae_low,"
        "test_mae_high,difference,difference_low,difference_high,p_seeds,diebold_mariano,p,p_holm,evidence,sentence",
        f"FINISHED,3,1,b a,{score},{score},{score},,,,,,,,,the best by validation",
        f'FINISHED,1,1,b a,{score},{score},{score},1.5,,,,2.25,0.01,0.02,False,"3 is better, so far"',
        f'FAILED,null{"," * 23}"too, large"',
    ]
