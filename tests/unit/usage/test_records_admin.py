"""The ledger's list: pages by position, filters, search, totals without a scan, files."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import openpyxl
import pytest
from asgiref.sync import async_to_sync
from django.contrib import admin
from django.db import connection
from django.test.utils import CaptureQueriesContext

from usage.accounting import prices
from usage.admin.exports import MOST_IN_WORKBOOK, as_csv, by_row
from usage.admin.pieces import copied
from usage.admin.records import UsageRecordAdmin
from usage.models import ApiKey, ModelPrice, UsageRecord
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

LIST = "/admin/usage/usagerecord/"
NOON = datetime(2026, 11, 20, 15, tzinfo=UTC)


def record(key, minutes=0, usage=None, geo="", **fields):
    usage = usage or TokenUsage(input_tokens=100, output_tokens=7)
    price = ModelPrice.objects.current("claude-sonnet-5-5", NOON.date())
    return UsageRecord(
        **{
            "api_key": key, "operation": "chat.reply", "model": price.model, "price": price,
            "state": "settled", "outcome": "answered", "settled_at": NOON,
            "started_at": NOON + timedelta(minutes=minutes), "inference_geo": geo,
            "cost_usd": prices.cost(usage, price, inference_geo=geo), "total_tokens": usage.total,
            "input_tokens": usage.input_tokens, "output_tokens": usage.output_tokens,
            "cache_read_tokens": usage.cache_read_tokens,
        }
        | fields
    )  # fmt: skip


def records(key, number, **fields):
    return UsageRecord.objects.bulk_create(record(key, minutes=n, **fields) for n in range(number))


@pytest.fixture
def acme():
    return ApiKey.objects.issue(name="acme")[0]


def listed(page):
    return [row.pk for row in page.context["cl"].result_list]


def export(client, kind="csv", **params):
    response = client.get(f"{LIST}export/{kind}/", params)
    assert response.status_code == 200
    return response


def rows_of(client, **params):
    async def read():
        return b"".join([part async for part in response.streaming_content])

    response = export(client, **params)
    return list(csv.DictReader(io.StringIO(async_to_sync(read)().decode("utf-8-sig"))))


def test_pages_go_on_from_where_the_one_before_ended(admin_client, acme):
    made = [row.pk for row in reversed(records(acme, 120))]
    url, seen = LIST, []
    while url:
        page = admin_client.get(url)
        seen += listed(page)
        records(acme, 1)  # what arrives meanwhile moves no page
        url = page.context["cl"].older
    assert [pk for pk in seen if pk in made] == made
    assert len(seen) == len(set(seen))
    back = admin_client.get(page.context["cl"].newer)
    assert set(listed(back)) <= set(seen)


def test_rows_of_one_moment_are_all_shown(admin_client, acme):
    made = UsageRecord.objects.bulk_create(record(acme) for _ in range(70))
    first = admin_client.get(LIST)
    second = admin_client.get(first.context["cl"].older)
    assert {*listed(first), *listed(second)} == {row.pk for row in made}


def test_nothing_is_counted_and_the_ledger_is_not_added_up(admin_client, acme):
    records(acme, 60)
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(LIST)
    ledger = [q["sql"] for q in queries if 'FROM "usage_usagerecord"' in q["sql"]]
    assert not [sql for sql in ledger if "COUNT(" in sql or "SUM(" in sql or "DISTINCT" in sql]
    assert page.context["totals"]["calls"] == 60


@pytest.mark.parametrize(
    "cursor", ["x", "bz0x", "cD1heWVy", "\x00", "cD0yMDI2LTExLTIwKzE1JTNBMDA="]
)
def test_a_made_up_position_leads_to_no_error(admin_client, acme, cursor):
    records(acme, 1)
    assert admin_client.get(LIST, {"cursor": cursor}).status_code in (200, 302)


@pytest.mark.parametrize(
    ("params", "calls"),
    [
        ({}, 5),
        ({"operation__exact": "dte.review"}, 1),
        ({"outcome__exact": "swept"}, 1),
        ({"model": "claude-haiku-5-5"}, 1),
        ({"started_at_from": "21-11-2026"}, 1),
        ({"started_at_to": "20-11-2026"}, 4),
        ({"started_at_from": "20-11-2026", "started_at_to": "20-11-2026"}, 4),
        ({"usage_complete__exact": "0"}, 1),
        ({"state__exact": "settled"}, 5),
        ({"operation__exact": "dte.review", "outcome__exact": "swept"}, 0),
    ],
)
def test_filters_and_their_totals_agree(admin_client, acme, params, calls):
    UsageRecord.objects.bulk_create(
        [
            record(acme, operation="dte.review"),
            record(acme, outcome="swept", usage_complete=False),
            record(acme, model="claude-haiku-5-5"),
            # Both around the midnight of Santiago, which is 3:00 in UTC.
            record(acme, started_at=datetime(2026, 11, 21, 2, 59, tzinfo=UTC)),
            record(acme, started_at=datetime(2026, 11, 21, 3, 0, tzinfo=UTC)),
        ]
    )
    page = admin_client.get(LIST, params)
    assert page.status_code == 200
    assert len(listed(page)) == page.context["totals"]["calls"] == calls
    rows = UsageRecord.objects.filter(pk__in=listed(page))
    assert page.context["totals"]["cost_usd"] == sum(row.cost_usd for row in rows)


def test_a_key_is_filtered_and_its_total_is_its_own(admin_client, acme):
    records(acme, 2)
    records(ApiKey.objects.issue(name="other")[0], 3)
    page = admin_client.get(LIST, {"api_key__id__exact": acme.pk})
    assert len(listed(page)) == page.context["totals"]["calls"] == 2


@pytest.mark.parametrize(
    "params",
    [
        {"api_key__id__exact": "x"},
        {"api_key__account__id__exact": "\x00"},
        {"started_at_to": "31-12-9999"},
    ],
)
def test_a_filter_that_means_nothing_or_all_answers(admin_client, acme, params):
    records(acme, 2)
    page = admin_client.get(LIST, params)
    assert page.status_code == 200
    assert len(page.context["cl"].result_list) == 2


@pytest.mark.parametrize("name", ["request_id", "provider_request_id", "provider_message_id"])
def test_search_finds_a_row_by_an_identifier(admin_client, acme, name):
    records(acme, 3)
    wanted = record(acme, **{name: "req_abc"})
    wanted.save()
    assert listed(admin_client.get(LIST, {"q": "req_abc"})) == [wanted.pk]
    assert listed(admin_client.get(LIST, {"q": str(wanted.pk)})) == [wanted.pk]
    assert listed(admin_client.get(LIST, {"q": str(wanted.call_id)})) == [wanted.pk]
    assert listed(admin_client.get(LIST, {"q": "req_abcd"})) == []


def test_the_cost_is_explained_to_the_last_digit(admin_client, acme):
    usage = TokenUsage(input_tokens=1234, output_tokens=77, cache_read_tokens=40_001)
    row = record(acme, usage=usage, geo="us")
    row.save()
    page = admin_client.get(f"{LIST}{row.pk}/change/").content.decode()
    for text in ("1.234", "40.001", "× 2,00", "= 0,002468", "× 1,1", "US$"):
        assert text in page
    exact = f"{row.cost_usd:.12f}".rstrip("0").replace(".", ",")
    assert f"US$ {exact}" in page
    assert "es una estimación" not in page


def test_an_estimate_says_so(admin_client, acme):
    row = record(acme, cost_usd=Decimal("0.5"), usage_complete=False, outcome="swept")
    row.save()
    assert "es una estimación" in admin_client.get(f"{LIST}{row.pk}/change/").content.decode()


def test_the_csv_is_what_is_filtered_to_the_last_digit(admin_client, acme, monkeypatch):
    monkeypatch.setattr("usage.admin.pieces._PIECE", 7)
    monkeypatch.setattr("usage.admin.pieces._LEAST", 7)
    records(acme, 50, cost_usd=Decimal("1234.000000000001"))
    UsageRecord.objects.bulk_create(record(acme, operation="dte.review") for _ in range(30))
    wanted = list(UsageRecord.objects.filter(operation="chat.reply").order_by("-started_at", "-id"))
    rows = rows_of(admin_client, operation__exact="chat.reply")
    assert [row["id"] for row in rows] == [str(record.pk) for record in wanted]
    for row, stored in zip(rows, wanted, strict=True):
        assert row["costo_usd"] == "1234.000000000001"
        assert datetime.fromisoformat(row["inicio"]) == stored.started_at
        assert row["clave"] == "acme"
        assert int(row["total_tokens"]) == stored.total_tokens


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "＝1"])
def test_no_cell_is_a_formula(acme, text):
    acme.name = text
    acme.save()
    records(acme, 1)
    page = UsageRecordAdmin(UsageRecord, admin.site)
    rows = UsageRecord.objects.all()
    file = b"".join(as_csv(rows, page.position, page.export_columns)).decode("utf-8-sig")
    cell = next(csv.DictReader(io.StringIO(file, newline="")))["clave"]
    assert cell == f"'{text}"


@pytest.mark.parametrize("search", [{}, {"pk__in": []}])
def test_postgresql_writes_what_python_would(acme, monkeypatch, search):
    monkeypatch.setattr("usage.admin.pieces._PIECE", 3)
    monkeypatch.setattr("usage.admin.pieces._LEAST", 3)
    acme.name = 'una "clave", de ñandú\r\nen dos líneas'
    acme.save()
    for n, texts in enumerate(
        [{}, {"error_type": "=1+1", "request_id": "＋x"}, {"stop_reason": " "}]
    ):
        records(acme, 3, cost_usd=Decimal("7.000000000001") * n, latency_ms=n or None, **texts)
        records(acme, 2, usage_complete=False, cost_usd=Decimal(90_000), model="")
    # A summer's hour, and a winter's; both without a fraction, and one of a second only.
    UsageRecord.objects.bulk_create(
        record(acme, started_at=datetime(2026, month, 9, 3, 59, 59, part, tzinfo=UTC))
        for month, part in ((1, 0), (7, 0), (7, 500_000), (7, 1))
    )
    page = UsageRecordAdmin(UsageRecord, admin.site)
    given = (UsageRecord.objects.filter(**search), page.position, page.export_columns)
    by_database, by_python = (
        list(csv.reader(io.StringIO(b"".join(lines(*given)).decode(), newline="")))
        for lines in (copied, by_row)
    )
    for rows in (by_database, by_python):
        for row in rows:
            row[0] = datetime.fromisoformat(row[0]).isoformat()
    assert by_database == by_python
    assert len(by_database) == (0 if search else 19)
    with connection.cursor() as cursor:
        cursor.execute("SHOW TimeZone")
        assert cursor.fetchone() == ("UTC",)


@pytest.mark.parametrize(("seconds", "lengths"), [(60, [2, 4, 8, 8, 1]), (0, [2] * 11 + [1])])
def test_pieces_begin_small_and_grow_while_they_are_quick(acme, monkeypatch, seconds, lengths):
    for name, value in {"_LEAST": 2, "_PIECE": 8, "_QUICK": seconds}.items():
        monkeypatch.setattr(f"usage.admin.pieces.{name}", value)
    records(acme, 23)
    page = UsageRecordAdmin(UsageRecord, admin.site)
    read = list(copied(UsageRecord.objects.all(), page.position, page.export_columns))
    assert [piece.count(b"\r\n") for piece in read] == lengths


def test_a_workbook_holds_small_sets_as_numbers_and_texts(admin_client, acme):
    acme.name = "=1+1"
    acme.save()
    records(acme, 3, cost_usd=Decimal("0.25"))
    book = openpyxl.load_workbook(io.BytesIO(export(admin_client, "xlsx").content))
    header, *rows = book.active.iter_rows()
    names = [cell.value for cell in header]
    assert len(rows) == 3
    for row in rows:
        cells = dict(zip(names, row, strict=True))
        assert cells["clave"].value == "=1+1"
        assert cells["clave"].data_type == "s"
        assert cells["costo_usd"].value == 0.25
        assert cells["inicio"].value.hour == 12


def test_a_large_set_is_no_workbook(admin_client, acme, monkeypatch):
    monkeypatch.setattr("usage.admin.exports.MOST_IN_WORKBOOK", 2)
    records(acme, 3)
    response = admin_client.get(f"{LIST}export/xlsx/", {"operation__exact": "chat.reply"})
    assert response.status_code == 302
    assert response.url == f"{LIST}?operation__exact=chat.reply"
    assert MOST_IN_WORKBOOK >= 10_000


def test_only_who_sees_the_list_may_take_it_along(client, django_user_model):
    client.force_login(django_user_model.objects.create_user("clerk", is_staff=True))
    assert client.get(f"{LIST}export/csv/").status_code == 403
