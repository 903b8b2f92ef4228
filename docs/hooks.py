"""What `mkdocs build` checks beside the links: a page that is read offline is whole."""

import re
from typing import Any

from mkdocs.exceptions import PluginError

# What a browser fetches by itself: scripts, images, style sheets, fonts. A link that a reader follows is none of these.
LOADED = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\bsrc=[\"']?(?:https?:)?//[^>]*>"
    r"|<link\b(?![^>]*\brel=[\"']?canonical)[^>]*?\bhref=[\"']?(?:https?:)?//[^>]*>"
    r"|@import\s+[^;]*//[^;]*;|url\(\s*[\"']?(?:https?:)?//[^)]*\)"
)


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that would load something from the network."""
    if found := LOADED.search(output):
        raise PluginError(f"{page.file.src_uri} would load from the network: {found[0]}")
    return output
