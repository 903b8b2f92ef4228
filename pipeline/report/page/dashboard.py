"""The first page of the service: its lanes, what was forecast beside what came. It holds no data itself."""

import base64
import hashlib
from functools import cache
from pathlib import Path

from pipeline.report.page.template import render_page

_FOLDER = Path(__file__).parent


@cache
def write_dashboard() -> str:
    """Return the page, which asks the service that sent it, and nobody else, for what it shows."""
    script = "\n" + (_FOLDER / "dashboard.js").read_text(encoding="utf-8")
    identity = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return render_page(
        "dashboard",
        "Forecasts as they are served",
        script=script,
        script_hash=f"sha256-{identity}",
        style=(_FOLDER / "dashboard.css").read_text(encoding="utf-8"),
    )
