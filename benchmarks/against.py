"""What a step of the fused engine is measured against in benchmarks/engine.py: torch, and its matrix products alone."""

import time

import numpy as np


def torch_steps(
    units: list[int], time_steps: int, batch_size: int, features: int, steps: int, threads: int = 1
) -> float:
    """Return the milliseconds of one step of torch's nn.LSTM with Adam; layers are equally wide."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    lstm = torch.nn.LSTM(features, units[0], num_layers=len(units), batch_first=True)
    head = torch.nn.Linear(units[0], 1)
    optimizer = torch.optim.Adam([*lstm.parameters(), *head.parameters()])
    inputs = torch.randn(8, batch_size, time_steps, features)
    targets = torch.randn(8, batch_size, 1)

    def train(count: int) -> None:
        for step in range(count):
            optimizer.zero_grad()
            outputs, _ = lstm(inputs[step % 8])
            torch.nn.functional.mse_loss(head(outputs[:, -1]), targets[step % 8]).backward()
            optimizer.step()

    train(5)
    start = time.perf_counter()
    train(steps)
    return (time.perf_counter() - start) / steps * 1e3


def product_steps(units: list[int], time_steps: int, rows: int, features: int, steps: int) -> float:
    """Return the processor's milliseconds for the matrix products of one step by NumPy's BLAS; the best of three.

    What NumPy cannot do without: forward and backward, in float32, the inputs of all time steps at once, the recurrent
    part step by step. Gates, optimizer and everything else that is not a product cost nothing here. Another library may
    multiply a little faster.
    """
    random = np.random.default_rng(1)

    def draw(*shape: int) -> np.ndarray:
        return random.normal(size=shape).astype(np.float32)

    layers = [
        (draw(time_steps * rows, below), draw(below, 4 * size), draw(time_steps * rows, size), draw(size, 4 * size))
        for below, size in zip([features, *units], units, strict=False)
    ]
    gates = [draw(time_steps * rows, 4 * size) for size in units]

    def step() -> None:
        for number, ((inputs, kernel, states, recurrent), gradient) in enumerate(zip(layers, gates, strict=True)):
            inputs @ kernel
            for first in range(0, time_steps * rows, rows):
                states[first : first + rows] @ recurrent
                gradient[first : first + rows] @ recurrent.T
            states.T @ gradient
            inputs.T @ gradient
            if number:  # nothing below the first layer learns
                gradient @ kernel.T

    step()
    seconds = []
    for _ in range(3):
        used = time.process_time()
        for _ in range(steps):
            step()
        seconds.append(time.process_time() - used)
    return min(seconds) / steps * 1e3
