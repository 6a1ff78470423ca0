"""The API's page: every operation says in Spanish what it does, and every example works as it stands."""

import json
import re

import pytest
from django.conf import settings
from drf_spectacular.generators import SchemaGenerator

from aiservice.documentation import texts
from chat.models import Conversation, Message
from tests.unit.dte.test_lists_admin import validation
from usage.models import ApiKey

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

SCHEMA = SchemaGenerator().get_schema(request=None, public=True)
OPERATIONS = {
    f"{method.upper()} {path}": operation
    for path, operations in SCHEMA["paths"].items()
    for method, operation in operations.items()
}
ENGLISH = re.compile(r"\b(the|and|returns?|answers?|every|whether|which|with|what|its)\b", re.I)
BODIES = [
    pytest.param(name, kind, body, id=f"{name} {kind}")
    for name, operation in OPERATIONS.items()
    for kind, body in operation.get("requestBody", {}).get("content", {}).items()
    if kind in ("application/json", "application/xml", "text/xml", "text/plain")
]


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_described_in_spanish(name):
    operation = OPERATIONS[name]
    said = operation.get("description", "")
    assert len(said) > 40, f"describe {name} in aiservice/operations.yaml"
    assert not ENGLISH.findall(re.sub(r"`[^`]*`", "", f"{operation['summary']} {said}"))


def test_no_docstring_is_shown():
    for name, schema in SCHEMA["components"]["schemas"].items():
        if schema.get("type") == "object":
            assert "description" not in schema, name


def test_nothing_is_said_of_an_operation_that_is_gone():
    assert set(texts()) <= set(OPERATIONS)


def shown(body):
    """Return what Swagger UI puts into the box."""
    if "examples" in body:
        return next(iter(body["examples"].values()))["value"]
    return body["example"]


@pytest.fixture
def places(api_key):
    """What the examples' addresses name."""
    key: ApiKey = api_key[0]
    conversation = Conversation.objects.create(api_key=key, session_id="sesion-1")
    question = Message.objects.create(conversation=conversation, role="user", content="¿Qué?")
    reply = Message.objects.create(
        conversation=conversation, role="assistant", content="Eso.", reply_to=question
    )
    return {"message_id": reply.pk, "session_id": "sesion-1", "id": validation(key).pk}


@pytest.mark.parametrize(("name", "kind", "body"), BODIES)
def test_every_example_works_as_it_stands(api_client, api_key, places, name, kind, body):
    assert "example" in body or "examples" in body, f"give {name} an example in operations.yaml"
    ApiKey.objects.filter(pk=api_key[0].pk).update(may_monitor=True)
    method, _, path = name.partition(" ")
    example = shown(body)
    data = json.dumps(example) if kind == "application/json" else example.encode()
    answer = api_client.generic(method, path.format(**places), data, content_type=kind)
    if answer.streaming:
        return
    # No model here, so an estimate is refused for that alone.
    assert answer.status_code < 300 or answer.json()["code"] == "model_unavailable", answer.content


def test_the_page_is_in_spanish_and_needs_no_other_host(client):
    page = client.get("/api/docs/").content.decode()
    assert '<html lang="es">' in page
    assert "http" not in page.replace("http-equiv", "")
    assert settings.SPECTACULAR_SETTINGS["SWAGGER_UI_DIST"] == "SIDECAR"
