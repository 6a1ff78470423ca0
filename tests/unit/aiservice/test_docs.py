"""What the documents name is there."""

import re
from pathlib import Path

import pytest
from django.conf import settings

pytestmark = pytest.mark.unit

ROOT = Path(settings.BASE_DIR)
# Its numbers are of one machine: written by `make bench`, where somebody asks for it.
WRITTEN_ON_DEMAND = {"docs/performance.md"}
NAMED = re.compile(r"(?:[`(]|\s)((?:[\w.-]+/)+[\w.-]+\.(?:py|sh|yml|yaml|md|json|conf))\b")


@pytest.mark.parametrize(
    "document", [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], ids=lambda path: path.name
)
def test_files_that_a_document_names_exist(document):
    named = {name for name in NAMED.findall(document.read_text()) if "NAME" not in name}
    places = (ROOT, document.parent)
    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert missing <= WRITTEN_ON_DEMAND
