"""One form of a model as a file: what writes each format, and what runs it here."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pipeline.base.environment import hushed_stderr
from pipeline.exporting.formats import Format
from pipeline.exporting.forms import NARROW, PRECISE
from pipeline.models.graph.graph import Graph

Run = Callable[[Mapping[str, Any]], dict[str, Any]]


def precision(each: Format) -> str:
    """Return the type of rows and forecasts: 64 bits, so that large numbers keep their digits, where a format can."""
    return NARROW if each is Format.litert else PRECISE


def write_form(each: Format, graph: Graph, path: Path, about: str) -> None:
    """Write a graph, whose types are those of `precision`, as a file."""
    if each is Format.onnx:
        from pipeline.models.graph.onnx_file import write_onnx

        write_onnx(graph, path, about)
    elif each is Format.litert:
        with hushed_stderr():  # TensorFlow tells about CPUs and GPUs
            from pipeline.models.graph.litert_file import write_litert

            write_litert(graph, path)
    elif each is Format.keras:
        with hushed_stderr():
            from pipeline.models.graph.keras_file import write_keras

            write_keras(graph, path)
    else:
        from pipeline.models.graph.numpy_file import write_numpy

        write_numpy(graph, path)


def open_form(each: Format, path: Path) -> Run:
    """Return what runs a file: arrays by name in, arrays by name out. Nothing in a file is executed."""
    if each is Format.onnx:
        from pipeline.models.graph.onnx_file import open_onnx

        return open_onnx(path)
    if each is Format.litert:
        from pipeline.models.graph.litert_file import open_litert

        return open_litert(path)
    if each is Format.keras:
        from pipeline.models.graph.keras_file import open_keras

        return open_keras(path)
    from pipeline.models.graph.numpy_runner import Model

    return Model(path)
