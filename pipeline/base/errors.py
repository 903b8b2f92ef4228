"""What can go wrong, as two kinds: the user can fix the input, or the training itself failed."""


class PipelineError(Exception):
    """Base of every error this project raises on purpose."""


class UserError(PipelineError):
    """Wrong input (a key, a value, a file): one or two lines that name it and the remedy. Exit code 2."""


class TrainingError(PipelineError):
    """A run that started and failed, for example with a loss that is not a number. Exit code 1."""


class TakenOverError(TrainingError):
    """A run that another process closed while it was trained, because it took this process for dead."""


class ExportError(PipelineError):
    """An exported model that does not forecast what Keras forecasts. Exit code 1."""


class JournalError(PipelineError):
    """Rows that could not be noted before they are answered. Exit code 1."""
