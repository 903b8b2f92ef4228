"""What `mkdocs build` does beside building: notebooks become pages, and a page that is read offline is whole."""

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))  # mkdocs loads this file by its path

import notebooks

# What a browser fetches by itself: scripts, images, style sheets, fonts. A link that a reader follows is none of these.
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b(?![^>]*\brel=[\"']?canonical)[^>]*?\bhref=[\"']?(?:https?:)?//[^>]*>"
    r"|@import\s+[^;]*//[^;]*;|url\(\s*[\"']?(?:https?:)?//[^)]*\)"
)


def on_files(files: Files, config: Any, **_: Any) -> Files:
    """Put a page in the place of each notebook."""
    for file in [file for file in files if file.src_uri.endswith(".ipynb")]:
        text = notebooks.show_notebook(Path(str(file.abs_src_path)).read_text())
        files.remove(file)
        files.append(File.generated(config, file.src_uri.removesuffix(".ipynb") + ".md", content=text))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Lead to the page of a notebook where the source, read elsewhere, leads to the notebook."""
    return re.sub(r"(\]\([^):\s]+)\.ipynb\)", r"\1.md)", markdown)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that would load something from the network."""
    if found := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} would load from the network: {found[0]}")
    return output
