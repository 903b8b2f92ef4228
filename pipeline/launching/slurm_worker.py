"""A task of launcher=slurm, started by Slurm: trains its batch of jobs, and answers for each in the shared folder.

One that begins anew, after its node failed or it was preempted, closes what it left open, and trains what is missing.
"""

import logging
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import OmegaConf

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import TakenOverError
from pipeline.base.interrupt import interrupt_signal, listen_for_interrupts
from pipeline.base.terminal import prepare_terminal, say
from pipeline.config.schema import typed_config
from pipeline.experiment.trainer import Trainer
from pipeline.launching.answers import answer_jobs
from pipeline.launching.slurm_folder import add_answer, batch_file, read_answers, read_batch

if TYPE_CHECKING:
    from pipeline.data.series import Series

_REASON = "its Slurm job began anew: the node failed, or it was preempted"


def main() -> int:
    """Train the batch; 128 + signal after an interrupt: Slurm's time limit, a preemption or scancel."""
    folder, index = Path(sys.argv[1]), int(os.environ["SLURM_ARRAY_TASK_ID"])
    anew = int(os.environ.get("SLURM_RESTART_COUNT") or 0) > 0
    prepare_environment()
    prepare_terminal(unread=True)
    listen_for_interrupts()
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    try:
        _train(folder, index, anew)
    except KeyboardInterrupt:
        say(f"interrupted by signal {interrupt_signal()}")
        return 128 + interrupt_signal()
    return 0


def _train(folder: Path, index: int, anew: bool) -> None:
    answered = {answer["place"] for answer in read_answers(folder, index)}
    left = [written for written in read_batch(folder, index) if written["place"] not in answered]
    loaded: dict[str, Series] = {}
    if anew:
        say(f"began anew: {len(left)} job(s) are left")
        for written in left:
            written["config"]["resume"] = True
        _close_left_open(left)
    with Trainer() as trainer:
        for answer in answer_jobs(left, trainer, loaded):
            if answer["kind"] == TakenOverError.__name__:
                return  # this task was taken for lost: another one trains, and answers
            add_answer(folder, index, answer)
            if not batch_file(folder, index).exists():
                return
            if anew:
                _close_left_open(left)  # what was taken for lost may have gone on meanwhile


def _close_left_open(left: list[dict[str, Any]]) -> None:
    from pipeline.tracking.heartbeat import slurm_job
    from pipeline.tracking.past import close_left_open
    from pipeline.tracking.store import open_store

    if left:
        tracking = typed_config(OmegaConf.create(left[0]["config"])).tracking
        assert tracking.parent_run_id is not None
        close_left_open(open_store(tracking), tracking.parent_run_id, _REASON, slurm_job())


if __name__ == "__main__":
    sys.exit(main())
