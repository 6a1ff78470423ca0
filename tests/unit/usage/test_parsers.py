"""What a caller is told of a body that cannot be read."""

import json

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404
from django.http.multipartparser import MultiPartParserError
from rest_framework.exceptions import ParseError
from rest_framework.renderers import StaticHTMLRenderer
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from rest_framework.views import APIView

from usage.http.parsers import load_json

pytestmark = pytest.mark.unit


class Echo(APIView):
    """Answers with what it was sent."""

    authentication_classes = permission_classes = ()

    def post(self, request):
        return Response(request.data)


def post(body: bytes | str, content_type: str = "application/json"):
    return Echo.as_view()(APIRequestFactory().post("/", body, content_type=content_type))


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ("{", "El JSON no es válido: falta un nombre entre comillas dobles (línea 1, columna 2)."),
        ('{"a":\n}', "El JSON no es válido: falta un valor (línea 2, columna 1)."),
        (
            '{"a" 1}',
            "El JSON no es válido: faltan dos puntos entre un nombre y su valor (línea 1, columna 6).",
        ),
        ("[1 2]", "El JSON no es válido: falta una coma o un cierre (línea 1, columna 4)."),
        ('["a', "El JSON no es válido: un texto no se cierra (línea 1, columna 2)."),
        ("1 1", "El JSON no es válido: sobra texto después del final (línea 1, columna 3)."),
        ("[NaN]", "El JSON no es válido: NaN no es un número de JSON."),
        ("[" * 100_000, "El JSON tiene más de 64 niveles."),
        ('{"a": [' + "1," * 30_000 + "1]}", "El JSON trae más de 5000 valores."),
        ("9" * 5000, "El JSON contiene un número con demasiados dígitos."),
        (r'{"\ud800": 1}', "El JSON contiene un carácter que no existe en Unicode."),
        (b'"\xff"', "El JSON no está en UTF-8."),
    ],
)
def test_body_that_is_not_json_is_refused_in_spanish_with_the_place(body, detail):
    response = post(body)
    assert response.status_code == 400
    assert response.data == {"detail": detail, "code": "parse_error"}


@pytest.mark.parametrize(
    "text",
    ["", "{,", '{"a":1,}', '["\n"]', r'["\x"]', r'["\u12"]', "[1,]", "tru", '{"a": 1]', "nul"],
)
def test_every_syntax_error_is_explained_without_a_word_of_english(text):
    with pytest.raises(ParseError) as refused:
        load_json(text)
    detail = str(refused.value.detail)
    assert detail.startswith("El JSON no es válido: ")
    assert not {"expecting", "invalid", "extra", "unterminated"} & set(detail.lower().split())


@pytest.mark.parametrize(
    ("body", "content_type", "value"),
    [
        ('\ufeff{"a": 1}'.encode(), "application/json", {"a": 1}),
        ('"ñ"'.encode("latin-1"), "application/json; charset=latin-1", "ñ"),
        (r'"\ud83d\ude00"', "application/json", "😀"),
    ],
)
def test_what_is_json_all_the_same_is_read(body, content_type, value):
    assert post(body, content_type).data == value


def test_body_above_the_limit_is_refused_with_413(settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    response = post(b" " * 1001)
    assert response.status_code == 413
    assert response.data["code"] == "request_too_large"


@pytest.mark.parametrize(
    ("exception", "status", "code"),
    [
        (Http404("No Validation matches the given query."), 404, "not_found"),
        (PermissionDenied("secret"), 403, "permission_denied"),
        (SuspiciousOperation("secret"), 400, "bad_request"),
        (MultiPartParserError("Invalid boundary"), 400, "bad_request"),
    ],
)
def test_what_django_raises_is_said_in_our_words(exception, status, code):
    class Raises(Echo):
        def post(self, request):
            raise exception

    response = Raises.as_view()(APIRequestFactory().post("/", {}, format="json"))
    assert (response.status_code, response.data["code"]) == (status, code)
    assert str(exception) not in response.data["detail"]


def test_error_is_json_whatever_the_view_renders():
    class Page(Echo):
        renderer_classes = (StaticHTMLRenderer,)

    response = Page.as_view()(APIRequestFactory().delete("/")).render()
    assert (response.status_code, response.headers["Content-Type"]) == (405, "application/json")
    assert json.loads(response.content) == {
        "detail": 'Método "DELETE" no permitido.',
        "code": "method_not_allowed",
    }


def test_what_stands_in_texts_is_not_counted():
    assert post('{"a": "' + "[{," * 30_000 + '\\"[,"}').status_code == 200
