"""README and docs/: what they say about themselves, and what they must not forget."""

import ast
import importlib
import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from mlflow.tracking import MlflowClient

from pipeline.tracking.names import unescape_name
from tests.conftest import ROOT, Swept

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.rglob("*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")
NAMED_PATH = re.compile(r"`((?:pipeline|conf|tests|benchmarks|docs|data)/[\w./-]*)`")


def load_script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # outputs imports keys, and a dataclass looks for its module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def keys() -> ModuleType:
    return load_script("keys")


@pytest.fixture(scope="module")
def python_api() -> ModuleType:
    return load_script("python_api")


@pytest.fixture(scope="module")
def outputs(keys: ModuleType, python_api: ModuleType) -> ModuleType:
    return load_script("outputs")


def test_readme_is_short() -> None:
    """Breaks the first look: what is more than a beginning belongs in docs/."""
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    """Breaks a link, on GitHub or in the site."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    targets = [link.partition("#")[0] for link in LINK.findall(text) if "://" not in link]
    assert [target for target in targets if target and not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_files_that_a_page_names_are_there(page: Path) -> None:
    """Breaks the way into the code: a file was moved, and a page still names its old place."""
    named = [path for path in NAMED_PATH.findall(page.read_text()) if "NAME" not in path]
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_page_of_keys_is_what_conf_and_schema_say(keys: ModuleType) -> None:
    """Breaks the manual: a key was added, removed or changed, and docs/reference/keys.md was not made again."""
    assert keys.PAGE.read_text() == keys.make_page(), "python docs/outputs.py --only docs/reference/keys.md"


def test_page_of_python_is_what_the_code_says(python_api: ModuleType) -> None:
    """Breaks the manual: a function changed, and docs/reference/python.md was not made again."""
    assert python_api.PAGE.read_text() == python_api.make_page(), "python docs/outputs.py"


@pytest.mark.parametrize("page", sorted(DOCS.rglob("*.ipynb")), ids=lambda page: page.name)
def test_notebooks_were_run_and_use_what_is_there(page: Path) -> None:
    """Breaks a notebook: it shows no outputs, an error, or imports what is gone."""
    cells = [cell for cell in json.loads(page.read_text())["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert [each for cell in cells for each in cell["outputs"] if each["output_type"] == "error"] == []
    for cell in cells:
        lines = [line for line in cell["source"] if not line.startswith("%")]
        for found in ast.walk(ast.parse("".join(lines))):
            if isinstance(found, ast.ImportFrom):
                assert found.module is not None
                module = importlib.import_module(found.module)
                assert [name.name for name in found.names if not hasattr(module, name.name)] == []


def test_metrics_tags_and_files_of_a_run_are_in_the_reference(readme_sweep: Swept) -> None:
    """Breaks the reference: a run logs something that no page explains."""
    client = MlflowClient(readme_sweep.uri)
    (experiment,) = client.search_experiments(filter_string="name = 'lstm-pipeline'")
    metrics, tags, files = set[str](), set[str](), set[str]()
    for run in client.search_runs([experiment.experiment_id]):
        metrics |= {unescape_name(name, run.data.tags) for name in run.data.metrics}
        tags |= {name for name in run.data.tags if not name.startswith("mlflow.")}
        files |= {Path(file.path).name for file in client.list_artifacts(run.info.run_id)}
    ending = re.compile(r"_(median|std|low|high)$")
    baseline = re.compile(r"(baseline|skill)_[a-z]+")
    named = {baseline.sub(r"\1_NAME", ending.sub("", name)) for name in metrics}
    for page, names in (("metrics", named), ("tags", tags), ("artifacts", files)):
        told = set(re.findall(r"`([^`]+)`", (DOCS / "reference" / f"{page}.md").read_text()))
        assert {name for name in names if name not in told and f"{name}/" not in told} == set(), page


PAGE = """\
<!-- run: echo 3 > number -->
<!-- file: words.txt -->
```
one
two
```
Text stays.

<!-- output: cat number words.txt data/README.md | head -n 3 -->
```text
old
```
"""


def test_outputs_are_what_the_commands_print(outputs: ModuleType, tmp_path: Path) -> None:
    """Breaks `make docs-outputs`: a page would show something that its command does not print."""
    page = tmp_path / "page.md"
    assert outputs.make_page(page, PAGE) == PAGE.replace("old\n", "3\none\ntwo\n")


def test_pictures_are_made_again_but_not_by_a_check(outputs: ModuleType, tmp_path: Path) -> None:
    """Breaks a lesson: it would show the picture of an old run, or a check would change it."""
    page = "<!-- run: echo new > curve.png -->\n<!-- picture: curve.png -->\n![](curve.png)\n"
    (tmp_path / "curve.png").write_text("old\n")
    for keep, shown in ((False, "old\n"), (True, "new\n")):
        assert outputs.make_page(tmp_path / "page.md", page, keep) == page
        assert (tmp_path / "curve.png").read_text() == shown


def test_check_of_outputs_finds_a_page_that_is_old(outputs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks the check in CI: a page that shows something else must end it with exit code 1, and stay as it is."""
    page = DOCS / "reference" / "keys.md"
    before = page.read_text()
    monkeypatch.setitem(outputs.MADE, page, lambda: before.replace("look_back", "look_ahead"))
    assert outputs.main(["--check", "--only", str(page)]) == 1
    assert page.read_text() == before


def test_a_failing_command_ends_the_outputs(outputs: ModuleType, tmp_path: Path) -> None:
    """Breaks the pages: an error message would be shown as the output."""
    with pytest.raises(SystemExit, match="exit code 3"):
        outputs.make_page(tmp_path / "page.md", "<!-- run: exit 3 -->\n")


def test_check_looks_past_ids_and_seconds(outputs: ModuleType) -> None:
    """Breaks the check in CI: it would fail because a machine is slower."""
    header = "┃ look_back ┃ RMSE ┃ seconds ┃\n"
    assert outputs.normalise(header + "│ 3 │ 1.5 │ 0.9 │") == outputs.normalise(header + "│ 3 │  1.5 │    10.2 │")
    assert outputs.normalise(f"run {'0' * 32} in 1.5 s") == outputs.normalise(f"run {'a' * 32} in 2.0 s")
    assert outputs.normalise("RMSE 1.5") != outputs.normalise("RMSE 1.6")


@pytest.mark.parametrize(
    ("html", "loads"),
    [
        ('<script src="https://unpkg.com/mermaid"></script>', True),
        ("<link rel=stylesheet href=//fonts.googleapis.com/css>", True),
        ("<style>@import url(https://fonts.example/a.css);</style>", True),
        ('<link rel="canonical" href="https://example.org/"><a href="https://example.org/">there</a>', False),
        ('<img src="data:image/png;base64,aa//aa"><script src="assets/a.js"></script>', False),
    ],
)
def test_a_page_that_loads_from_the_network_is_refused(html: str, loads: bool) -> None:
    """Breaks reading offline: `make docs` would build pages that need fonts or scripts from elsewhere."""
    pytest.importorskip("mkdocs", reason="`make docs` installs it")
    hooks = load_script("hooks")
    assert bool(hooks.LOADED.search(html)) is loads
