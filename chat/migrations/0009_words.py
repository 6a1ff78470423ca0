from django.db import migrations

from chat.words import INDEX, INDEX_SQL


def make(apps, schema_editor):
    """Index the words of messages where the database knows any."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(INDEX_SQL)


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(f"DROP INDEX IF EXISTS {INDEX}")


class Migration(migrations.Migration):
    atomic = False  # concurrently, while the service goes on writing

    dependencies = [("chat", "0008_lists")]

    operations = [migrations.RunPython(make, drop)]
