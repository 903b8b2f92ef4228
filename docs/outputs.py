"""Run the commands that README.md and the pages of docs/ show, and write what they print below them.

python docs/outputs.py                              every page, in place; trains, so it takes minutes
python docs/outputs.py --only README.md             one page or several
python docs/outputs.py --check                      change nothing; exit code 1 if a page shows something else

A page says what is to be done in comments that no reader sees. Its steps share one empty folder and one MLflow store:

    <!-- run: COMMAND -->      run it and show nothing
    <!-- file: NAME -->        write the fenced block below into a file
    <!-- output: COMMAND -->   run it; the fenced block below is what it prints
    <!-- picture: NAME -->     put this file, which a command above has made, beside the page

A command is one line of bash; `python` is the Python that runs this script, and data/ is beside it. The page of the
keys is made by docs/keys.py, that of the Python functions by docs/python_api.py; docs/notebooks.py runs notebooks.
"""

import argparse
import difflib
import os
import re
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Sequence
from pathlib import Path

import keys
import python_api

ROOT = Path(__file__).resolve().parent.parent
STEP = re.compile(
    r"^<!-- run: (?P<run>[^\n]+) -->$"
    r"|^<!-- picture: (?P<picture>[^\n]+) -->$"
    r"|^(?P<head><!-- (?P<kind>file|output): (?P<what>[^\n]+) -->\n+```\w*\n)(?P<block>.*?)(?P<end>^```$)",
    re.MULTILINE | re.DOTALL,
)
MADE = {keys.PAGE: keys.make_page, python_api.PAGE: python_api.make_page}  # pages that a script writes as a whole
WIDTH = 120  # columns of a line
CUT_SHORT = 141  # what a command ends with when `head` has read enough
ONLY_ONCE = ((r"\b[0-9a-f]{32}\b", "ID"), (r"\b\d+(\.\d+)? s\b", "N s"), (r"[━─]+", "─"), (r" +", " "))


def main(words: Sequence[str] | None = None) -> int:
    """Write or check the pages, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    parser.add_argument("--only", nargs="+", type=Path, default=[], metavar="PAGE", help="these pages, from the root")
    arguments = parser.parse_args(words)
    differing = 0
    for page in [path.resolve() for path in arguments.only] or find_pages():
        name, shown = page.relative_to(ROOT), page.read_text()
        made = make_page(page, shown, keep=not arguments.check)
        if arguments.check and made != shown:
            differing += 1
            lines = difflib.unified_diff(shown.splitlines(), made.splitlines(), f"{name} shows", "is printed", n=1)
            print("\n".join(lines))
        elif not arguments.check and made != shown:
            page.write_text(made)
            print(f"{name} is new")
    if differing:
        print(f"{differing} page(s) show something else: make docs-outputs", file=sys.stderr)
    return min(differing, 1)


def find_pages() -> list[Path]:
    """Return the pages that show an output, the README first, the notebooks last."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
    showing = [page for page in pages if page in MADE or STEP.search(page.read_text())]
    return [*showing, *sorted((ROOT / "docs").rglob("*.ipynb"))]


def make_page(page: Path, text: str, keep: bool = False) -> str:
    """Return the text of a page with the outputs of today; keep: its pictures become those of today."""
    if page in MADE:
        return MADE[page]()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "data").symlink_to(ROOT / "data")
        if page.suffix == ".ipynb":
            from notebooks import run_notebook  # needs what `make docs` installs

            return run_notebook(text, folder, make_environment(folder))
        return STEP.sub(lambda step: take_step(step, folder, page.parent if keep else folder), text)


def take_step(step: re.Match[str], folder: Path, beside: Path) -> str:
    """Do one step of a page in its folder, and return what the page shows from now on; pictures go to `beside`."""
    if step["picture"]:
        (beside / step["picture"]).write_bytes((folder / step["picture"]).read_bytes())
        return step[0]
    if step["run"]:
        run_command(step["run"], folder)
        return step[0]
    if step["kind"] == "file":
        (folder / step["what"]).write_text(step["block"])
        return step[0]
    printed = "".join(f"{wrap_line(line)}\n" for line in run_command(step["what"], folder).splitlines())
    if normalise(printed) == normalise(step["block"]):
        return step[0]  # no new page for new ids and seconds
    return step["head"] + printed + step["end"]


def wrap_line(line: str) -> str:
    """Break a long sentence, as a terminal would; tables stay as wide as they are."""
    if len(line) <= WIDTH or line[0] in "┃│┏┡└":
        return line.rstrip()
    indent = " " * (len(line) - len(line.lstrip()))
    return textwrap.fill(line, WIDTH, subsequent_indent=indent and indent + "  ", break_long_words=False)


def run_command(command: str, folder: Path) -> str:
    """Run one line of bash and return its standard output; whatever fails ends the script."""
    words = ["bash", "-euo", "pipefail", "-c", command]
    done = subprocess.run(words, cwd=folder, env=make_environment(folder), capture_output=True, text=True)
    if done.returncode not in (0, CUT_SHORT):
        raise SystemExit(f"{command}\nended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def make_environment(folder: Path) -> dict[str, str]:
    """Return the variables of a process that uses this code and a store in the folder, and nobody's settings."""
    left_out = ("MLFLOW_EXPERIMENT_NAME", "HYDRA_FULL_ERROR", "COLUMNS")
    return {name: value for name, value in os.environ.items() if name not in left_out} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
    }


def normalise(text: str) -> str:
    """Leave out what no two runs share: ids, seconds, and the widths of columns that hold them."""
    lines, drops_last = [], False
    for line in text.splitlines():
        if line.startswith("┃"):
            drops_last = line.rstrip("┃ ").endswith("seconds")
        if line.startswith("│") and drops_last:
            line = line.rsplit("│", 2)[0]
        lines.append(line.rstrip())
    text = "\n".join(lines)
    for pattern, instead in ONLY_ONCE:
        text = re.sub(pattern, instead, text)
    return text


if __name__ == "__main__":
    sys.exit(main())
