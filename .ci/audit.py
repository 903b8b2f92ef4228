"""Ask for known vulnerabilities of every pinned package: `make audit`.

pip-audit ends with 0 and "no known vulnerabilities" when its service knew none of the packages, as behind a mirror of
PyPI. So a service is asked first about a package that everybody knows to be vulnerable, which takes seconds and not
the minute of all packages. Exit code: 0 nothing known, 1 vulnerabilities, and 0 when no service could be reached,
unless REQUIRE_AUDIT=1.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
SERVICES = ("pypi", "osv")
VULNERABLE = "jinja2==2.4.1"
PATIENCE_SECONDS = 300
ANSWER_SECONDS = 5


def main() -> int:
    """Ask one service after another until one knows of vulnerabilities at all."""
    for service in SERVICES:
        answered = ask(service, ROOT / "constraints.txt") if is_known_to(service) else None
        if answered is not None:
            print("\n".join(describe(answered)))
            return 1 if list_vulnerable(answered) else 0
    print(
        f"audit: neither {' nor '.join(SERVICES)} could be reached, so nothing is known about vulnerabilities of the "
        "packages in constraints.txt; run `make audit` where pypi.org or api.osv.dev can be"
    )
    return 1 if os.environ.get("REQUIRE_AUDIT") == "1" else 0


def is_known_to(service: str) -> bool:
    """Return whether a service knows what everybody knows."""
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "vulnerable.txt"
        pinned.write_text(VULNERABLE)
        answered = ask(service, pinned)
    return answered is not None and bool(list_vulnerable(answered))


def ask(service: str, pinned: Path) -> dict[str, Any] | None:
    """Return what pip-audit says of the packages that a file pins; None if the service knew none of them."""
    words = ["--vulnerability-service", service, "--requirement", str(pinned), "--timeout", str(ANSWER_SECONDS)]
    words += ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "pip_audit", *words], capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        answered = json.loads(ended.stdout)
    except (subprocess.TimeoutExpired, ValueError):  # ValueError: it ended with a traceback
        return None
    return answered if any("skip_reason" not in package for package in answered["dependencies"]) else None


def list_vulnerable(answered: Mapping[str, Any]) -> list[str]:
    """Return a line for each vulnerability."""
    return [
        f"{package['name']} {package['version']}: {each['id']}, "
        + (f"fixed in {', '.join(each['fix_versions'])}" if each["fix_versions"] else "not fixed yet")
        for package in answered["dependencies"]
        for each in package.get("vulns", ())
    ]


def describe(answered: Mapping[str, Any]) -> list[str]:
    """Return what is known, and of how many packages nothing is."""
    packages, vulnerable = answered["dependencies"], list_vulnerable(answered)
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    total = f"audit: {len(vulnerable)} known vulnerabilities in {len(packages) - len(unknown)} packages"
    return [*vulnerable, f"{total}; nothing is known about {', '.join(unknown)}" if unknown else total]


if __name__ == "__main__":
    sys.exit(main())
