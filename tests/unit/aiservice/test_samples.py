"""The page's sample documents say what their buttons promise."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from dte.judging.report import Report, judge_xml
from dte.parsing.xml import read_xml
from dte.rules.registry import Context
from tests.samples import DAY, FOLDER

pytestmark = pytest.mark.unit


def judged(name: str) -> Report:
    noon = datetime.fromisoformat(f"{DAY}T12:00:00").replace(tzinfo=ZoneInfo("America/Santiago"))
    return judge_xml(read_xml((FOLDER / name).read_bytes()), Context(as_of=noon))


def test_correct_sample_may_be_sent() -> None:
    assert judged("factura.xml").recommendation == "send"


def test_faulty_sample_is_rejected_for_the_receiver_that_does_not_exist() -> None:
    report = judged("factura-con-errores.xml")
    assert report.recommendation == "reject"
    assert "RUT-02" in {finding.code for finding in report.documents[0].findings}
