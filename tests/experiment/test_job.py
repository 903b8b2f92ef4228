"""What became of a job is said in one line, unless it is a fault of the program."""

import logging
from errno import ECONNREFUSED

import pytest
from sqlalchemy.exc import OperationalError

from pipeline.base.errors import TrainingError
from pipeline.config.schema import Config
from pipeline.experiment import run
from pipeline.experiment.job import train_job


@pytest.mark.parametrize(
    ("error", "line", "is_traced"),
    [
        (
            OperationalError("select", None, Exception("server closed")),
            "the MLflow store does not answer: .*closed",
            False,
        ),
        (OSError(ECONNREFUSED, "refused"), "ConnectionRefusedError: .*refused", True),  # perhaps the data
    ],
)
def test_a_store_that_is_away_is_no_traceback(
    error: Exception, line: str, is_traced: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store is away while resume=true looks for an earlier run, and a traceback is all there is to read."""

    def fail(*given: object) -> None:
        raise error

    monkeypatch.setattr(run, "run_experiment", fail)
    with caplog.at_level(logging.ERROR), pytest.raises(TrainingError, match=line):
        train_job(Config())
    (record,) = caplog.records
    assert (record.exc_info is not None) is is_traced
