"""Migrations must let the version before them go on serving: judged by their SQL, on PostgreSQL.

A new column needs a default that the database itself knows (`db_default`), or must be nullable: the old
version inserts rows without it. Columns and tables are dropped and renamed one version after the code has
stopped using them. django-migration-linter's documentation lists the rest.
"""

import pytest
from django.conf import settings
from django_migration_linter import MigrationLinter

# Outside a transaction: an index that is made concurrently refuses one, even to show its SQL.
pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

# Written before the first deployment, when no version served that they could have hurt.
BEFORE_THE_FIRST_DEPLOYMENT = [
    "0002_message_rating",
    "0004_turns",
    "0005_kinds",
    "0007_sii_monitor",
    "0011_accounts",
    "0013_account_required",
    "0015_key_scopes_and_limits",
]


def lint(**options: object) -> MigrationLinter:
    linter = MigrationLinter(
        str(settings.BASE_DIR),
        include_apps=["usage", "knowledge", "dte", "chat"],
        no_cache=True,
        analyser_string="postgresql",
        **options,
    )
    linter.lint_all_migrations()
    return linter


def test_the_version_before_survives_every_migration(capsys):
    assert not lint(ignore_name=BEFORE_THE_FIRST_DEPLOYMENT).has_errors, capsys.readouterr().out


def test_a_migration_that_would_hurt_is_found(capsys):
    assert lint(include_name=["0005_kinds"]).has_errors
    assert "NOT NULL" in capsys.readouterr().out
