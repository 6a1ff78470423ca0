"""What is kept of validations, what is erased, and what the admin makes of it."""

import json
import re
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dte.history.statistics import frequent_codes, precision
from dte.models import KeyPolicy, RaisedCode, Validation
from tests.documents import DELETE, document, to_xml

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("tests.dte_urls")]

AS_OF = "2026-03-02T12:00:00-03:00"


def validate(client, doc, **query):
    query = {"as_of": AS_OF, "ai": "never", **query}
    body = doc if isinstance(doc, bytes) else json.dumps(doc)
    kind = "text/xml" if isinstance(doc, bytes) else "application/json"
    answer = client.post("/api/dte/validate", body, content_type=kind, query_params=query)
    assert answer.status_code == 200
    return answer.json()


def outcome(client, validation_id, value, **more):
    path = f"/api/dte/validations/{validation_id}/outcome"
    answer = client.post(path, {"outcome": value, **more}, format="json")
    assert answer.status_code == 200


def codes(answer):
    return {finding["code"] for finding in answer["findings"]}


def test_a_folio_that_the_sii_received_cannot_be_sent_again(api_client):
    first = validate(api_client, document(33))
    assert "FOL-04" not in codes(validate(api_client, document(33)))
    outcome(api_client, first["id"], "accepted")
    again = validate(api_client, document(33))
    assert "FOL-04" in codes(again)
    assert again["recommendation"] == "reject"


def test_what_the_sii_answered_counts_however_often_it_is_validated_again(api_client, monkeypatch):
    monkeypatch.setattr("dte.history.record._MOST_ROWS", 2)
    outcome(api_client, validate(api_client, document(33))["id"], "accepted")
    again = [validate(api_client, document(33)) for _ in range(4)]
    assert "FOL-04" in codes(again[-1])


def test_another_key_has_another_history(api_client, client):
    from usage.models import ApiKey

    outcome(api_client, validate(api_client, document(33))["id"], "accepted")
    _, secret = ApiKey.objects.issue(name="stranger")
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {secret}"
    assert "FOL-04" not in codes(validate(client, document(33)))


def test_a_document_received_twice_is_noticed(api_client):
    validate(api_client, document(33), mode="reception")
    assert "FOL-04" in codes(validate(api_client, document(33), mode="reception"))


def test_a_document_validated_to_be_sent_has_not_been_received(api_client):
    validate(api_client, document(33))
    assert "FOL-04" not in codes(validate(api_client, document(33), mode="reception"))
    validate(api_client, document(33))
    assert "FOL-04" in codes(validate(api_client, document(33), mode="reception"))


def test_the_document_is_kept_only_where_the_policy_says_so(api_client, api_key):
    raw = to_xml(document(33))
    validate(api_client, raw)
    assert Validation.objects.get().document is None
    KeyPolicy.objects.create(api_key=api_key[0], keep_documents=True)
    kept = Validation.objects.get(pk=validate(api_client, raw)["id"])
    assert kept.document is not None
    assert bytes(kept.document) in raw


def test_expired_validations_are_erased_by_the_policy_of_their_key(api_client, api_key, settings):
    settings.DTE_RETENTION_DAYS = 30
    old = validate(api_client, document(33))["id"]
    Validation.objects.filter(pk=old).update(created_at=timezone.now() - timedelta(days=20))
    validate(api_client, document(33))
    call_command("erase_validations")
    assert Validation.objects.count() == 2
    KeyPolicy.objects.create(api_key=api_key[0], retention_days=10)
    call_command("erase_validations")
    assert Validation.objects.count() == 1
    assert not RaisedCode.objects.filter(validation_id=old).exists()


def test_a_taxpayer_can_be_erased(api_client):
    validate(api_client, document(33))
    validate(api_client, document(110))
    call_command("erase_validations", rut="77.120.455-4")
    assert Validation.objects.get().tipo == 110


def test_statistics_count_codes_and_measure_verdicts(api_client):
    spoiled = document(33, {"Encabezado/Emisor/DirOrigen": DELETE})
    for _ in range(2):
        answer = validate(api_client, spoiled)
    outcome(api_client, answer["id"], "rejected", codes=["HED-3-1"])
    row = next(row for row in frequent_codes() if row["code"] == "ENC-04")
    assert (row["times"], row["refused"], row["taken"]) == (2, 1, 0)
    assert precision() == [
        {
            "recommendation": "reject",
            "label": "no enviar",
            "known": 1,
            "accepted": 0,
            "objected": 0,
            "rejected": 1,
        }
    ]


def test_the_admin_shows_findings_beside_the_document(api_client, api_key, admin_client):
    KeyPolicy.objects.create(api_key=api_key[0], keep_documents=True)
    raw = to_xml(document(33, {"Encabezado/Emisor/RznSoc": "<b>Molinos</b>"}))
    answer = validate(api_client, raw)
    page = admin_client.get(f"/admin/dte/validation/{answer['id']}/change/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "XSD-01" in text
    assert "<b>Molinos" not in text
    assert "RUTEmisor" in text
    assert {">rechazo<", ">revisar<", ">aviso<"} & set(re.findall(r">\w+<", text))
    assert not {">reject<", ">review<", ">warn<"} & set(re.findall(r">\w+<", text))
    listing = admin_client.get("/admin/dte/validation/?regla=XSD-01").content.decode()
    assert "76192083-9" in listing
    assert "XSD-01" in admin_client.get("/admin/dte/validation/estadisticas/").content.decode()


def test_a_list_in_the_admin_leaves_the_findings_where_they_are(
    api_client, admin_client, django_assert_num_queries
):
    validate(api_client, document(33))
    with CaptureQueriesContext(connection) as one:
        admin_client.get("/admin/dte/validation/")
    queries = [query["sql"] for query in one.captured_queries]
    assert not any('"findings"' in query for query in queries)
    for _ in range(3):
        validate(api_client, document(33))
    with django_assert_num_queries(len(queries) - 1):  # the codes to filter by are remembered
        admin_client.get("/admin/dte/validation/")


def test_the_admin_filters_by_type_and_links_to_no_page_that_needs_a_key(api_client, admin_client):
    answer = validate(api_client, document(33))
    for tipo, shown in (("33", 1), ("61", 0), ("x", 1), ("9" * 30, 0)):
        page = admin_client.get("/admin/dte/validation/", {"tipo": tipo})
        assert len(page.context["cl"].result_list) == shown
    page = admin_client.get(f"/admin/dte/validation/{answer['id']}/change/").content.decode()
    assert "/admin/r/" not in page


def test_the_claim_period_of_a_received_invoice_is_counted(api_client):
    open_period = validate(api_client, document(33), mode="reception")
    assert "Quedan 8 días" in " ".join(open_period["warnings"])
    late = validate(api_client, document(33), mode="reception", as_of="2026-03-20T12:00:00-03:00")
    assert "venció" in " ".join(late["warnings"])
    assert "REC-01" not in codes(validate(api_client, document(33)))


def test_a_document_for_somebody_else_is_not_ours(api_client):
    ours = validate(api_client, document(33), mode="reception", receptor="77.120.455-4")
    assert "REC-02" not in codes(ours)
    theirs = validate(api_client, document(33), mode="reception", receptor="76192083-9")
    assert "REC-02" in codes(theirs)
