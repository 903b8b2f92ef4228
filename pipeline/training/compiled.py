"""Functions compiled by XLA, in a session that gives everything back when it is closed.

TensorFlow keeps what it compiled for a function called eagerly until the process ends. For each job of a sweep that is
25 MB of machine code and graphs in 300 memory maps, of which Linux allows a process 65,530: a sweep of 200 shapes would
crash. A session owns its devices, and what was compiled for them goes with it.
"""

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework import ops

Nested = Any  # arrays in (named) tuples and lists


class CompilingSession:
    """Compiles pure functions; leaving the block frees them.

    Args:
        device: TensorFlow's name of the device they run on.
        trace: What `trace` returned of a session that compiled the same functions in the same order: none of them is
            traced again. None: all are.

    Example:
        with CompilingSession() as session:
            double = session.compile(lambda x: 2 * x, example)
            doubled = double(example)  # may be called from several threads
    """

    def __init__(self, device: str = "/CPU:0", trace: bytes | None = None) -> None:
        self._device, self._is_traced, self._num_compiled = device, trace is not None, 0
        self._ahead: list[threading.Thread] = []
        self._known_gradients = set(ops.gradient_registry.list())
        self._graph = tf.Graph()
        config = tf.compat.v1.ConfigProto(allow_soft_placement=True)
        config.gpu_options.allow_growth = True  # a session shares its GPU with others
        config.graph_options.rewrite_options.disable_meta_optimizer = True  # XLA is given what was written, and sooner
        if trace is not None:
            with self._graph.as_default():
                tf.import_graph_def(tf.compat.v1.GraphDef.FromString(trace), name="")
        self._session = tf.compat.v1.Session(graph=self._graph, config=config)

    def __enter__(self) -> "CompilingSession":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free what was compiled, when no call ahead needs it any more."""
        for thread in self._ahead:
            thread.join()
        self._session.close()
        # tf.custom_gradient registers a closure per trace, for ever, and the closure holds the graph.
        for name in set(ops.gradient_registry.list()) - self._known_gradients:
            del ops.gradient_registry._registry[name]
        _return_memory()

    def compile(
        self, function: Callable[..., Nested], *examples: Nested, like: Nested = None, whole: bool = True
    ) -> Callable[..., Nested]:
        """Trace a function now; XLA compiles it when it is called for the first time.

        XLA finds what it compiled in an earlier process if the program is the same to the letter. TensorFlow numbers
        the constants that a loop reads from outside in any order, so there should be only one: make them inside.

        Args:
            function: Takes and returns tensors in nested structures; what it does depends on nothing else.
            examples: Arguments with the shapes and types of all calls.
            like: Has the structure of what it returns; None: that of the traced function, which a session that is
                given a trace does not know.
            whole: Whether it becomes one program. Otherwise only what it calls `compiled` does: each call is a program,
                and those that do not need each other run at the same time.

        Returns:
            Takes arguments like the examples, and returns what the function does, as arrays.
        """
        number = self._num_compiled
        self._num_compiled += 1
        if self._is_traced:
            takes = self._find(f"takes_{number}", len(tf.nest.flatten(examples)))
            gives = self._find(f"gives_{number}", len(tf.nest.flatten(like)))
        else:
            flat = tf.nest.flatten(to_arrays(examples))
            with self._graph.as_default(), tf.device(self._device):
                takes = [
                    tf.compat.v1.placeholder(value.dtype, value.shape, f"takes_{number}_{place}")
                    for place, value in enumerate(flat)
                ]
                arguments = tf.nest.pack_sequence_as(examples, takes)
                returned = tf.function(function, jit_compile=whole or None, autograph=False)(*arguments)
                flat = tf.nest.flatten(returned)
                gives = [tf.identity(value, f"gives_{number}_{place}") for place, value in enumerate(flat)]
            like = returned if like is None else like
        with self._graph.as_default():
            run = self._session.make_callable(gives, feed_list=takes)

        def call(*arguments: Nested) -> Nested:
            return tf.nest.pack_sequence_as(like, run(*tf.nest.flatten(to_arrays(arguments))))

        return call

    def _find(self, name: str, count: int) -> list[tf.Tensor]:
        return [self._graph.get_tensor_by_name(f"{name}_{place}:0") for place in range(count)]

    def trace(self) -> bytes:
        """Return what was traced so far, as TensorFlow writes graphs."""
        graph: bytes = self._graph.as_graph_def().SerializeToString()
        return graph

    def call_ahead(self, call: Callable[..., Nested], *arguments: Nested) -> None:
        """Call what was compiled here in a thread, so that XLA compiles it now, beside others.

        What it returns is forgotten, and so is an error: the call that needs an answer will raise it again.
        """

        def run() -> None:
            with suppress(Exception):
                call(*arguments)

        self._ahead.append(threading.Thread(target=run, daemon=True))
        self._ahead[-1].start()


def compiled(function: Callable[..., Nested]) -> Callable[..., Nested]:
    """Make a program of a function of tensors, to be called in one that a session compiles."""
    program: Callable[..., Nested] = tf.function(function, jit_compile=True, autograph=False)
    return program


def _return_memory() -> None:
    """Give freed memory back to the system: glibc keeps the many small pieces of a compilation, 1 MB a job."""
    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)


def to_arrays(nested: Nested) -> Nested:
    """Return the same structure with every tensor as an array."""
    return tf.nest.map_structure(np.asarray, nested)
