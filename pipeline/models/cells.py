"""The recurrent cells of Keras as one loop over time with a written-out backward pass, for many seeds at once.

Every array has a seeds axis: weights (seeds, in, out), sequences (steps, seeds, rows, features). No seed sees another.

Why not let TensorFlow differentiate the loop: the forward pass saves the coefficients of the chain rule, so that the
backward pass computes no exponential, and the gradient of a weight is one matrix product over all time steps.
The numbers are those of keras.layers.LSTM, GRU (reset_after=True) and SimpleRNN to rounding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from pipeline.config.schema import Cell

Tensor = Any  # TensorFlow has no types

# Up to this many steps the loop is written out: faster, and compiled in no more time. 12 steps triple the compilation.
WRITTEN_OUT = 4


@dataclass(frozen=True)
class CellRule:
    """What one cell does at one step, element by element; the loop does the matrix products.

    Attributes:
        gates: Width of the projections, in units.
        num_states: Arrays of shape (seeds, rows, units) that it carries; the first is its output h.
        num_saved: Arrays that `forward` saves for `backward`: as many as gates, and then some.
        forward: (projected input, projected h, states) -> (next states, saved).
        backward: (saved, gradients of the next states) -> (gradient of the projected input, gradient of the projected
            h, gradients of the states without what flows through the projected h).
    """

    gates: int
    num_states: int
    num_saved: int
    # Of a function `repr` shows where it lies in this process: programs are named by it, across processes.
    forward: Callable[[Tensor, Tensor, Sequence[Tensor]], tuple[tuple[Tensor, ...], tuple[Tensor, ...]]] = field(
        repr=False
    )
    backward: Callable[[Sequence[Tensor], Sequence[Tensor]], tuple[Tensor, Tensor, tuple[Tensor, ...]]] = field(
        repr=False
    )


def _forward_lstm(x: Tensor, inner: Tensor, states: Sequence[Tensor]) -> tuple[Any, Any]:
    i, f, g, o = tf.split(x + inner, 4, -1)  # each (seeds, rows, units)
    i, f, g, o = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o)
    c = f * states[1] + i * g
    squashed = tf.tanh(c)
    by_c, by_o = o * (1 - squashed * squashed), squashed * o * (1 - o)
    saved = (g * i * (1 - i), states[1] * f * (1 - f), i * (1 - g * g), by_o, by_c, f)
    return (o * squashed, c), saved


def _backward_lstm(saved: Sequence[Tensor], gradients: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    by_i, by_f, by_g, by_o, by_c, f = saved
    dh, dc = gradients
    dc = dc + dh * by_c
    dx = tf.concat([dc * by_i, dc * by_f, dc * by_g, dh * by_o], -1)  # (seeds, rows, 4 units)
    return dx, dx, (tf.zeros_like(dh), dc * f)


def _forward_gru(x: Tensor, inner: Tensor, states: Sequence[Tensor]) -> tuple[Any, Any]:
    x_z, x_r, x_g = tf.split(x, 3, -1)  # each (seeds, rows, units)
    inner_z, inner_r, inner_g = tf.split(inner, 3, -1)
    z, r = tf.sigmoid(x_z + inner_z), tf.sigmoid(x_r + inner_r)
    g = tf.tanh(x_g + r * inner_g)
    saved = ((states[0] - g) * z * (1 - z), (1 - z) * (1 - g * g), inner_g * r * (1 - r), r, z)
    return (z * states[0] + (1 - z) * g,), saved


def _backward_gru(saved: Sequence[Tensor], gradients: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    by_z, by_g, by_r, r, z = saved
    (dh,) = gradients
    dz, dg = dh * by_z, dh * by_g
    dr = dg * by_r
    return tf.concat([dz, dr, dg], -1), tf.concat([dz, dr, dg * r], -1), (dh * z,)


def _forward_simple(x: Tensor, inner: Tensor, states: Sequence[Tensor]) -> tuple[Any, Any]:
    h = tf.tanh(x + inner)
    return (h,), (1 - h * h,)


def _backward_simple(saved: Sequence[Tensor], gradients: Sequence[Tensor]) -> tuple[Tensor, Tensor, tuple[Any, ...]]:
    dx = gradients[0] * saved[0]
    return dx, dx, (tf.zeros_like(dx),)


CELL_RULES = {
    Cell.lstm: CellRule(4, 2, 6, _forward_lstm, _backward_lstm),
    Cell.gru: CellRule(3, 1, 5, _forward_gru, _backward_gru),
    Cell.simple_rnn: CellRule(1, 1, 1, _forward_simple, _backward_simple),
}


def project(inputs: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
    """Multiply every step of every row with its seed's matrix, as one product over all steps.

    Args:
        inputs: Shape (steps, seeds or 1, rows, features); 1: every seed reads the same. Or integers, the places of the
            ones in one-hot rows: shape (steps, seeds or 1, rows).
        kernel: Shape (seeds, features, width).
        bias: Shape (seeds, width).

    Returns:
        Shape (steps, seeds, rows, width).
    """
    if inputs.dtype.is_integer:
        return look_up(inputs, kernel + bias[:, None])
    steps, seeds, rows, _ = inputs.shape
    # The bias is one more row of the kernel, for an input of 1: XLA is slow to multiply a vector, which one feature is.
    extended = tf.concat([inputs, tf.ones((steps, seeds, rows, 1))], -1)
    product = learn_product(_by_seed(extended), tf.concat([kernel, bias[:, None]], 1))  # (seeds, steps * rows, width)
    return tf.transpose(tf.reshape(product, (kernel.shape[0], steps, rows, kernel.shape[2])), (1, 0, 2, 3))


def look_up(ids: Tensor, rows: Tensor) -> Tensor:
    """Take a row for each id: what a one-hot row times a matrix is.

    Args:
        ids: Shape (steps, seeds or 1, rows), integers.
        rows: A matrix for each seed. Shape (seeds, ids that there are, width).

    Returns:
        Shape (steps, seeds, rows, width).
    """
    seeds, vocabulary, width = rows.shape
    places = ids + tf.range(seeds)[:, None] * vocabulary  # (steps, seeds, rows): in the matrices on each other
    return tf.gather(tf.reshape(rows, (seeds * vocabulary, width)), places)


def multiply(left: Tensor, right: Tensor, transpose_a: bool = False) -> Tensor:
    """Multiply the matrices of each seed. Shapes (seeds or 1, n, m) and (seeds, m, k), or (m, k) transposed.

    One seed is multiplied as plain matrices: XLA's product with a batch axis is slower, also when that axis is 1.
    """
    if left.shape[0] == right.shape[0] == 1:
        return tf.matmul(left[0], right[0], transpose_a=transpose_a)[None]
    return tf.matmul(left, right, transpose_a=transpose_a)


@tf.custom_gradient  # type: ignore[untyped-decorator]
def learn_product(left: Tensor, right: Tensor) -> tuple[Tensor, Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """Multiply as `multiply` does, where a gradient tape looks on.

    TensorFlow's own gradient marks its products with attributes that it writes in another order in every process: XLA
    would take a repeated program for another one, and compile it again.
    """

    def gradient(d_product: Tensor) -> tuple[Tensor, Tensor]:
        d_left = multiply(d_product, tf.transpose(right, (0, 2, 1)))
        if left.shape[0] < right.shape[0]:
            d_left = tf.reduce_sum(d_left, 0, keepdims=True)
        return d_left, multiply(left, d_product, transpose_a=True)

    return multiply(left, right), gradient


def run_cell(
    rule: CellRule, projected: Tensor, kernel: Tensor, bias: Tensor | None, initial: Sequence[Tensor], learns: bool
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """Run a cell over a sequence.

    Args:
        rule: The cell.
        projected: Inputs times the kernel, plus the bias. Shape (steps, seeds, rows, gates * units).
        kernel: The recurrent kernel. Shape (seeds, units, gates * units).
        bias: Added to the projected h, or None. Shape (seeds, gates * units).
        initial: The states before the first step, constants to the gradient. Each (seeds, rows, units).
        learns: Whether a gradient will be asked for, and what it needs is saved.

    Returns:
        The outputs of every step, shape (steps, seeds, rows, units), and the states after the last step.
    """
    initial = [tf.stop_gradient(state) for state in initial]
    if not learns:
        outputs, states, _ = _go_forward(rule, projected, kernel, bias, initial, saves=False)
        return outputs, states

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def run(projected: Tensor, kernel: Tensor, *biases: Tensor) -> tuple[Any, Any]:
        bias = biases[0] if biases else None
        outputs, states, saved = _go_forward(rule, projected, kernel, bias, initial, saves=True)

        def gradient(d_outputs: Tensor, *d_states: Tensor) -> tuple[Tensor, ...]:
            # Each (steps, seeds, rows, gates * units).
            dx, d_inner = _go_backward(rule, saved, d_outputs, d_states, kernel)
            before = tf.concat([initial[0][None], outputs[:-1]], 0)  # h before each step
            d_kernel = multiply(_by_seed(before), _by_seed(d_inner), transpose_a=True)
            return (dx, d_kernel, *(tf.reduce_sum(d_inner, (0, 2)) for _ in biases))

        return (outputs, *states), gradient

    outputs, *states = run(projected, kernel, *([] if bias is None else [bias]))
    return outputs, tuple(states)


def _go_forward(
    rule: CellRule, projected: Tensor, kernel: Tensor, bias: Tensor | None, initial: Sequence[Tensor], saves: bool
) -> tuple[Tensor, tuple[Tensor, ...], list[Tensor]]:
    """Return the outputs, the last states, and what was saved: the gates' coefficients as one array, then the others.

    A step's coefficients take the place of its projected inputs: clearing new arrays would cost more than filling them.
    """
    steps = projected.shape[0]
    shape = (steps, *initial[0].shape)
    outputs = _new_array(shape, projected[0, 0, 0, 0])
    places = [tf.TensorArray(tf.float32, steps).unstack(projected)] if saves else []
    num_others = rule.num_saved - rule.gates if saves else 0
    others = [_new_array(shape, projected[-1, 0, 0, number]) for number in range(num_others)]

    def step(t: Tensor, states: Any, outputs: Any, places: Any, others: Any) -> tuple[Any, ...]:
        inner = multiply(states[0], kernel)  # (seeds, rows, gates * units)
        inner = inner if bias is None else inner + bias[:, None]
        x = places[0].read(t) if saves else projected[t]
        states, saved = rule.forward(x, inner, states)
        coefficients = tf.concat(saved[: rule.gates], -1)
        places = [place.write(t, coefficients) for place in places]
        others = [other.write(t, value) for other, value in zip(others, saved[rule.gates :], strict=False)]
        return t + 1, states, outputs.write(t, states[0]), places, others

    states, outputs, places, others = _repeat(steps, 0, 1, step, (tuple(initial), outputs, places, others))
    return outputs.stack(), states, [array.stack() for array in (*places, *others)]


def _go_backward(
    rule: CellRule, saved: Sequence[Tensor], d_outputs: Tensor, d_states: Sequence[Tensor], kernel: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the gradients of the projected inputs, in the place of the coefficients, and of the projected h."""
    steps = d_outputs.shape[0]
    transposed = tf.transpose(kernel, (0, 2, 1))  # (seeds, gates * units, units)
    places = tf.TensorArray(tf.float32, steps).unstack(saved[0])
    # Both projections have one gradient, but for the GRU, which projects h by itself.
    inners = [_new_array(saved[0].shape, saved[0][0, 0, 0, 0])] if rule is CELL_RULES[Cell.gru] else []

    def step(t: Tensor, gradients: Any, places: Any, inners: Any) -> tuple[Any, ...]:
        dh = gradients[0] + d_outputs[t]
        coefficients = tf.split(places.read(t), rule.gates, -1)
        dx, d_inner, rest = rule.backward([*coefficients, *(array[t] for array in saved[1:])], (dh, *gradients[1:]))
        gradients = (rest[0] + multiply(d_inner, transposed), *rest[1:])
        return t - 1, gradients, places.write(t, dx), [inner.write(t, d_inner) for inner in inners]

    _, places, inners = _repeat(steps, steps - 1, -1, step, (tuple(d_states), places, inners))
    dx = places.stack()
    return dx, inners[0].stack() if inners else dx


def _repeat(steps: int, first: int, stride: int, step: Callable[..., Any], carried: tuple[Any, ...]) -> Any:
    """Run `step` for every time step: written out when short, otherwise as a loop of the compiled program."""
    if steps <= WRITTEN_OUT:
        for t in range(first, first + stride * steps, stride):
            _, *carried = step(t, *carried)
        return carried
    _, *carried = tf.while_loop(
        lambda t, *_: (t >= 0) & (t < steps), step, (tf.constant(first), *carried), maximum_iterations=steps
    )
    return carried


def _new_array(shape: Sequence[int], filling: Tensor) -> Any:
    """Return an array of steps, all of which are written later.

    XLA fills it with a number that it does not know faster than it clears it: zeros it makes once, and copies.
    """
    return tf.TensorArray(tf.float32, shape[0]).unstack(tf.fill(shape, filling))


def _by_seed(sequence: Tensor) -> Tensor:
    """Turn (steps, seeds, rows, width) into (seeds, steps * rows, width)."""
    steps, seeds, rows, width = sequence.shape
    return tf.reshape(tf.transpose(sequence, (1, 0, 2, 3)), (seeds, steps * rows, width))
