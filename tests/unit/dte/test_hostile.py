"""Hostile inputs end in a clear 4xx; the figures of time and memory are in tests/load/dte_hostile.py."""

import json

import pytest

from dte.models import Validation
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from tests.hostile import HOSTILE

pytestmark = [pytest.mark.unit, pytest.mark.django_db, pytest.mark.urls("dte.urls")]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_input_is_refused_by_name(api_client, name):
    hostile = HOSTILE[name]
    answer = api_client.post("/api/dte/validate?ai=never", hostile.body, content_type=hostile.kind)
    body = answer.json()
    assert answer.status_code in {400, 413}
    assert body["code"] in hostile.codes
    assert body["findings"][0]["fix"]
    assert "/etc" not in json.dumps(body)
    assert "<string>" not in body["detail"]
    assert not Validation.objects.exists()


@pytest.mark.parametrize("name", [name for name in HOSTILE if name.startswith("json")])
def test_the_legacy_path_refuses_the_same(api_client, name):
    inside = b'{"dte_data": ' + HOSTILE[name].body + b"}"
    answer = api_client.post("/api/ai/validate?ai=never", inside, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"]


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"<DTE>", "falta cerrar una etiqueta"),
        (b"<DTE></DT>", "no corresponde a la abierta"),
        (b"<DTE>a & b</DTE>", "sin escapar"),
        (b"<DTE>\x01</DTE>", "un carácter que el XML no admite"),
        (b"<x:DTE/>", "un prefijo sin declarar"),
    ],
)
def test_xml_that_is_not_well_formed_is_explained_in_spanish(raw, reason):
    with pytest.raises(Unreadable) as refused:
        list(read_xml(raw).documents())
    assert reason in str(refused.value)
