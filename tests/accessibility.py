"""Barriers on a page, as axe-core finds them."""

from typing import Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_GRAVE: Final = frozenset({"serious", "critical"})


def barriers(page: Page) -> list[str]:
    """Return the serious and critical ones: the rule and where it is broken."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in _GRAVE
        for node in one["nodes"]
    ]
