"""The configuration of the logs is applied whenever Django is set up, which may be more than once."""

import pytest
import structlog
from django.conf import settings
from structlog.testing import capture_logs

from aiservice.logs import configure

pytestmark = pytest.mark.unit


def test_a_logger_in_use_follows_a_configuration_that_is_applied_again():
    log = structlog.get_logger("aiservice.ensayo")
    log.warning("antes")
    configure(settings.LOGGING)
    with capture_logs() as lines:
        log.warning("después")
    assert [line["event"] for line in lines] == ["después"]
