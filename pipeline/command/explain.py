"""Draw an experiment before it is trained: `python -m pipeline.explain look_back=6 output=diagram.svg`."""

import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import MISSING, dataclass
from pathlib import Path

from hydra._internal.utils import get_args_parser
from hydra.core.config_store import ConfigStore

from pipeline.base.environment import prepare_environment
from pipeline.base.errors import UserError
from pipeline.base.paths import check_folder
from pipeline.base.terminal import prepare_terminal, say
from pipeline.command.arguments import option, parse_arguments
from pipeline.command.exits import DONE, leave, run_to_exit
from pipeline.config.schema import Config
from pipeline.experiment.jobs import plan_jobs

_OUTPUT = "output="
_SUFFIXES = (".svg", ".txt")
_HELP = """\
Draw an experiment before it is trained: boxes, shapes, parameters, batches and lanes, with its own numbers.
Reads the data, trains nothing, takes a second.

Usage
  python -m pipeline.explain [-m] [key=value ...] [output=FILE.svg|FILE.txt]

Examples
  python -m pipeline.explain                                      what `python -m pipeline.run` would train
  python -m pipeline.explain look_back=6 stateful=true            where the state is carried, and where reset
  python -m pipeline.explain return_sequences=true output=diagram.svg      a drawing for a slide
  python -m pipeline.explain model.wiring=encoder_decoder horizon=6 dataset.horizons=all
  python -m pipeline.explain dataset=csv dataset.path=sales.csv dataset.features=[sales]
  python -m pipeline.explain -m look_back=1,3 stateful=true,false     one explanation after another

Keys
  The same as those of `python -m pipeline.run`, checked in the same way: `python -m pipeline.run --help`.
  output             a .svg drawing (16:9) or a .txt text; without it the text is printed

The five pictures: model.wiring=one_to_one, one_to_many, many_to_one, many_to_many (short: return_sequences=true),
encoder_decoder. Every run logs its own as explanation.txt and diagram.svg.

Exit codes: 0 done, 1 the file could not be written, 2 wrong input (one line says what to change).
"""


@dataclass(frozen=True)
class _Own:
    """The one key that `run` has not."""

    output: Path = option(MISSING, "A .svg drawing or a .txt text.")


def main() -> None:
    """Explain the command line and exit with 0 (done), 1 (the file could not be written) or 2 (wrong input)."""
    prepare_environment()
    ConfigStore.instance().store(name="base_config", node=Config)
    prepare_terminal()
    leave(run_to_exit(lambda: _run_command(sys.argv[1:])))


def _run_command(command: Sequence[str]) -> int:
    arguments = get_args_parser().parse_intermixed_args(command)
    if arguments.help:
        print(_HELP, end="")
        return DONE
    if arguments.hydra_help or arguments.cfg or arguments.info or arguments.shell_completion:
        raise UserError("explain only draws; for Hydra's own flags use python -m pipeline.run, e.g. with --cfg job")
    output = _take_output(arguments)
    jobs = plan_jobs(arguments).jobs
    if output is not None and len(jobs) > 1:
        raise UserError(
            f"output={output} is one drawing, but the sweep has {len(jobs)} jobs; give one value to each key, or leave "
            "output out to read them one after another"
        )
    for number, config in enumerate(jobs):
        if number:
            print("\n" + "=" * 100 + "\n")
        _explain(config, output)
    return DONE


def _take_output(arguments: Namespace) -> Path | None:
    """Take the one key that Hydra does not know out of the overrides, and check it before anything else is done."""
    given = [word for word in arguments.overrides if word.startswith(_OUTPUT)]
    arguments.overrides = [word for word in arguments.overrides if not word.startswith(_OUTPUT)]
    if not given:
        return None
    path = parse_arguments(_Own, given).output
    if path.suffix not in _SUFFIXES:
        raise UserError(f"output must end in .svg (a drawing) or .txt (text), but got output={path}")
    check_folder("output", path)
    if path.is_dir():
        raise UserError(f"output={path} is a folder; name a file in it")
    return path


def _explain(config: Config, output: Path | None) -> None:
    from pipeline.data.auto_transforms import resolve_transforms
    from pipeline.data.prepare import prepare_data  # pandas takes a second: a wrong key must not wait for it
    from pipeline.data.sources import load_series
    from pipeline.explanation.facts.explanation import explain
    from pipeline.explanation.files import print_explanation, write_explanation

    series = load_series(config.dataset)
    config, choice = resolve_transforms(config, series)
    if choice is not None:
        say(choice.tell())
    explanation = explain(config, prepare_data(config, series))
    if output is None:
        print_explanation(explanation)
    else:
        write_explanation(output, explanation)
        print(f"{explanation.summary}\nwritten: {output}")
