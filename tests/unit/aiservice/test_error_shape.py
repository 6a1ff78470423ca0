"""Whatever is wrong with a request, and wherever it is noticed, the answer has the one shape of errors."""

import json

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

pytestmark = pytest.mark.unit


def code(response, status):
    assert response.status_code == status
    body = response.json()
    assert body["detail"]
    return body["code"]


@pytest.mark.parametrize("path", ["/", "/api/docs/", "/metrics"])
@pytest.mark.parametrize("method", ["OPTIONS", "TRACE"])
def test_method_that_a_page_does_not_have(client, path, method):
    refused = client.generic(method, path)
    assert code(refused, 405) == "method_not_allowed"
    assert refused.headers["Allow"].startswith("GET")


def test_form_of_another_site():
    assert code(Client(enforce_csrf_checks=True).post("/"), 403) == "csrf_failed"


FORM = b'--x\r\nContent-Disposition: form-data; name="a"; filename="a.xml"\r\n\r\n<x/>\r\n--x--\r\n'


@pytest.mark.django_db
@pytest.mark.parametrize("charset", ["zlib", "rot13", "idna", "undefined", "nobody-has-it"])
def test_charset_by_which_no_text_is_read_counts_as_not_given(api_client, charset):
    kind = f"multipart/form-data; boundary=x; charset={charset}"
    refused = api_client.generic("POST", "/api/dte/validate", FORM, content_type=kind)
    assert code(refused, 400) == "XML-05"


@pytest.mark.django_db
def test_charset_of_text_is_used(api_client):
    body = json.dumps({"message": 1, "user_context": "ñ"}, ensure_ascii=False).encode("latin-1")
    kind = "application/json; charset=latin-1"
    refused = api_client.generic("POST", "/api/chat/message", body, content_type=kind)
    assert code(refused, 400) == "invalid"


def test_schema_says_of_every_call_how_it_is_refused():
    schema = SchemaGenerator().get_schema(public=True)
    assert schema["components"]["schemas"]["Refusal"]["required"] == ["code", "detail"]
    paths = schema["paths"]
    operations = [operation for methods in paths.values() for operation in methods.values()]
    refusal = {"schema": {"$ref": "#/components/schemas/Refusal"}}
    assert operations
    for operation in operations:
        default = operation["responses"]["default"]
        assert default["content"] == {"application/json": refusal}
    # 200 with a body, as it is answered, and not the 204 that a DELETE is taken to give.
    assert "200" in paths["/api/chat/session/{session_id}"]["delete"]["responses"]


def test_icon_that_browsers_ask_for_unasked(client):
    answer = client.get("/favicon.ico")
    assert answer.status_code == 302
    icon = client.get(answer.headers["Location"])
    assert icon.status_code == 200
    assert icon.headers["Content-Type"].startswith("image/svg+xml")
