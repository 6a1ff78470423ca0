"""The list of a key's validations: whose they are, which, in what order, at what price."""

import json
from base64 import b64encode
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dte.models import RaisedCode, Validation
from tests.documents import document
from usage.models import ApiKey

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("dte.urls")]

PATH = "/api/dte/validations"
NOON = datetime(2026, 3, 2, 12, tzinfo=ZoneInfo("America/Santiago"))


def keep(api_key, number=1, **fields):
    """Store one answer; each is a minute older than the one before."""
    fields = {
        "tipo": 33,
        "folio": str(number),
        "issuer": "76192083-9",
        "receiver": "77120455-4",
        "recommendation": "send",
        "mode": "emission",
        "confidence": 95,
        "created_at": NOON - timedelta(minutes=number),
        "summary": {"type": 33, "folio": str(number)},
        **fields,
    }
    return Validation.objects.create(api_key=api_key, **fields)


def listed(client, **query):
    answer = client.get(PATH, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def folios(page):
    return [row["document"]["folio"] for row in page["results"]]


def test_a_row_says_what_was_judged_and_where_the_whole_answer_is(api_client):
    body = document(33, {"Encabezado/Totales/IVA": "1", "Encabezado/Emisor/RUTEmisor": "1-1"})
    query = {"ai": "never", "as_of": "2026-03-02T12:00:00-03:00"}
    answer = api_client.post(
        "/api/dte/validate", json.dumps(body), content_type="application/json", query_params=query
    ).json()
    (row,) = listed(api_client)["results"]
    assert row["id"] == answer["id"]
    assert row["recommendation"] == "reject"
    assert row["document"] == answer["document"]
    assert row["codes"] == list(dict.fromkeys(found["code"] for found in answer["findings"]))
    assert row["outcome"] is None
    assert api_client.get(row["url"]).json()["id"] == row["id"]


def test_another_key_has_another_list(api_client, api_key):
    keep(ApiKey.objects.issue(name="stranger")[0])
    assert listed(api_client) == {"next": None, "previous": None, "results": []}


def test_without_a_key_there_is_no_list(client):
    assert client.get(PATH).status_code == 401


def test_pages_follow_each_other_and_stay_put_while_more_arrive(api_client, api_key):
    for number in range(1, 6):
        keep(api_key[0], number)
    first = listed(api_client, page_size=2)
    assert folios(first) == ["1", "2"]
    keep(api_key[0], 0)
    second = api_client.get(first["next"]).json()
    assert folios(second) == ["3", "4"]
    assert folios(api_client.get(second["next"]).json()) == ["5"]
    assert folios(api_client.get(second["previous"]).json()) == ["1", "2"]


def test_documents_of_one_moment_are_each_listed_once(api_client, api_key):
    for number in range(1, 8):
        keep(api_key[0], number, created_at=NOON)
    page, found = listed(api_client, page_size=2), []
    while True:
        found += folios(page)
        if page["next"] is None:
            break
        page = api_client.get(page["next"]).json()
    assert sorted(found) == list("1234567")


@pytest.mark.parametrize(
    "query",
    [
        {"recommendation": "reject"},
        {"tipo": 61},
        {"folio": "2"},
        {"emisor": "77.120.455-4"},
        {"receptor": "1-9"},
        {"outcome": "rejected"},
        {"tipo": 61, "outcome": "rejected", "desde": "2026-03-01"},
    ],
)
def test_a_filter_leaves_what_it_names(api_client, api_key, query):
    keep(api_key[0], 1)
    keep(
        api_key[0],
        2,
        tipo=61,
        recommendation="reject",
        issuer="77120455-4",
        receiver="1-9",
        outcome="rejected",
    )
    assert folios(listed(api_client, **query)) == ["2"]


def test_days_are_those_of_chile_and_both_are_inside(api_client, api_key):
    for folio, hour, day in (("a", 23, 1), ("b", 0, 2), ("c", 23, 2), ("d", 0, 3)):
        moment = datetime(2026, 3, day, hour, 30, tzinfo=ZoneInfo("America/Santiago"))
        keep(api_key[0], summary={"folio": folio}, created_at=moment)
    assert folios(listed(api_client, desde="2026-03-02", hasta="2026-03-02")) == ["c", "b"]
    assert folios(listed(api_client, desde="2026-03-02")) == ["d", "c", "b"]
    assert folios(listed(api_client, hasta="2026-03-01")) == ["a"]


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"recommendation": "maybe"}, "recommendation"),
        ({"tipo": "factura"}, "tipo"),
        ({"tipo": "99999999999999999999"}, "tipo"),
        ({"folio": "1" * 21}, "folio"),
        ({"folio": "1\x00"}, "folio"),
        ({"emisor": "Molinos"}, "emisor"),
        ({"receptor": "76192083"}, "receptor"),
        ({"desde": "ayer"}, "desde"),
        ({"hasta": "9999-12-31"}, "hasta"),
        ({"desde": "2026-03-02", "hasta": "2026-03-01"}, "hasta"),
        ({"outcome": "lost"}, "outcome"),
        ({"page_size": "0"}, "page_size"),
        ({"page_size": "201"}, "page_size"),
    ],
)
def test_a_wrong_filter_is_named(api_client, query, name):
    answer = api_client.get(PATH, query)
    assert answer.status_code == 400
    body = answer.json()
    assert body["code"] == "invalid"
    assert list(body["errors"]) == [name]


@pytest.mark.parametrize("inside", ["p=x", "p=2026-13-45", "p=0001-01-01+00:00:00", "o=-1", "r=x"])
def test_a_cursor_that_nobody_gave_is_no_page(api_client, inside):
    for cursor in (inside, b64encode(inside.encode()).decode()):
        answer = api_client.get(PATH, {"cursor": cursor})
        assert answer.status_code == 404
        assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("rows", [1, 30])
def test_a_page_takes_as_many_queries_whatever_its_length(
    api_client, api_key, rows, django_assert_num_queries
):
    for number in range(rows):
        raised = keep(api_key[0], number)
        RaisedCode.objects.create(validation=raised, code="TOT-04", severity="review")
    api_client.get(PATH, {"page_size": 1})  # the key's last use is noted once
    with django_assert_num_queries(3):  # the key, the page, its codes
        assert len(listed(api_client, page_size=50)["results"]) == rows
