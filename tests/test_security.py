"""What SECURITY.md promises of the code and of its tools; ruff's rules S and its banned modules hold the rest."""

import json
import re
import subprocess
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
KNOWN = {"name": "known", "version": "1.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["1.1"]}]}
CLEAN = {"name": "clean", "version": "2.0", "vulns": []}
UNKNOWN = {"name": "unknown", "skip_reason": "Dependency not found on PyPI and could not be audited: unknown (3.0)"}


def load(name: str) -> ModuleType:
    spec = spec_from_file_location(name, ROOT / ".ci" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    return load("audit")


def test_no_array_is_read_or_written_with_objects() -> None:
    """A file of weights or of a state runs what a stranger wrote into it."""
    code = "\n".join(path.read_text() for path in (ROOT / "pipeline").rglob("*.py"))
    assert code.count("allow_pickle=False") > 5
    assert re.findall(r"allow_pickle=(?!False\b).*", code) == []


@pytest.mark.parametrize(
    ("packages", "status", "said"),
    [
        ([CLEAN], 0, "audit: 0 known vulnerabilities in 1 packages"),
        ([CLEAN, UNKNOWN], 0, "audit: 0 known vulnerabilities in 1 packages; nothing is known about unknown"),
        ([CLEAN, KNOWN], 1, "known 1.0: PYSEC-1, fixed in 1.1\naudit: 1 known vulnerabilities in 2 packages"),
        ([UNKNOWN], 0, "audit: neither pypi nor osv could be reached, so nothing is known"),
        (None, 0, "audit: neither pypi nor osv could be reached, so nothing is known"),
    ],
)
def test_an_audit_that_reached_nobody_is_no_good_news(
    packages: Any, status: int, said: str, audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """A vulnerable package is released, or packages that nobody looked at count as sound."""
    all_known = None if packages is None else [KNOWN]

    def answer(words: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        is_probe = not words[words.index("--requirement") + 1].endswith("constraints.txt")
        found = all_known if is_probe else packages
        told = "Traceback ..." if found is None else json.dumps({"dependencies": found})
        return subprocess.CompletedProcess(words, 0, told, "")

    monkeypatch.setattr(audit.subprocess, "run", answer)
    monkeypatch.delenv("REQUIRE_AUDIT", raising=False)
    assert audit.main() == status
    assert capsys.readouterr().out.startswith(said)
    monkeypatch.setenv("REQUIRE_AUDIT", "1")
    assert audit.main() == (1 if "neither" in said else status)


def test_a_service_that_knows_of_nothing_is_not_asked_for_all(
    audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    """Behind a mirror of PyPI, `make check` asks it about 150 packages of which it knows nothing."""
    asked: list[Path] = []
    monkeypatch.setattr(audit, "ask", lambda service, pinned: asked.append(pinned) or {"dependencies": [UNKNOWN]})
    assert audit.main() == 0 and "neither" in capsys.readouterr().out
    assert len(asked) == 2 and all(path.name == "vulnerable.txt" for path in asked)


def test_a_bill_of_materials_lists_what_is_needed_and_nothing_else() -> None:
    """A vulnerable package of a release is not in its list, or tools of the developers are."""
    requires = {
        "server": ["Loop_Of.Events>=1", "fast; extra == 'standard'", "colours; sys_platform == 'win32'"],
        "loop-of-events": ["server"],
        "tests": ["server"],
    }
    needs = load("sbom").find_needs(["Server[standard]>=2,<3"], requires)
    assert needs == {"": {"server"}, "server": {"loop-of-events", "fast"}, "loop-of-events": {"server"}, "fast": set()}
