from django.db import migrations

INDEX = "chat_message_words"
INDEX_SQL = (
    f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {INDEX} ON chat_message USING gin "
    "(to_tsvector('spanish'::regconfig, COALESCE(LEFT(content, 100000), '')))"
)


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
