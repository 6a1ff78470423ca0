"""Indexes on tables of millions of rows, made by migrations while the service goes on writing."""

from django.contrib.postgres.operations import AddIndexConcurrently as OnPostgres
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import ProjectState


class AddIndexConcurrently(OnPostgres):
    """PostgreSQL's, on PostgreSQL; elsewhere the ordinary one. The migration is not ``atomic``."""

    def database_forwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Make the index."""
        made = OnPostgres if _has_it(schema_editor) else migrations.AddIndex
        made.database_forwards(self, app_label, schema_editor, from_state, to_state)

    def database_backwards(
        self,
        app_label: str,
        schema_editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        """Drop the index."""
        made = OnPostgres if _has_it(schema_editor) else migrations.AddIndex
        made.database_backwards(self, app_label, schema_editor, from_state, to_state)


def _has_it(schema_editor: BaseDatabaseSchemaEditor) -> bool:
    return bool(schema_editor.connection.vendor == "postgresql")
