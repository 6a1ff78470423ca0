from django.db import migrations

FUNCTION = """
CREATE OR REPLACE FUNCTION chat_words(content text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $body$
BEGIN
    -- PostgreSQL indexes no more than a megabyte of words; nobody writes so much, but a machine may.
    RETURN pg_catalog.to_tsvector('pg_catalog.spanish'::regconfig, pg_catalog.left(content, 100000));
END
$body$
"""


def make(apps, schema_editor):
    """Index the words of messages by a function that says what it costs, and count which are frequent."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTION)
        schema_editor.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS chat_message_said ON chat_message USING gin (chat_words(content))"
        )
        schema_editor.execute("DROP INDEX CONCURRENTLY IF EXISTS chat_message_words")
        schema_editor.execute("ANALYZE chat_message")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS chat_message_said")
        schema_editor.execute("DROP FUNCTION IF EXISTS chat_words(text)")


class Migration(migrations.Migration):
    atomic = False  # concurrently, while the service goes on writing

    dependencies = [("chat", "0009_words")]

    operations = [migrations.RunPython(make, drop)]
