"""The list of validations: filters, search, files, and where a call came from."""

import csv
import io
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync
from django.db import connection
from django.test.utils import CaptureQueriesContext
from model_bakery import baker

from dte.models import RaisedCode, Validation
from usage.models import ApiKey, UsageRecord

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

LIST = "/admin/dte/validation/"


@pytest.fixture
def acme():
    return ApiKey.objects.issue(name="acme")[0]


def validation(key, folio="1", **fields):
    return Validation.objects.create(
        **{
            "api_key": key, "mode": "emission", "form": "xml", "digest": "0" * 64, "tipo": 33,
            "folio": folio, "issuer": "76192083-9", "receiver": "77777777-7", "total": Decimal(1190),
            "recommendation": "send", "confidence": 90,
        }
        | fields
    )  # fmt: skip


def listed(page):
    return [row.pk for row in page.context["cl"].result_list]


@pytest.mark.parametrize(
    ("term", "folios"),
    [("7", ["7"]), ("76.192.083-9", ["8", "7"]), ("77777777-7", ["8", "7"]), ("123456", ["8"]),
     ("nada", []), ("\x00", ["8", "7"])],
)  # fmt: skip
def test_a_validation_is_found_by_what_names_it(admin_client, acme, term, folios):
    validation(acme, "7")
    validation(acme, "8", track_id="123456")
    page = admin_client.get(LIST, {"q": term})
    assert page.status_code in (200, 302)
    if page.status_code == 200:
        assert [row.folio for row in page.context["cl"].result_list] == folios


def test_a_validation_is_found_by_its_identifier(admin_client, acme):
    wanted = validation(acme)
    validation(acme)
    assert listed(admin_client.get(LIST, {"q": str(wanted.pk)})) == [wanted.pk]


@pytest.mark.parametrize(
    "params",
    [
        {"kind": "DTE"}, {"kind": "CAF"}, {"recommendation__exact": "send"}, {"outcome__exact": "rejected"},
        {"mode__exact": "emission"}, {"tipo": "33"}, {"tipo": "x"}, {"regla": "TOT-01"},
        {"created_at_from": "01-01-2026"},
    ],
)  # fmt: skip
def test_every_filter_answers_and_counts_nothing(admin_client, acme, params):
    one = validation(acme)
    RaisedCode.objects.create(validation=one, code="TOT-01", severity="warn")
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(LIST, params)
    assert page.status_code in (200, 302)
    assert not [q for q in queries if "DISTINCT" in q["sql"] or "COUNT(" in q["sql"]]


def test_validations_are_taken_along_as_they_are_filtered(admin_client, acme):
    async def read():
        return b"".join([part async for part in response.streaming_content])

    record = baker.make(
        UsageRecord, api_key=acme, operation="dte.review", price=None, cost_usd="0.000000000003"
    )
    validation(acme, "=7", tipo=61, usage=record, total=Decimal("1190.5"))
    validation(acme, "8")
    response = admin_client.get(f"{LIST}export/csv/", {"tipo": "61"})
    rows = list(csv.DictReader(io.StringIO(async_to_sync(read)().decode("utf-8-sig"))))
    assert [(r["folio"], r["costo_usd"], r["total"]) for r in rows] == [
        ("'=7", "0.000000000003", "1190.5000")
    ]


def test_a_call_leads_to_its_validation_and_back(admin_client, acme):
    record = baker.make(UsageRecord, api_key=acme, operation="dte.review", price=None)
    found = validation(acme, usage=record)
    ledger = "/admin/usage/usagerecord/"
    assert listed(admin_client.get(ledger, {"q": str(found.pk)})) == [record.pk]
    page = admin_client.get(f"{ledger}{record.pk}/change/").content.decode()
    assert f"{LIST}{found.pk}/change/" in page
