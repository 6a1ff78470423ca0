"""Fill a PostgreSQL with as much as a busy installation has after a year, to see what is still fast.

    DATABASE_URL=postgres://… python -m tests.load.seed

Empties what it fills. Rows come in the order of their time, as a service writes them; keys, models and
outcomes are as unevenly used as they are in life, some hardly ever. The sums by day are made by
`usage.accounting.rollup`, as after a migration.
"""

# ruff: noqa: S608  # SQL of its own words alone

import argparse
import os
import sys
import time
from collections.abc import Callable
from typing import Any, Final

import django

DAYS: Final = 400
KEYS: Final = 40
TEXTS: Final = 5_000
_SESSION: Final = """
    SET session_replication_role = replica; SET synchronous_commit = off;
    SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'; SET timezone = 'UTC';
"""
_WORDS: Final = [
    "factura",
    "boleta",
    "folio",
    "rechazo",
    "reparo",
    "timbre",
    "firma",
    "certificado",
    "receptor",
    "emisor",
    "monto",
    "neto",
    "iva",
    "exento",
    "guía",
    "despacho",
    "nota",
    "crédito",
    "débito",
    "referencia",
    "plazo",
    "reclamo",
    "acuse",
    "cesión",
    "caf",
    "envío",
    "sobre",
    "carátula",
    "odoo",
    "compra",
    "venta",
    "registro",
    "rut",
    "giro",
    "dirección",
    "comuna",
    "fecha",
    "vencimiento",
    "pago",
    "contado",
    "detalle",
    "descuento",
    "recargo",
    "impuesto",
    "retención",
    "total",
    "redondeo",
    "esquema",
    "xml",
    "código",
    "error",
    "ayuda",
]


def main() -> None:
    """Seed, and say how long each part took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--usage", type=int, default=10_000_000)
    parser.add_argument("--validations", type=int, default=1_000_000)
    parser.add_argument("--conversations", type=int, default=200_000)
    options = parser.parse_args()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aiservice.settings")
    os.environ.setdefault("ENVIRONMENT", "development")
    os.environ.setdefault("STATE_DIR", "/tmp")  # noqa: S108  # nothing is kept there
    django.setup()
    from django.core.management import call_command
    from django.db import connection

    if connection.vendor != "postgresql":
        sys.exit("DATABASE_URL must name a PostgreSQL.")
    began = time.monotonic()
    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute(_SESSION)
    for title, step in steps(options):
        at = time.monotonic()
        step()
        print(f"{title:24} {time.monotonic() - at:7.1f} s", flush=True)
    print(f"{'all':24} {time.monotonic() - began:7.1f} s")


def steps(options: argparse.Namespace) -> list[tuple[str, Callable[[], None]]]:
    """Return what is done, in order; sessions and messages need keys and usage before them."""
    return [
        ("keys", keys),
        ("usage", lambda: usage(options.usage)),
        ("daily usage", rollup),
        ("validations", lambda: validations(options.validations, options.usage)),
        ("conversations", lambda: conversations(options.conversations, options.usage)),
        ("analyze", lambda: run("ANALYZE")),
    ]


def run(sql: str) -> None:
    """Run a statement, whose percent signs are its own."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql)


def insert(model: Any, values: dict[str, str], source: str) -> None:
    """Insert rows of SQL expressions; what is not named has the default of its field."""
    from django.db import connection

    columns: dict[str, str] = {}
    parameters: list[Any] = []
    for field in model._meta.concrete_fields:
        if field.name in values or field.attname in values:
            value = values.get(field.name) or values[field.attname]
            columns[field.column] = value.replace("%", "%%")
        elif not (field.primary_key and field.get_internal_type().endswith("AutoField")):
            columns[field.column] = "%s"
            parameters.append(field.get_db_prep_save(field.get_default(), connection))
    sql = f"INSERT INTO {model._meta.db_table} ({', '.join(columns)}) SELECT "
    sql += ", ".join(columns.values()) + " " + source.replace("%", "%%")
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


class without_indexes:  # noqa: N801  # reads as what it does
    """Drop a table's indexes for as long as it is filled, those of its constraints excepted."""

    def __init__(self, *tables: str) -> None:
        self.tables = tables

    def __enter__(self) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND NOT EXISTS"
                " (SELECT 1 FROM pg_constraint c WHERE c.conindid = indexname::regclass)",
                [list(self.tables)],
            )
            self.dropped = cursor.fetchall()
            for name, _ in self.dropped:
                cursor.execute(f'DROP INDEX "{name}"')

    def __exit__(self, *error: object) -> None:
        for _, definition in self.dropped:
            run(definition)


def keys() -> None:
    """Empty the tables, and issue the keys; one spends most, the last ones hardly anything."""
    from chat.models import Conversation, Message
    from dte.models import RaisedCode, Validation
    from usage.models import ApiKey, BudgetWindow, Correction, DailyUsage, UsageRecord

    emptied = (Message, Conversation, RaisedCode, Validation, Correction, DailyUsage, BudgetWindow)
    tables = ", ".join(model._meta.db_table for model in (*emptied, UsageRecord))
    run(f"TRUNCATE {tables} CASCADE")
    for number in range(KEYS - ApiKey.objects.filter(name__startswith="carga-").count()):
        ApiKey.objects.issue(name=f"carga-{number:02}")
    run(
        "CREATE TEMP TABLE seed_key AS SELECT row_number() OVER (ORDER BY id) - 1 AS n, k.* "
        "FROM usage_apikey k WHERE name LIKE 'carga-%'; "
        "CREATE TEMP TABLE seed_model AS SELECT row_number() OVER () - 1 AS n, p.* FROM unnest(ARRAY["
        "'claude-sonnet-5-5', 'claude-haiku-5-5', 'claude-opus-5-5', 'claude-fable-5-2']) WITH "
        "ORDINALITY m(name, o), LATERAL (SELECT * FROM usage_modelprice WHERE model = m.name "
        "ORDER BY valid_from DESC LIMIT 1) p"
    )


def usage(rows: int) -> None:
    """Write the ledger; every cost is what its tokens cost at its price."""
    from usage.models import UsageRecord

    picks = f"""
        SELECT i, now() - interval '{DAYS} days' * (1 - i::float8 / {rows})
                 - interval '1 second' * (random() * 30) AS started_at,
            floor({KEYS} * power(random(), 3))::int AS key, random() AS o, random() AS m,
            random() AS e, (random() * 3000)::int AS input, (random() * 4000)::int AS w5,
            CASE WHEN random() < .1 THEN (random() * 9000)::int ELSE 0 END AS w1,
            CASE WHEN random() < .8 THEN (random() * 30000)::int ELSE 0 END AS reads,
            (20 + random() * 900)::int AS output, random() < .05 AS us, md5(i::text) AS digest
        FROM generate_series(1, {rows}) i
    """
    rows_of = f"""
        FROM (SELECT *, CASE WHEN e < .9 THEN 'answered' WHEN e < .95 THEN 'cached'
                WHEN e < .97 THEN 'cut' WHEN e < .985 THEN 'timeout' WHEN e < .995 THEN 'failed'
                WHEN e < .9995 THEN 'rejected' WHEN e < .9999 THEN 'refused' ELSE 'swept' END AS ended,
              CASE WHEN m < .7 THEN 0 WHEN m < .97 THEN 1 WHEN m < .9998 THEN 2 ELSE 3 END AS model_n
              FROM ({picks}) picked OFFSET 0) d
        JOIN seed_key k ON k.n = d.key JOIN seed_model p ON p.n = d.model_n
    """
    tokens = {"input": "input", "cache_write_5m": "w5", "cache_write_1h": "w1",
              "cache_read": "reads", "output": "output"}  # fmt: skip
    billed = "d.ended <> 'cached'"
    classes = {f"{name}_tokens": f"CASE WHEN {billed} THEN d.{column} ELSE 0 END"
               for name, column in tokens.items()}  # fmt: skip
    price = " + ".join(f"d.{column} * p.{name}" for name, column in tokens.items())
    values = {
        # One after the other, for the index's sake: ten million at random places take minutes more.
        "id": "(to_hex(1000000000 + i) || substr(d.digest, 9))::uuid",
        "call_id": "d.digest::uuid",
        "api_key_id": "k.id",
        "operation": "CASE WHEN o < .55 THEN 'chat.reply' WHEN o < .95 THEN 'dte.review' "
        "WHEN o < .9997 THEN 'dte.match_po' ELSE 'sii.notice' END",
        "model": "p.model",
        "price_id": "p.id",
        "state": "'settled'",
        "outcome": "d.ended",
        "started_at": "d.started_at",
        "settled_at": "d.started_at + interval '4 seconds'",
        "latency_ms": "(800 + random() * 9000)::int",
        "first_token_ms": "(300 + random() * 2000)::int",
        **classes,
        "total_tokens": " + ".join(classes.values()),
        "usage_complete": "d.ended <> 'swept'",
        "inference_geo": "CASE WHEN d.us THEN 'us' ELSE '' END",
        "cost_usd": f"CASE WHEN {billed} THEN ({price}) * 1000000 * "
        "CASE WHEN d.us THEN 1.1 ELSE 1 END ELSE 0 END",
        "request_id": "reverse(d.digest)",
        "provider_request_id": "'req_' || d.digest",
        "provider_message_id": "'msg_' || d.digest",
    }
    with without_indexes("usage_usagerecord"):
        insert(UsageRecord, values, rows_of)
    run(
        f"CREATE TEMP TABLE seed_usage AS SELECT row_number() OVER () AS n, id, api_key_id, operation"
        f" FROM usage_usagerecord TABLESAMPLE SYSTEM ({min(100, 100 * 2_000_000 / max(rows, 1)):.3f});"
        " CREATE INDEX ON seed_usage (n); ANALYZE seed_usage"
    )


def rollup() -> None:
    """Add up the ledger by day, with the service's own statement."""
    from usage.accounting import rollup as daily

    daily.rebuild()


def validations(rows: int, usage_rows: int) -> None:
    """Write validations and the codes they raised; every third was reviewed by the model."""
    from dte.models import RaisedCode, Validation

    finding = (
        "jsonb_build_array(jsonb_build_object('code', code, 'severity', severity, 'path', "
        "'Encabezado/Totales/MntTotal', 'line', 31, 'message', 'El monto total no es la suma de neto, "
        "exento e IVA.', 'fix', 'Revise los totales.', 'source', 'Formato DTE v2.2, Totales', "
        "'values', '{}'::jsonb))"
    )
    source = f"""
        FROM (SELECT i, random() AS v, random() AS a, floor({KEYS} * power(random(), 3))::int AS key,
                (ARRAY[33, 39, 61, 52, 34, 56, 110])[1 + floor(7 * power(random(), 4))::int] AS tipo,
                'DTE' || lpad((1 + floor(170 * power(random(), 3)))::int::text, 3, '0') AS code,
                (1000 + random() * 900000)::bigint AS total,
                (76000000 + (random() * 900000)::int) || '-' || (i % 10) AS issuer,
                (77000000 + (random() * 900000)::int) || '-' || (i % 10) AS receiver,
                CASE WHEN random() < .33 THEN 1 + floor(random() * (SELECT max(n) FROM seed_usage))::int
                  END AS usage_n,
                now() - interval '{DAYS} days' * (1 - i::float8 / {rows}) AS at
              FROM generate_series(1, {rows}) i OFFSET 0) d
        CROSS JOIN LATERAL (SELECT CASE WHEN v < .7 THEN 'send' WHEN v < .9 THEN 'review'
              ELSE 'reject' END AS said, CASE WHEN v < .9 THEN 'warn' ELSE 'reject' END AS severity) s
        JOIN seed_key k ON k.n = d.key LEFT JOIN seed_usage u ON u.n = d.usage_n
    """
    accepted = (
        "CASE WHEN a < .6 THEN 'accepted' WHEN a < .65 THEN 'objected' WHEN a < .7 THEN 'rejected'"
    )
    values = {
        "id": "gen_random_uuid()",
        "created_at": "d.at",
        "api_key_id": "k.id",
        "usage_id": "u.id",
        "kind": "CASE WHEN a < .9999 THEN 'DTE' ELSE 'CAF' END",
        "mode": "CASE WHEN d.i % 5 = 0 THEN 'reception' ELSE 'emission' END",
        "form": "'xml'",
        "digest": "md5(d.i::text) || md5(d.key::text)",
        "tipo": "d.tipo",
        "folio": "(1 + d.i / 3)::text",
        "issuer": "d.issuer",
        "receiver": "d.receiver",
        "total": "d.total",
        "track_id": "CASE WHEN d.i % 4 = 0 THEN (5000000000 + d.i)::text ELSE '' END",
        "summary": "jsonb_build_object('type', d.tipo, 'type_name', 'Factura electrónica', 'folio', "
        "(1 + d.i / 3)::text, 'issuer', jsonb_build_object('rut', d.issuer, 'name', 'Emisora SpA'), "
        "'receiver', jsonb_build_object('rut', d.receiver, 'name', 'Receptora Ltda.'), "
        "'total', d.total)",
        "recommendation": "s.said",
        "confidence": "(70 + random() * 30)::int",
        "findings": f"CASE WHEN v < .5 THEN '[]'::jsonb ELSE {finding} END",
        "outcome": f"{accepted} WHEN a < .7001 THEN 'annulled' ELSE '' END",
        "outcome_at": "CASE WHEN a < .7001 THEN d.at + interval '1 hour' END",
    }
    with without_indexes("dte_validation", "dte_raisedcode"):
        insert(Validation, values, source)
        insert(
            RaisedCode,
            {"validation_id": "v.id", "code": "f ->> 'code'", "severity": "f ->> 'severity'"},
            "FROM dte_validation v, jsonb_array_elements(v.findings) f",
        )


def conversations(rows: int, usage_rows: int) -> None:
    """Write conversations of six messages, and one of six thousand."""
    from chat.models import Conversation, Message

    words = "ARRAY[" + ", ".join(f"'{word}'" for word in _WORDS) + "]"
    run(
        f"CREATE TEMP TABLE seed_text AS SELECT t AS n, string_agg(({words})[1 + floor({len(_WORDS)} * "
        f"power(random(), 2))::int], ' ') AS content FROM generate_series(0, {TEXTS} - 1) t, "
        "generate_series(1, 70) w GROUP BY t; CREATE INDEX ON seed_text (n)"
    )
    specialists = "ARRAY['l10n_cl_dte', 'account', 'sale', 'purchase', 'stock', 'general']"
    with without_indexes("chat_conversation", "chat_message"):
        insert(
            Conversation,
            {
                "session_id": "'sesion-' || i",
                "api_key_id": "k.id",
                "specialist": f"({specialists})[1 + floor(6 * power(random(), 2))::int]",
                "user_context": "'{}'::jsonb",
                "created_at": f"now() - interval '{DAYS} days' * (1 - i::float8 / {rows})",
                "updated_at": f"now() - interval '{DAYS} days' * (1 - i::float8 / {rows})"
                " + interval '20 minutes'",
            },
            f"FROM (SELECT i, floor({KEYS} * power(random(), 3))::int AS key FROM "
            f"generate_series(1, {rows}) i OFFSET 0) d JOIN seed_key k ON k.n = d.key ORDER BY i",
        )
        shared = {
            "conversation_id": "conversation",
            "created_at": "at",
            "content": "content || ' n' || question",
        }
        # A question has an odd number, and its answer the next one.
        turns = f"""
            FROM (SELECT c.id AS conversation, c.created_at + interval '3 minutes' * t AS at,
                    2 * (row_number() OVER (ORDER BY c.id, t)) - 1 AS question, c.specialist,
                    floor(random() * {TEXTS})::int AS text, random() AS r,
                    1 + floor(random() * (SELECT max(n) FROM seed_usage))::int AS usage_n
                  FROM chat_conversation c, generate_series(1, 3 + CASE WHEN c.id =
                    (SELECT max(id) FROM chat_conversation) THEN 2997 ELSE 0 END) t OFFSET 0) q
            JOIN seed_text x ON x.n = q.text
        """
        insert(
            Message, {**shared, "id": "question", "role": "'user'"}, turns + " ORDER BY question"
        )
        insert(
            Message,
            {
                **shared,
                "id": "question + 1",
                "role": "'assistant'",
                "reply_to_id": "question",
                "usage_id": "u.id",
                "specialist": "specialist",
                "llm_used": "CASE WHEN r < .9 THEN 'anthropic' ELSE 'offline' END",
                "rating": "CASE WHEN r < .001 THEN 'down' WHEN r < .01 THEN 'up' ELSE '' END",
                "cut": "r BETWEEN .5 AND .501",
                "confidence": "r",
            },
            turns.replace("JOIN seed_text", "JOIN seed_usage u ON u.n = q.usage_n JOIN seed_text")
            + " ORDER BY question",
        )
        for table in ("chat_message", "chat_conversation"):
            run(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}")


if __name__ == "__main__":
    main()
