"""What the documents name is there, and what they tell to type is run."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import call_command

from knowledge.models import Document

pytestmark = pytest.mark.unit

ROOT = Path(settings.BASE_DIR)
NAMED = re.compile(r"(?:[`(]|\s)((?:[\w.-]+/)+[\w.-]+\.(?:py|sh|yml|yaml|md|json|conf))\b")


@pytest.mark.parametrize(
    "document", [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], ids=lambda path: path.name
)
def test_files_that_a_document_names_exist(document):
    named = {name for name in NAMED.findall(document.read_text()) if "NAME" not in name}
    places = (ROOT, document.parent)
    missing = {name for name in named if not any((place / name).exists() for place in places)}
    assert not missing


# By its first words, the test or the check that runs a command of the documents.
RUN_BY = {
    "promtool check": "Makefile",
    "promtool test": "tests/unit/aiservice/test_alerts.py",
    "make secrets": "tests/unit/aiservice/test_deploy.py",
    "age-keygen": "tests/integration/aiservice/test_backup.py",
    "export ENVIRONMENT": "tests/integration/aiservice/test_service.py",
    "python manage.py check": "Makefile",
    "python manage.py migrate": "tests/unit/aiservice/test_docs.py",
    "HOST=127.0.0.1 PORT=8000 python": "tests/integration/aiservice/test_service.py",
    "python manage.py run_schedule": "tests/unit/aiservice/test_schedule.py",
    "python manage.py reconcile_usage": "tests/unit/usage/test_reconciliation.py",
    "python manage.py erase_usage": "tests/unit/usage/test_rollup.py",
}
UNRUN = re.compile(r"\((?:engine|by hand)\)")
COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)


@pytest.mark.parametrize(
    "document", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.name
)
def test_every_command_is_run_somewhere_or_says_why_not(document):
    for command in COMMAND.findall(document.read_text()):
        if not UNRUN.search(command):
            where = [place for words, place in RUN_BY.items() if command.startswith(words)]
            assert where, command
            assert (ROOT / where[0]).exists()


def test_what_a_server_needs_before_it_serves_is_prepared_as_documented(db, settings, tmp_path):
    """`migrate` has run for every test of the database."""
    settings.STATIC_ROOT = tmp_path
    call_command("load_knowledge", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    assert Document.objects.filter(slug="nc-anular-factura").exists()
    assert list(tmp_path.glob("chat/js/app*.js"))
