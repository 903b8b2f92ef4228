"""What a finished training must prove, and what can be learnt from it: parity, and how far back it remembers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.artifacts.tables import write_memory, write_parity
from pipeline.base.salvage import Salvage
from pipeline.config.schema import Config
from pipeline.data.prepare import PreparedData
from pipeline.evaluation.memory import describe_memory, measure_memory
from pipeline.models.numpy_network import make_plain
from pipeline.models.plan import plan_layers
from pipeline.report.figures.run import draw_memory

if TYPE_CHECKING:
    from pipeline.tracking.live import LiveRun


def certify_network(
    config: Config, data: PreparedData, weights: Sequence[Any], outputs: np.ndarray, folder: Path, run: "LiveRun"
) -> dict[str, float]:
    """Certify that a network answers alike however it is read.

    Args:
        config: The configuration of the run.
        data: What it was trained on.
        weights: Of its best seed, as `get_weights` gives them.
        outputs: Scaled outputs of that seed at every window. Shape (windows, outputs).
        folder: Takes parity.csv.
        run: Is tagged with what was found.

    Returns:
        Metrics by MLflow name.

    Raises:
        TrainingError: If the network does not answer alike.
    """
    if not config.can_carry:
        run.set_tags({"parity": f"not applicable: {config.wiring.value} carries no state"})
        return {}
    from pipeline.training.parity import certify_parity

    certificate = certify_parity(config, data, weights, outputs)
    write_parity(folder / "parity.csv", certificate.differences)
    run.set_tags({"parity": f"certified over {certificate.steps} steps"})
    return {"parity_difference": certificate.largest}


def study_memory(
    config: Config,
    data: PreparedData,
    weights: Sequence[Any],
    outputs: np.ndarray,
    folder: Path,
    run: "LiveRun",
    salvage: Salvage,
    tell: Callable[[str], None],
) -> dict[str, float]:
    """Measure how far back a network remembers, and log it; there is nothing to measure where no state is carried.

    Args:
        config: The configuration of the run.
        data: What it was trained on.
        weights: Of its best seed, as `get_weights` gives them.
        outputs: Scaled outputs of that seed at every window. Shape (windows, outputs).
        folder: Takes memory.csv and memory.png.
        run: Is given the files, the metric and the sentence.
        salvage: Keeps the run whole when one of them cannot be made.
        tell: Shows a sentence to the person who waits.

    Returns:
        Metrics by MLflow name.
    """
    metrics: dict[str, float] = {}
    if not config.can_carry or config.training.online:
        return metrics
    with salvage.attempt("memory.csv"):
        layers = plan_layers(config, data.windows.num_features, data.windows.num_outputs)
        memory = measure_memory(config, data, make_plain(layers, weights), outputs)
        if memory is None:
            return metrics
        sentence = describe_memory(config, memory)
        tell(sentence)
        write_memory(folder / "memory.csv", memory.warm_up, memory.zeroed)
        run.log_file(folder / "memory.csv")
        run.set_tags({"memory": sentence})
        run.log_metrics({"memory_steps": float(memory.memory_steps)}, {})
        metrics["memory_steps"] = float(memory.memory_steps)
        with salvage.attempt("memory.png"):
            unit = config.dataset.unit if len(data.series.targets) == 1 else "of repeating the last value"
            path = folder / "memory.png"
            draw_memory(path, sentence, unit, memory.warm_up, memory.zeroed, memory.whole)
            run.log_file(path)
    return metrics
