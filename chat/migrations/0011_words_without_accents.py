from django.db import migrations

FOLDED = (
    "pg_catalog.translate({text}, 'áéíóúàèìòùäëïöüâêîôûñçÁÉÍÓÚÀÈÌÒÙÄËÏÖÜÂÊÎÔÛÑÇ', "
    "'aeiouaeiouaeiouaeiouncaeiouaeiouaeiouaeiounc')"
)
FOLD = f"""
CREATE OR REPLACE FUNCTION chat_folded(content text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $body$
    SELECT pg_catalog.lower({FOLDED.format(text="content")})
$body$
"""
# It does not call the other one: what a dump restores is read without a search path.
WORDS = """
CREATE OR REPLACE FUNCTION chat_words(content text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE COST 10000 AS $body$
BEGIN
    -- PostgreSQL indexes no more than a megabyte of words; nobody writes so much, but a machine may.
    RETURN pg_catalog.to_tsvector('pg_catalog.spanish'::regconfig, {text});
END
$body$
"""
BEGINNING = "pg_catalog.left(content, 100000)"


def make(apps, schema_editor):
    """Index the words of messages as people type them, without accents."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FOLD)
        schema_editor.execute(WORDS.format(text=FOLDED.format(text=BEGINNING)))
        build(schema_editor, "chat_message_folded", instead_of="chat_message_said")


def drop(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(WORDS.format(text=BEGINNING))
        build(schema_editor, "chat_message_said", instead_of="chat_message_folded")
        schema_editor.execute("DROP FUNCTION IF EXISTS chat_folded(text)")


def build(schema_editor, name, *, instead_of):
    # What a migration that was cut off left under this name is no index.
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
    schema_editor.execute(
        f"CREATE INDEX CONCURRENTLY {name} ON chat_message USING gin (chat_words(content))"
    )
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {instead_of}")
    schema_editor.execute("ANALYZE chat_message")


class Migration(migrations.Migration):
    atomic = False  # concurrently, while the service goes on writing

    dependencies = [("chat", "0010_words_at_their_price")]

    operations = [migrations.RunPython(make, drop)]
