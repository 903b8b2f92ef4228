"""The process that trains ahead: reads jobs from stdin, trains them, and answers on stdout, line by line.

A line is JSON. In: `{"jobs": [...], "until": 3}`, more jobs that come, and how far to train. Out, each with the place
of its job: what is said of it, its progress, and at last its training, or its error. It ends when stdin does.
"""

import argparse
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from pipeline.base.disk import explain_disk
from pipeline.base.environment import hushed_stderr, prepare_environment, quick_imports
from pipeline.base.errors import PipelineError, TrainingError
from pipeline.config.schema import Config
from pipeline.data.series import Series
from pipeline.experiment.trainer import Trainer
from pipeline.launching.ahead_process import SERIES
from pipeline.launching.answers import label_job, name_dataset, read_job, write_error
from pipeline.launching.trained import write_training
from pipeline.launching.worker import watch_parent
from pipeline.report.terminal.progress import Epoch, Reporter
from pipeline.training.record import Certificate

log = logging.getLogger(__name__)

# Keras imports them where they are installed, for wrappers and pictures: 0.9 s. Nothing is drawn here.
_NEVER = ("IPython", "matplotlib", "sklearn")

Answer = Callable[[Mapping[str, Any]], None]


def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parent", type=int, required=True, help="process id of the command: without it, it ends")
    parser.add_argument("--folder", type=Path, required=True, help="has the series, and takes what is trained")
    arguments = parser.parse_args()
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)  # whatever a library prints is no answer
        prepare_environment()
        logging.basicConfig(format="%(message)s", level=logging.WARNING)
        threading.Thread(target=watch_parent, args=[arguments.parent], daemon=True).start()
        sys.modules.update(dict.fromkeys(_NEVER))  # type: ignore[arg-type]  # None: it cannot be imported
        with hushed_stderr(), quick_imports():
            from pipeline.training.train import start_tensorflow

            start_tensorflow()

        def answer(told: Mapping[str, Any]) -> None:
            answers.write(f"{json.dumps(told)}\n")
            answers.flush()

        _serve(arguments.folder, answer)


def _serve(folder: Path, answer: Answer) -> None:
    from pipeline.data.series_file import read_series

    series: Mapping[str, Series] | None = None
    coming: list[tuple[int, Config]] = []
    place = 0

    @contextmanager
    def show(label: str, first_seed: int, seeds: int, epochs: int) -> Iterator[Reporter]:
        def report(epoch: Epoch) -> None:
            told = {name: getattr(epoch, name) for name in ("seed", "epoch", "loss", "val_loss", "last")}
            answer({"place": place, "is": "epoch", "epoch": told})

        answer({"place": place, "is": "begun", "of": [first_seed, seeds, epochs]})
        yield report

    def tell(text: str) -> None:
        answer({"place": place, "is": "told", "text": text})

    with Trainer(show=show) as trainer:
        for line in _read_at_once():
            asked = json.loads(line)
            if series is None:  # they are there before the first line
                series = read_series((folder / SERIES).read_bytes())
            more = [(task["place"], read_job(task)) for task in asked["jobs"]]
            trainer.expect([job for _, job in more])
            coming += more
            while coming and coming[0][0] < asked["until"]:
                place, job = coming.pop(0)
                try:
                    trained = _train(trainer, job, series[name_dataset(job.dataset)], folder / str(place), tell)
                except Exception as error:
                    answer({"is": "failed", **write_error(place, _explain(error, label_job(job)))})
                else:
                    answer({"place": place, "is": "trained", "kind": "", **trained})


def _read_at_once() -> Iterator[str]:
    """Yield what is asked, and take it while a job is trained: else two full pipes could let both processes wait."""
    lines = SimpleQueue[str | None]()

    def read() -> None:
        for line in sys.stdin:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=read, daemon=True).start()
    return iter(lines.get, None)


def _train(trainer: Trainer, job: Config, series: Series, file: Path, tell: Callable[[str], None]) -> dict[str, Any]:
    """Train a job and certify its best seed: Keras is here, not where it is scored and logged."""
    from pipeline.data.auto_transforms import resolve_transforms
    from pipeline.data.prepare import prepare_data
    from pipeline.evaluation.alignment import find_best
    from pipeline.serving.model import make_model

    config, _ = resolve_transforms(job, series)
    data = prepare_data(config, series)
    training = trainer.train(job, config, data, label_job(job), tell)
    number = 0
    certificate: Certificate | str = "a seed diverged"
    if not any(seed.failure for seed in training.seeds):
        number = find_best(data, training.forecasts)
        best = make_model(config, data, training.seeds[number].seed, training.seeds[number].weights)
        certificate = _certify(trainer, job, best, training.forecasts[number])
    return write_training(training, training.seeds[number].seed, certificate, file)


def _certify(trainer: Trainer, *of: Any) -> Certificate | str:
    try:
        return trainer.certify(*of)
    except TrainingError as error:
        return str(error)


def _explain(error: Exception, label: str) -> PipelineError:
    """Return what is told of a job that failed, as where a job is trained in the process that logs it."""
    if isinstance(error, PipelineError):
        return error
    if (disk := explain_disk(error)) is not None:
        return TrainingError(disk)
    log.exception("%s", label, exc_info=error)
    return TrainingError(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
