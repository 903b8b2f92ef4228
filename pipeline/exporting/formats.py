"""The formats of an exported model, and what has to be installed for each."""

from collections.abc import Sequence
from enum import Enum
from importlib.util import find_spec

from pipeline.base.errors import UserError


class Format(Enum):
    """What a model is written as."""

    onnx = "onnx"
    litert = "litert"
    keras = "keras"
    numpy = "numpy"


ENDINGS = {Format.onnx: "onnx", Format.litert: "tflite", Format.keras: "keras", Format.numpy: "npz"}
_PACKAGES = {Format.onnx: ("onnx", "onnxruntime"), Format.litert: ("ai_edge_litert",)}  # the extra `export`


def check_installed(formats: Sequence[Format]) -> None:
    """Check that formats can be written, and run to be checked.

    Raises:
        UserError: If something is not installed.
    """
    for each in formats:
        missing = [name.replace("_", "-") for name in _PACKAGES.get(each, ()) if find_spec(name) is None]
        if missing:
            raise UserError(
                f"format={each.value} needs {' and '.join(missing)}: pip install 'lstm-pipeline[export]'; "
                "format=keras and format=numpy need nothing more"
            )
