"""What a finished training must prove, and what can be learnt from it: parity, and how far back it remembers."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.artifacts.tables import write_memory, write_parity
from pipeline.base.salvage import Salvage
from pipeline.config.schema import Config
from pipeline.evaluation.memory import describe_memory, measure_memory, name_step
from pipeline.report.figures.run import draw_memory
from pipeline.report.page.gates import PAGE, write_gates_page
from pipeline.serving.gates import can_look, choose_excerpt, describe_ahead, look_at_network, name_target
from pipeline.serving.model import ServedModel
from pipeline.training.record import Certificate

if TYPE_CHECKING:
    from pipeline.tracking.live import LiveRun


# What is logged of the gates: little enough for every run. `pipeline.look` shows as much as is asked for.
_LOOK_STEPS, _LOOK_UNITS = 120, 16
_HEAVY = 20_000  # weights: with more only half the steps, a quarter of the work; it shall take less than 0.1 s
_LOOK_BEFORE = 1024  # steps read before the excerpt
_LOOK_WEIGHTS = 60_000  # numbers; a third of a megabyte
_LARGEST_LOOK = 1_000_000  # bytes; only very many features make it larger


def log_certificate(config: Config, certificate: Certificate, folder: Path, run: "LiveRun") -> dict[str, float]:
    """Log that a network answers alike however it is read.

    Args:
        config: Of the run.
        certificate: Of its best seed.
        folder: Takes parity.csv.
        run: Is tagged with what was found.

    Returns:
        Metrics by MLflow name.
    """
    write_parity(folder / "parity.csv", certificate.differences)
    read = f"{certificate.steps} steps"
    if not config.can_carry:
        read = f"{certificate.steps} windows; {config.wiring.value} carries no state"
    run.set_tags({"parity": f"certified over {read}"})
    return {"parity_difference": certificate.largest}


def study_memory(
    best: ServedModel,
    outputs: np.ndarray,
    folder: Path,
    run: "LiveRun",
    salvage: Salvage,
    tell: Callable[[str], None],
) -> dict[str, float]:
    """Measure how far back a network remembers, and log it; there is nothing to measure where no state is carried.

    Args:
        best: The best seed of the run.
        outputs: Scaled outputs of that seed at every window. Shape (windows, outputs).
        folder: Takes memory.csv and memory.png.
        run: Is given the files, the metric and the sentence.
        salvage: Keeps the run whole when one of them cannot be made.
        tell: Shows a sentence to the person who waits.

    Returns:
        Metrics by MLflow name.
    """
    metrics: dict[str, float] = {}
    config, data = best.config, best.data
    if not config.can_carry or config.training.online:
        return metrics
    with salvage.attempt("memory.csv"):
        memory = measure_memory(config, data, best.network, outputs)
        if memory is None:
            return metrics
        sentence = describe_memory(config, memory)
        tell(sentence)
        measure = data.head.measure(1)
        write_memory(folder / "memory.csv", measure.name, memory.warm_up, memory.zeroed)
        run.log_file(folder / "memory.csv")
        run.set_tags({"memory": sentence})
        run.log_metrics({"memory_steps": float(memory.memory_steps)}, {})
        metrics["memory_steps"] = float(memory.memory_steps)
        with salvage.attempt("memory.png"):
            unit = config.dataset.unit if len(data.series.targets) == 1 else "of repeating the last value"
            judged = f"validation {measure.label}" + (f" [{unit}]" if measure.has_unit else "")
            path = folder / "memory.png"
            draw_memory(path, sentence, judged, name_step(config), memory.warm_up, memory.zeroed, memory.whole)
            run.log_file(path)
    return metrics


def log_gates(name: str, best: ServedModel, folder: Path, run: "LiveRun") -> None:
    """Log the gate viewer of a network: the beginning of the test part, of a series with what comes before it.

    Args:
        name: Of the run, for people.
        best: Its best seed.
        folder: Takes gates.html.
        run: Is given the page, if it is small and the network can be looked at.
    """
    config, data = best.config, best.data
    if not can_look(config):
        return
    heavy = sum(weight.size for weight in best.weights) > _HEAVY
    steps = 2 * _LOOK_STEPS if config.reads_text else _LOOK_STEPS  # of a text a few lines
    excerpt = choose_excerpt(best, member=0, steps=steps // 2 if heavy else steps)
    look = look_at_network(f"{name}, seed {best.seed}", best, excerpt, _LOOK_BEFORE, _LOOK_WEIGHTS)
    heading, (target, unit) = f"Gates: {config.dataset.name}", name_target(config, data)
    page = write_gates_page(heading, target, unit, describe_ahead(data), [look], _LOOK_UNITS).encode()
    if len(page) <= _LARGEST_LOOK:
        (folder / PAGE).write_bytes(page)
        run.log_file(folder / PAGE)
