"""Notebooks of the documentation: run anew by docs/outputs.py, shown as a page by docs/hooks.py."""

import re
from pathlib import Path
from typing import Any

import nbformat

_TEXT, _HTML, _PICTURE = "text/plain", "text/html", "image/png"


def run_notebook(source: str, folder: Path, environment: dict[str, str]) -> str:
    """Run every cell from a fresh kernel and return the notebook with what they gave.

    Args:
        source: The notebook as JSON.
        folder: Where it runs.
        environment: Variables of the kernel's process.
    """
    from nbclient import NotebookClient

    notebook = nbformat.reads(source, as_version=4)
    NotebookClient(notebook, timeout=1200, resources={"metadata": {"path": str(folder)}}).execute(env=environment)
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}  # nothing that changes by itself
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if each.get("name") != "stderr"]
    return nbformat.writes(notebook) + "\n"


def code_of(source: str) -> list[str]:
    """Return the code of a notebook, cell by cell."""
    return [cell.source for cell in nbformat.reads(source, as_version=4).cells if cell.cell_type == "code"]


def show_notebook(source: str) -> str:
    """Return a notebook as Markdown: its text, its code, and what that gave."""
    parts = []
    for cell in nbformat.reads(source, as_version=4).cells:
        if cell.cell_type == "markdown":
            parts.append(cell.source)
        elif cell.cell_type == "code":
            parts += [f"```python\n{cell.source}\n```", *map(_show_output, cell.outputs)]
    return "\n\n".join(parts) + "\n"


def _show_output(output: Any) -> str:
    if output.output_type == "stream":
        return f"```text\n{output.text.rstrip()}\n```"
    data = output.data
    if _PICTURE in data:
        picture = data[_PICTURE].replace("\n", "")
        return f'<img alt="{data.get(_TEXT, "figure")}" src="data:{_PICTURE};base64,{picture}">'
    if _HTML in data:
        without_style = re.sub(r"<style.*?</style>", "", data[_HTML], flags=re.DOTALL)
        return re.sub(r"\n\s*", "\n", without_style).strip()
    return f"```text\n{data[_TEXT].rstrip()}\n```"
