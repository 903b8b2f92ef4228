"""What a search found, as JSON for a program and as sentences for people."""

import math
from dataclasses import dataclass
from typing import Any

from pipeline.base.text import show_number
from pipeline.comparison.verdict import describe_margin
from pipeline.config.keys import label_run
from pipeline.searching.champion import Champion
from pipeline.searching.folds import NUM_FOLDS
from pipeline.searching.refit import Refit


@dataclass(frozen=True)
class Result:
    """A search that ended.

    Attributes:
        champion: What it found.
        persistence: What repeating the last value scores where trials were judged.
        luck: The validation score that the best trial would be expected to have if all were equally good; NaN with too
            few complete trials.
        tried: Different configurations among the trials.
        counts: Trials by how they ended.
        seconds: How long the search took, the champion included.
        model: What the model registry calls the champion, or its refit.
        refit: The champion trained on more, if it was.
    """

    champion: Champion
    persistence: float
    luck: float
    tried: int
    counts: dict[str, int]
    seconds: float
    model: str
    refit: Refit | None = None

    def as_document(self) -> dict[str, Any]:
        """Return the JSON of `output=`; of several targets the scores are RMSSE, which has no unit."""
        champion = self.champion
        return {
            "champion": {
                "run_id": champion.record.run_id,
                "parameters": champion.parameters,
                "validation_rmse": champion.trial.score,
                "test_rmse": champion.record.score("test"),
                "ensemble_rmse": champion.ensemble,
                "baselines": champion.baselines,
            },
            **({} if self.refit is None else {"refit": self._refit_document(self.refit)}),
            "trials": self.counts,
            "seconds": round(self.seconds, 3),
        }

    @staticmethod
    def _refit_document(refit: Refit) -> dict[str, Any]:
        return {
            "run_id": refit.record.run_id,
            "test_rmse": refit.record.score("test"),
            "ensemble_rmse": refit.ensemble,
        }

    def metrics(self) -> dict[str, float]:
        """Return what is logged on the search's own run."""
        found = {
            "validation_rmse": self.champion.trial.score,
            "validation_persistence_rmse": self.persistence,
            "expected_best_rmse": self.luck,
            "test_rmse": self.champion.record.score("test"),
            "ensemble_rmse": self.champion.ensemble,
            "search_seconds": self.seconds,
        } | {f"trials_{state}": float(count) for state, count in self.counts.items()}
        if self.refit is not None:
            found |= {"refit_test_rmse": self.refit.record.score("test"), "refit_ensemble_rmse": self.refit.ensemble}
        return {name: value for name, value in found.items() if math.isfinite(value)}

    def sentences(self) -> list[str]:
        """Say what was chosen, by what, and what of it is luck."""
        champion, label = self.champion, self.champion.record.measure.label
        tried = ", ".join(f"{count} {state}" for state, count in self.counts.items())
        score, test = champion.trial.score, champion.record.score("test")
        naive = champion.baselines["persistence"]
        seeds = champion.record.params["seeds"]
        told = [
            f"Champion: {label_run(champion.parameters, list(champion.trial.values))} (trial {champion.trial.number}; "
            f"{tried}).",
            f"Chosen by {label} {show_number(score)} on {NUM_FOLDS} folds before the test part, "
            f"{_compare(score, self.persistence)} repeating the last value there; on the test part {seeds} fresh seeds "
            f"have {show_number(test)}, {_compare(test, naive)} repeating the last value, and their mean forecast "
            f"{show_number(champion.ensemble)}.",
        ]
        if (refit := self.refit) is not None:
            told.append(
                f"Refit: trained again on all that lies before the test part, for {refit.epochs} epochs, the median of "
                f"its seeds, because no validation part is left to stop by: {seeds} seeds have "
                f"{show_number(refit.record.score('test'))} on the test part, and their mean forecast "
                f"{show_number(refit.ensemble)}."
            )
        if math.isfinite(self.luck):
            more = "lower than that" if score < self.luck else "not lower, so the choice among trials may be luck"
            told.append(
                f"If all {self.tried} configurations were equally good, the luckiest would be expected to score "
                f"{show_number(self.luck)} on the folds; the champion's {show_number(score)} is {more}."
            )
        return told


def _compare(score: float, baseline: float) -> str:
    """Say `4 % better than` or `on par with`."""
    margin = describe_margin(score, baseline)
    return f"{margin} with" if margin == "on par" else f"{margin} than"
