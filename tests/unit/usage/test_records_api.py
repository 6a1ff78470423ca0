"""The ledger over REST."""

from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.unit.usage.test_records_admin import record, records
from usage.models import ApiKey, UsageRecord

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

URL = "/api/usage/records"


def test_a_caller_walks_through_all_of_its_own_rows(api_client, api_key):
    made = records(api_key[0], 130)
    records(ApiKey.objects.issue(name="other")[0], 5)
    url, seen = f"{URL}?page_size=50", []
    while url:
        page = api_client.get(url).json()
        seen += [row["id"] for row in page["results"]]
        url = page["next"]
    assert seen == [str(row.pk) for row in reversed(made)]


def test_amounts_are_exact_and_nothing_is_counted(api_client, api_key):
    record(api_key[0], cost_usd=Decimal("0.000000000001")).save()
    with CaptureQueriesContext(connection) as queries:
        row = api_client.get(URL).json()["results"][0]
    assert row["cost_usd"] == "0.000000000001"
    assert row["key"] == api_key[0].prefix
    assert not [query for query in queries if "COUNT(" in query["sql"]]


@pytest.mark.parametrize(
    ("params", "found"),
    [({"operation": "dte.review"}, 1), ({"outcome": "swept"}, 0), ({"period": "today"}, 1),
     ({"period": "2026-11-20,2026-11-20"}, 2), ({"period": "0001-01-01,9999-12-31"}, 3), ({"request_id": "abc"}, 1), ({"model": "x"}, 0)],
)  # fmt: skip
def test_rows_are_filtered(api_client, api_key, params, found):
    key = api_key[0]
    UsageRecord.objects.bulk_create(
        [
            record(key, operation="dte.review"),
            record(key, request_id="abc"),
            record(key, started_at=timezone.now()),
        ]
    )
    assert len(api_client.get(URL, params).json()["results"]) == found


@pytest.mark.parametrize(
    "params",
    [{"cursor": "x"}, {"operation": "x"}, {"period": "x"}, {"outcome": "x"}, {"model": "\x00"}],
)
def test_what_means_nothing_is_refused(api_client, params):
    assert api_client.get(URL, params).status_code in (400, 404)


def test_the_summary_is_found_where_it_was_before(api_client, api_key):
    records(api_key[0], 3)
    answer = api_client.get("/metrics/costs", {"period": "all_time"}).json()
    assert answer == api_client.get("/api/usage/summary", {"period": "all_time"}).json()
    assert [(group["value"], group["name"], group["calls"]) for group in answer["by_key"]] == [
        (api_key[0].prefix, "acme", 3)
    ]


def test_costs_need_a_key(client):
    assert client.get("/metrics/costs").status_code == 401
