"""One experiment before it is trained, as plain facts: every number is read off the data and layers it will use."""

from dataclasses import dataclass

from pipeline.config.keys import label_run
from pipeline.config.schema import Config, Wiring, flat_config
from pipeline.data.prepared import PreparedData
from pipeline.explanation.facts.accounts import Counts, LeftOver, Part, count_epoch, list_left_over, list_parts
from pipeline.explanation.facts.batch_map import BatchMap, map_batches
from pipeline.explanation.facts.labels import Labels, tidy
from pipeline.explanation.facts.shapes import LayerSize, Tensor, count_parameters, list_tensors
from pipeline.explanation.facts.unrolled import Stage, unroll
from pipeline.explanation.facts.wording import answer_questions, summarize
from pipeline.models.plan import NUM_STATES, plan_layers

_TITLE = ("look_back", "horizon", "batch_size", "stateful")


@dataclass(frozen=True)
class Explanation:
    """What a drawing of an experiment shows.

    Attributes:
        title: Names the experiment.
        summary: What goes in, what comes out, what is remembered.
        features: What the network sees of a row: columns, and `price+1` of the row after it.
        targets: Columns that are predicted.
        wiring: The wiring in use.
        is_stateful: Whether the state is carried from batch to batch.
        state_names: What a recurrent layer remembers: `h`, or `h and c`; nothing where no layer is recurrent.
        stages: The boxes of one sample.
        tensors: Shapes, from the window to the target.
        layers: Parameters.
        counts: One epoch.
        epochs: Epochs at most.
        parts: Train, validation, test; no validation with protocol=tutorial.
        left_over: Rows of the training part at which no training window begins.
        batches: Which window sits where.
        labels: Names the rows of the series, and shows the tokens of a text.
        example: First training window: its first and last input row, and its first and last target row at the end.
        answers: To questions that this configuration raises.
        vocabulary: How many tokens a text has to choose from; 0 for a series.
    """

    title: str
    summary: str
    features: tuple[str, ...]
    targets: tuple[str, ...]
    wiring: Wiring
    is_stateful: bool
    state_names: str
    stages: tuple[Stage, ...]
    tensors: tuple[Tensor, ...]
    layers: tuple[LayerSize, ...]
    counts: Counts
    epochs: int
    parts: tuple[Part, ...]
    left_over: tuple[LeftOver, ...]
    batches: BatchMap
    labels: Labels
    example: tuple[int, int, int, int]
    answers: tuple[str, ...]
    vocabulary: int = 0

    @property
    def row(self) -> str:
        """What a time step of the data is: a row of a table, or a token."""
        return "token" if self.vocabulary else "row"

    @property
    def windows(self) -> str:
        """What the windows of the parts are: those of validation and test forecast one token of a text each."""
        return "windows; scored tokens" if self.vocabulary else "windows"

    @property
    def num_parameters(self) -> int:
        """Numbers that are learnt."""
        return sum(layer.num_parameters for layer in self.layers)


def explain(config: Config, data: PreparedData) -> Explanation:
    """Explain an experiment before it is trained.

    Args:
        config: A configuration that passed the gates.
        data: Its prepared data.

    Returns:
        The facts, for `diagram_text` and `diagram_svg`.
    """
    windows, spec = data.windows, data.windows.spec
    plan = plan_layers(config, *windows.interface)
    labels, counts = Labels(data.series, data.vocabulary), count_epoch(config, data)
    target = (*spec.positions, windows.num_targets)
    start = int(windows.train[0])
    states = {layer.cell for layer in plan if layer.cell is not None}
    return Explanation(
        title=_title(config),
        summary=summarize(config, data, counts),
        features=spec.columns,
        targets=data.series.targets,
        wiring=config.wiring,
        is_stateful=config.stateful,
        state_names="h and c" if any(NUM_STATES[cell] > 1 for cell in states) else "h" if states else "",
        stages=unroll(plan, windows),
        tensors=list_tensors(plan, (spec.time_steps, windows.num_features), target, states=config.can_carry),
        layers=count_parameters(plan),
        counts=counts,
        epochs=1 if config.training.online else config.training.epochs,
        parts=list_parts(data, labels),
        left_over=() if config.training.online else list_left_over(config, data, labels),
        batches=map_batches(config, data),
        labels=labels,
        example=(start, start + spec.origin, start + spec.nearest_forecast, start + spec.last_target),
        answers=answer_questions(config, data, counts, labels),
        vocabulary=0 if data.vocabulary is None else len(data.vocabulary),
    )


def _title(config: Config) -> str:
    return f"{tidy(config.dataset.name)}: {label_run(flat_config(config), _TITLE)}"
