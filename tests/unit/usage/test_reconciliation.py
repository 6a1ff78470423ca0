"""The ledger beside made exports of the provider, in both of its forms."""

import csv
import io
import json
from datetime import UTC, datetime

import pytest
from django.core.management import CommandError, call_command

from tests.unit.usage.test_records_admin import record
from usage.models import ApiKey, UsageRecord
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

CONSOLE = (
    "usage_date_utc,model_version,api_key,workspace,usage_type,context_window,"
    "usage_input_tokens_no_cache,usage_input_tokens_cache_write_5m,usage_input_tokens_cache_write_1h,"
    "usage_input_tokens_cache_read,usage_output_tokens,web_search_count,inference_geo,speed\n"
)


def line(day, tokens, model="claude-sonnet-5-5", key="produccion"):
    return f"{day},{model},{key},Default,standard,≤ 200k,{','.join(map(str, tokens))},0,not_available,\n"


@pytest.fixture
def ledger(db):
    key = ApiKey.objects.issue(name="acme")[0]
    usage = TokenUsage(input_tokens=100, cache_read_tokens=40, output_tokens=7)
    UsageRecord.objects.bulk_create(
        [
            # Either side of the midnight of UTC, on one day of Santiago.
            record(key, usage=usage, started_at=datetime(2026, 11, 20, 23, 59, tzinfo=UTC)),
            record(key, usage=usage, started_at=datetime(2026, 11, 21, 0, 1, tzinfo=UTC)),
            record(key, usage=usage, started_at=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
                   usage_complete=False, outcome="swept"),
            record(key, usage=TokenUsage(), model="", price=None, outcome="offline",
                   started_at=datetime(2026, 11, 21, 9, 0, tzinfo=UTC)),
        ]
    )  # fmt: skip


def reconcile(tmp_path, text, **options):
    path = tmp_path / "export"
    path.write_text(text, encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    try:
        call_command("reconcile_usage", path, stdout=out, stderr=err, **options)
    except SystemExit as exc:
        code = exc.code
    return code, list(csv.DictReader(io.StringIO(out.getvalue()))), err.getvalue()


def report(*buckets):
    return {
        "data": [
            {
                "starting_at": f"{at}:00Z", "ending_at": f"{at}:00Z",
                "results": [
                    {
                        "uncached_input_tokens": tokens[0],
                        "cache_creation": {
                            "ephemeral_5m_input_tokens": tokens[1], "ephemeral_1h_input_tokens": tokens[2],
                        },
                        "cache_read_input_tokens": tokens[3], "output_tokens": tokens[4],
                        "model": "claude-sonnet-5-5-20260928", "api_key_id": "apikey_1",
                    }
                ],
            }
            for at, tokens in buckets
        ],
        "has_more": False, "next_page": None,
    }  # fmt: skip


def test_the_same_in_both_leaves_no_difference(ledger, tmp_path):
    same = line("2026-11-20", (100, 0, 0, 40, 7)) + line("2026-11-21", (200, 0, 0, 80, 14))
    code, rows, said = reconcile(tmp_path, CONSOLE + same)
    assert (code, rows) == (0, [])
    assert "sin diferencias" in said


def test_every_difference_is_listed_with_what_it_costs(ledger, tmp_path):
    text = (
        CONSOLE
        + line("2026-11-20", (150, 0, 0, 40, 7))
        + line("2026-11-21", (200, 0, 0, 80, 4), model="claude-sonnet-5-5")
        + line("2026-11-21", (0, 0, 30, 0, 1), model="claude-otro-9")
    )
    code, rows, said = reconcile(tmp_path, text)
    assert code == 1
    assert "4 diferencias" in said
    assert [tuple(row.values()) for row in rows] == [
        ("2026-11-20", "claude-sonnet-5-5", "input_tokens", "100", "150", "50", "0.0001", "0"),
        ("2026-11-21", "claude-otro-9", "cache_write_1h_tokens", "0", "30", "30", "", "0"),
        ("2026-11-21", "claude-otro-9", "output_tokens", "0", "1", "1", "", "0"),
        ("2026-11-21", "claude-sonnet-5-5", "output_tokens", "14", "4", "-10", "-0.0001", "1"),
    ]


def test_a_day_that_only_the_ledger_has_is_a_difference(ledger, tmp_path):
    text = CONSOLE + line("2026-11-19", (0, 0, 0, 0, 0)) + line("2026-11-21", (200, 0, 0, 80, 14))
    code, rows, _ = reconcile(tmp_path, text)
    assert code == 1
    assert {(row["dia_utc"], row["proveedor"]) for row in rows} == {("2026-11-20", "0")}


def test_the_usage_report_is_read_by_the_hour_and_in_pages(ledger, tmp_path):
    pages = [
        report(("2026-11-20T23:00", (100, 0, 0, 40, 7)), ("2026-11-21T00:00", (100, 0, 0, 40, 7))),
        report(("2026-11-21T09:00", (100, 0, 0, 40, 7))),
    ]
    assert reconcile(tmp_path, json.dumps(pages))[0] == 0
    assert reconcile(tmp_path, json.dumps(pages[0]))[0] == 1


def test_other_keys_of_the_provider_are_left_out(ledger, tmp_path):
    text = (
        CONSOLE
        + line("2026-11-20", (100, 0, 0, 40, 7))
        + line("2026-11-21", (200, 0, 0, 80, 14))
        + line("2026-11-21", (999, 0, 0, 0, 999), key="otro sistema")
    )
    assert reconcile(tmp_path, text)[0] == 1
    assert reconcile(tmp_path, text, api_key="produccion")[0] == 0


@pytest.mark.parametrize(
    "text",
    ["", "a,b\n1,2\n", "{}", "[1]", '{"data": [{"results": 3}]}', CONSOLE + "x,y\n", "{",
     CONSOLE, json.dumps({"data": [{"starting_at": "2026-11-20T00:00:00Z", "results": [{"model": None}]}]})],
)  # fmt: skip
def test_what_is_no_export_is_refused_in_words(ledger, tmp_path, text):
    with pytest.raises(CommandError):
        reconcile(tmp_path, text)
