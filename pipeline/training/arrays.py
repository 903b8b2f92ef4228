"""What goes into a compiled training and comes out of it: named arrays, or tensors while it is traced."""

from typing import NamedTuple

from pipeline.models.cells import Tensor
from pipeline.training.hyperparameters import Hyperparameters


class BatchPlan(NamedTuple):
    """What the batches of some epochs hold.

    Attributes:
        first_epoch: Number of the first epoch in `starts`, from 0. Scalar.
        starts: First row of the window in each place. (epochs or 1, seeds or 1, batches, rows); 1 epoch: all are alike.
        weights: 1 for a window that counts, 0 for padding. (batches, rows)
        resets: True where the states are set to zero before the batch. (batches,)
        draws: One integer per seed that decides its dropout. (seeds,)
    """

    first_epoch: Tensor
    starts: Tensor
    weights: Tensor
    resets: Tensor
    draws: Tensor


class ReadingPlan(NamedTuple):
    """In which order rows are read for forecasts.

    Attributes:
        first_rows: First row of each sample that is read. A stateless network reads windows, (blocks, windows), or
            chunks, (blocks, chunks), and answers at every step of them; a stateful one reads steps of all lanes, whose
            state is carried on from block to block, (blocks, steps, lanes).
        positions: Where in that order, flattened, each forecast is made. (windows,)
        targets: What is forecast there. (windows, horizon_steps x targets)
    """

    first_rows: Tensor
    positions: Tensor
    targets: Tensor


class Material(NamedTuple):
    """All that a training reads and never changes.

    Attributes:
        inputs: Scaled features. (time, features)
        targets: Scaled targets. (time, targets)
        plan: The batches of some epochs.
        validation: How the validation forecasts are made after each epoch.
        hyperparameters: Of each seed.
    """

    inputs: Tensor
    targets: Tensor
    plan: BatchPlan
    validation: ReadingPlan
    hyperparameters: Hyperparameters


class Carry(NamedTuple):
    """All that changes in a training. Seeds lie side by side in axis 0 of every array.

    Attributes:
        weights: All weights of a seed in one row. (seeds, numbers)
        slots: What the optimizer remembers. Each (seeds, numbers).
        states: h (and c) of every recurrent layer. Each (seeds, rows, units).
        loss_sum: Loss of the windows seen in this epoch. (seeds,)
        best_weights: Of the epoch with the lowest validation loss; without early stopping of the last epoch.
        best_loss: That loss; without early stopping infinity. (seeds,)
        best_epoch: Its number, from 1; without early stopping the last epoch. (seeds,)
        waited: Epochs since then. (seeds,)
        epochs: Epochs that this seed trained. (seeds,)
        active: False once a seed stopped or its loss is not a number; what is kept of it is frozen then. (seeds,)
    """

    weights: Tensor
    slots: list[Tensor]
    states: list[Tensor]
    loss_sum: Tensor
    best_weights: Tensor
    best_loss: Tensor
    best_epoch: Tensor
    waited: Tensor
    epochs: Tensor
    active: Tensor


class Rows(NamedTuple):
    """Rows of a batch: all of them, or a part.

    Attributes:
        samples: Shape (time_steps, seeds or 1, rows, features of a step).
        targets: Shape ([positions,] seeds or 1, rows, horizon_steps x targets).
        counts: 1 for a row that counts. Shape (rows,).
        states: Before the first step. Each (seeds, rows, units).
        draws: As `NetworkFunction.learn` takes them.
        dropout: The same.
    """

    samples: Tensor
    targets: Tensor
    counts: Tensor
    states: list[Tensor]
    draws: Tensor | None = None
    dropout: Tensor | None = None


class Learnt(NamedTuple):
    """What rows of a batch say.

    Attributes:
        gradient: Their share of the gradient of the batch's mean loss. Shape (seeds, numbers).
        summed: Their losses. Shape (seeds,).
        states: After the last step. Each (seeds, rows, units).
        outputs: Before the step of the optimizer.
    """

    gradient: Tensor
    summed: Tensor
    states: list[Tensor]
    outputs: Tensor
