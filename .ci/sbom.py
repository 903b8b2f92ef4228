"""Write the software bill of materials of a release, CycloneDX 1.6: `make sbom`, and part of `make build`.

cyclonedx-py lists the whole environment, with licences. What the released package does not need (what tests, checks and
extras brought) is left out, and who needs whom is what the packages require without extras nobody asked for.
"""

import json
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent


def main(python: str) -> None:
    """Write dist/NAME-VERSION.cdx.json from the environment of a Python of the same version."""
    from cyclonedx.schema import SchemaVersion  # here: the environment of the tests lacks it
    from cyclonedx.validation.json import JsonStrictValidator

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    words = ["environment", "--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "library"]
    words += ["--spec-version", "1.6", "--output-reproducible", "--output-format", "JSON", "--output-file", "-", python]
    listed = subprocess.run([sys.executable, "-m", "cyclonedx_py", *words], check=True, stdout=subprocess.PIPE).stdout
    bill = keep_needed(json.loads(listed), project["dependencies"], read_requirements(python))
    text = json.dumps(bill, indent=1) + "\n"
    if (wrong := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        sys.exit(f"the bill is no CycloneDX 1.6: {wrong}")
    path = ROOT / "dist" / f"{project['name']}-{project['version']}.cdx.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    print(f"{path.relative_to(ROOT)}: {len(bill['components'])} packages")


def read_requirements(python: str) -> dict[str, list[str]]:
    """Return what each package that a Python can import says it requires."""
    words = [python, "-c", "import json, sys; print(json.dumps(sys.path))"]
    paths = json.loads(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)
    return {canonicalize_name(found.name): found.requires or [] for found in distributions(path=paths)}


def find_needs(wanted: Sequence[str], requires: Mapping[str, Sequence[str]]) -> dict[str, set[str]]:
    """Return the packages that are wanted and what they need, one through another, each with what it needs itself.

    Args:
        wanted: Requirements; the needs of the key "" are theirs.
        requires: Of each package, by its normal name, with the conditions that it has for them.
    """
    needs: dict[str, set[str]] = {}
    ahead = [("", "", text) for text in wanted]  # who needs it, with which of its extras, what
    seen = set()
    while ahead:
        needing, extra, text = each = ahead.pop()
        requirement = Requirement(text)
        if each in seen or (requirement.marker is not None and not requirement.marker.evaluate({"extra": extra})):
            continue
        seen.add(each)
        name = canonicalize_name(requirement.name)
        needs.setdefault(needing, set()).add(name)
        needs.setdefault(name, set())
        ahead += [(name, asked, more) for asked in ("", *requirement.extras) for more in requires.get(name, ())]
    return needs


def keep_needed(
    bill: Mapping[str, Any], wanted: Sequence[str], requires: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    """Return a bill of what is needed, from that of a whole environment."""
    needs = find_needs(wanted, requires)
    components = [each for each in bill["components"] if canonicalize_name(each["name"]) in needs]
    references = {canonicalize_name(each["name"]): each["bom-ref"] for each in components}
    if missing := sorted(needs.keys() - references.keys() - {""}):
        sys.exit(f"the environment lacks {', '.join(missing)}: run make setup")
    references[""] = bill["metadata"]["component"]["bom-ref"]
    return {
        **bill,
        "components": components,
        "dependencies": [
            {"ref": reference, "dependsOn": sorted(references[each] for each in needs[name])}
            for name, reference in references.items()
        ],
    }


if __name__ == "__main__":
    main(*sys.argv[1:])
