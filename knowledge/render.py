"""Markdown to HTML that is safe to show: whatever a document holds, no script comes out."""

from typing import Final

import markdown
import nh3

_EXTENSIONS: Final = ["tables", "fenced_code", "sane_lists"]


def to_html(text: str) -> str:
    """Return sanitised HTML of a Markdown text; links open without handing over the page."""
    return nh3.clean(
        markdown.markdown(text, extensions=_EXTENSIONS, output_format="html"),
        link_rel="noopener noreferrer nofollow",
    )
