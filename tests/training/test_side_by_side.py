"""Configurations that one program trains side by side: each has the bits it has alone, and one program is enough."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from pipeline.config.schema import Config, DatasetConfig, ModelConfig, Optimizer
from pipeline.training import programs as programs_module
from pipeline.training import traces
from pipeline.training.compiled import CompilingSession
from pipeline.training.groups import Job
from pipeline.training.hyperparameters import Hyperparameters, stack_hyperparameters, without_hyperparameters
from pipeline.training.programs import Programs
from pipeline.training.record import Training
from pipeline.training.train import train_seeds, train_side_by_side

STOPPING = {"patience": 3, "clip_norm": 0.5, "epochs": 6}
# Each line: what the configurations have in common, and what sets each apart.
COMPANIES = {
    "numbers": (
        {"training": STOPPING, "model": {"dropout": 0.1}},
        [
            {"training": {"learning_rate": 0.1}},
            {"training": {"patience": 1, "learning_rate": 0.3}},
            {"model": {"dropout": 0.5}},
            {"training": {"epochs": 2, "decay": 0.5, "decay_after": 1}, "seed": 7},
            {"training": {"clip_norm": 0.01, "epsilon": 1e-3}},
        ],
    ),
    "to the end": (
        {"training": {"optimizer": Optimizer.rmsprop, "clip_norm": None}},
        [{"training": {"epochs": 1}}, {"training": {"epochs": 5, "rho": 0.5}}, {"seeds": 2}],
    ),
}


@pytest.fixture(scope="module")
def opened() -> list[CompilingSession]:
    """The sessions in which programs of these tests were compiled."""
    return []


@pytest.fixture(scope="module")
def programs(opened) -> Iterator[Programs]:
    with pytest.MonkeyPatch.context() as patch, Programs() as programs:

        def open_session(device: str, trace: bytes | None) -> CompilingSession:
            opened.append(CompilingSession(device, trace))
            return opened[-1]

        patch.setattr(programs_module, "CompilingSession", open_session)
        yield programs


@pytest.fixture(scope="module")
def make_jobs(make_config, make_data) -> Callable[[str], list[Job]]:
    def make(name: str) -> list[Job]:
        common, own = COMPANIES[name]
        nodes = [{key: common.get(key, {}) | each.get(key, {}) for key in ("training", "model")} for each in own]
        changes = [each | {"batch_size": 8} | node for each, node in zip(own, nodes, strict=True)]
        configs = [make_config(**each) for each in changes]
        data = make_data(configs[0])
        return [Job(config, data) for config in configs]

    return make


def assert_equal_bits(one: Training, other: Training) -> None:
    for first, second in zip(one.seeds, other.seeds, strict=True):
        assert (first.seed, first.kept_epoch) == (second.seed, second.kept_epoch)
        assert (first.losses, first.val_losses) == (second.losses, second.val_losses)
        for weight, expected in zip(first.weights, second.weights, strict=True):
            np.testing.assert_array_equal(weight, expected)
    np.testing.assert_array_equal(one.forecasts, other.forecasts)


@pytest.fixture(scope="module")
def together(make_jobs, programs, ignore_epoch) -> dict[str, list[Training]]:
    return {name: train_side_by_side(make_jobs(name), programs, ignore_epoch) for name in COMPANIES}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.thorough) if name != "numbers" else name for name in COMPANIES]
)
def test_a_configuration_has_the_same_bits_alone_and_side_by_side(
    name, make_jobs, together, programs, opened, ignore_epoch
) -> None:
    """The winner of a sweep could not be repeated: a result depends on what else was tried."""
    jobs = make_jobs(name)
    assert len({training.seeds[0].losses[-1] for training in together[name]}) == len(jobs)
    for job, training in zip(jobs, together[name], strict=True):
        (alone,) = train_side_by_side([job], programs, ignore_epoch)
        assert_equal_bits(training, alone)
    assert len(opened) == len(COMPANIES)  # one program for all of a company


@pytest.mark.thorough
def test_a_command_of_its_own_gives_the_same_bits(make_jobs, together, ignore_epoch) -> None:
    """A program that stays open would remember something of the job before."""
    job = make_jobs("to the end")[1]
    assert_equal_bits(together["to the end"][1], train_seeds(job.config, job.data, ignore_epoch))


def test_a_configuration_that_diverges_fails_alone(make_jobs, together, programs, ignore_epoch) -> None:
    """One learning rate that is too large would take the others with it."""
    jobs = make_jobs("to the end")
    training = replace(jobs[0].config.training, learning_rate=1e38)
    wild = Job(replace(jobs[0].config, training=training), jobs[0].data)
    first, failed, second = train_side_by_side([jobs[0], wild, jobs[1]], programs, ignore_epoch)
    assert "the loss is" in failed.seeds[0].failure
    assert_equal_bits(first, together["to the end"][0])
    assert_equal_bits(second, together["to the end"][1])


def test_data_of_equal_shapes_share_a_program(make_jobs, make_data, together, programs, opened, ignore_epoch) -> None:
    """A sweep over series would compile for each, or a program would remember the series that it was made for."""
    job = make_jobs("to the end")[0]
    values = np.random.default_rng(3).normal(size=(40, 1))
    config = replace(job.config, dataset=replace(job.config.dataset, name="another"))
    before = len(opened)
    first, second = train_side_by_side([job, Job(job.config, make_data(job.config, values))], programs, ignore_epoch)
    (again,) = train_side_by_side([Job(config, make_data(config, values))], programs, ignore_epoch)
    assert len(opened) == before
    assert_equal_bits(second, again)
    assert_equal_bits(first, together["to the end"][0])
    assert first.seeds[0].losses != second.seeds[0].losses


def test_what_another_process_would_write_otherwise_is_not_in_a_program(together, opened) -> None:
    """A repeated command would compile again: XLA's cache on disk knows only what is the same to the letter."""
    library = {function.signature.name: function for function in opened[0]._graph.as_graph_def().library.function}
    loops = 0
    for function in library.values():
        constants = {node.name for node in function.node_def if node.op == "Const"}
        for node in function.node_def:
            marks = [name for name in node.attr if name.startswith("grad_") and node.attr[name].b]
            assert not marks, node.op  # two attributes, in any order
            if "While" in node.op:
                loops += 1
                read = [each for each in node.input if each.partition(":")[0] in constants]
                assert len(_unchanged(node, read, library[node.attr["body"].func.name])) <= 1, node.name
    assert loops > 3


def _unchanged(loop: Any, names: list[str], body: Any) -> list[str]:
    """Return which inputs of a loop its body hands on as they are: TensorFlow moves those that are constants inside."""
    nodes = {node.name: node for node in body.node_def}
    unchanged = []
    for name in names:
        place = list(loop.input).index(name)
        source = body.ret[body.signature.output_arg[place].name].partition(":")[0]
        while source in nodes and nodes[source].op == "Identity":
            source = nodes[source].input[0].partition(":")[0]
        if source == body.signature.input_arg[place].name:
            unchanged.append(name)
    return unchanged


def test_a_few_programs_stay_open_and_all_are_closed(monkeypatch) -> None:
    """The memory of a sweep would grow with the number of its shapes."""
    closed = []

    class Session:
        def __init__(self, device: str, trace: bytes | None) -> None:
            self.key = ""

        def trace(self) -> bytes:
            return b""

        def close(self) -> None:
            closed.append(self.key)

    def compile_as(key: str):
        def compile_in(session: Session) -> str:
            session.key = key
            return key

        return compile_in

    monkeypatch.setattr(programs_module, "CompilingSession", Session)
    monkeypatch.setattr(traces, "kept_programs", lambda: None)
    with Programs() as programs:
        for key in "abcdae":
            assert programs.find(key, compile_as(key)) == key
        assert closed == ["b"]  # of the five the one that was longest not asked for
    assert sorted(closed) == list("abcde")


def test_no_hyperparameter_is_part_of_a_program() -> None:
    """Another learning rate would compile again, or would be trained with the number of the program's first job."""
    one = Config(dataset=DatasetConfig(name="a"), model=ModelConfig(dropout=0.1))
    names = set(Hyperparameters._fields) - {"dropout"}
    changed = {name: getattr(one.training, name) + 1 for name in names}
    other = replace(one, model=ModelConfig(dropout=0.2), training=replace(one.training, **changed))
    stacked = stack_hyperparameters([one, other])
    assert all(first != second for first, second in stacked)
    assert repr(without_hyperparameters(one)) == repr(without_hyperparameters(other)) != repr(one)
