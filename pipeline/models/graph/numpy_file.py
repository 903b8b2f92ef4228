"""A graph as one .npz file of plain arrays; `numpy_runner.py`, which goes with it, needs NumPy alone."""

import json
from pathlib import Path

import numpy as np

from pipeline.models.graph.graph import Graph, Port


def write_numpy(graph: Graph, path: Path) -> None:
    """Write the arrays by name, and under the name `graph` what is done with them, as JSON."""
    described = {
        "inputs": [_describe(port) for port in graph.inputs],
        "outputs": [_describe(port) for port in graph.outputs],
        "nodes": [[node.op.value, node.inputs, node.weights, node.outputs, node.settings] for node in graph.nodes],
    }
    arrays = graph.constants | graph.weights
    np.savez(path, allow_pickle=False, graph=np.array(json.dumps(described)), **arrays)


def _describe(port: Port) -> list[object]:
    return [port.name, port.dtype, port.shape]
