"""What a finished training must prove, and what can be learnt from it: parity, and how far back it remembers."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.config import Config
from pipeline.data.prepare import PreparedData
from pipeline.evaluation.memory import describe_memory, measure_memory
from pipeline.models.plain import make_plain
from pipeline.models.plan import plan_layers
from pipeline.report.figures import draw_memory
from pipeline.report.files import write_memory, write_parity

if TYPE_CHECKING:
    from pipeline.tracking.live import LiveRun


def examine_network(
    config: Config,
    data: PreparedData,
    weights: Sequence[Any],
    outputs: np.ndarray,
    folder: Path,
    run: "LiveRun",
    tell: Callable[[str], None],
) -> dict[str, float]:
    """Certify that a network answers alike however it is read, and measure how far back it remembers.

    Args:
        config: The configuration of the run.
        data: What it was trained on.
        weights: Of its best seed, as `get_weights` gives them.
        outputs: Scaled outputs of that seed at every window. Shape (windows, outputs).
        folder: Takes parity.csv, memory.csv and memory.png.
        run: Is tagged with what was found.
        tell: Shows a sentence to the person who waits.

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
    metrics = {"parity_difference": certificate.largest}
    layers = plan_layers(config, data.windows.num_features, data.windows.num_outputs)
    memory = None if config.training.online else measure_memory(config, data, make_plain(layers, weights), outputs)
    if memory is not None:
        sentence = describe_memory(config, memory)
        run.set_tags({"memory": sentence})
        tell(sentence)
        write_memory(folder / "memory.csv", memory.warm_up, memory.zeroed)
        draw_memory(folder / "memory.png", sentence, config.dataset.unit, memory.warm_up, memory.zeroed, memory.whole)
        metrics["memory_steps"] = float(memory.memory_steps)
    return metrics
