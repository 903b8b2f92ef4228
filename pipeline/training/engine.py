"""Which engine trains a run, and why."""

from dataclasses import dataclass

from pipeline.base.errors import UserError
from pipeline.config.schema import Config, Engine
from pipeline.data.prepared import PreparedData
from pipeline.models.keras_network import build_training_network
from pipeline.models.read_network import NotCoveredError, read_network
from pipeline.models.xla_network import NetworkFunction


@dataclass(frozen=True)
class Choice:
    """The engine of a run.

    Attributes:
        engine: `fused` or `fit`.
        reason: Why, in one line.
        network: The network as a function, for the fused engine.
    """

    engine: Engine
    reason: str
    network: NetworkFunction | None = None


def choose_engine(config: Config, data: PreparedData) -> Choice:
    """Choose the engine of a run.

    Raises:
        UserError: If training.engine=fused and a part of the network is not covered; the text names it.
    """
    asked = config.training.engine
    if asked is Engine.fit:
        return Choice(Engine.fit, "training.engine=fit asks for it")
    network = build_training_network(config, *data.windows.interface)
    try:
        function = read_network(network)
    except NotCoveredError as error:
        if asked is Engine.fused:
            raise UserError(
                f"training.engine=fused cannot train this network: {error}; use training.engine=auto or fit"
            ) from error
        return Choice(Engine.fit, f"not covered by the fused engine: {error}")
    layers = ", ".join(layer.name for layer in network.layers[1:])
    return Choice(Engine.fused, f"every layer is covered: {layers}", function)
