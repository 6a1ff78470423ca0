"""Who is told, and that a receiver that fails neither loses a notice nor holds up a run."""

import hashlib
import hmac
import json
import time
from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from knowledge.models import SiiDelivery, SiiNotice
from knowledge.monitoring import notifying, running
from tests import sii_site
from tests.integration.knowledge.monitoring.test_looks import FIRST, PATH, SECOND

pytestmark = [pytest.mark.integration, pytest.mark.django_db]


@pytest.fixture
def receiver(settings):
    with sii_site.serve() as receiving:
        settings.SII_MONITOR_WEBHOOK_URL = f"{receiving.url}/hook"
        settings.SII_MONITOR_WEBHOOK_SECRET = "clave"
        yield receiving


def change(site, look) -> None:
    site.put(PATH, sii_site.page(FIRST))
    look()
    site.put(PATH, sii_site.page(SECOND))
    look()


def test_webhook_is_signed_and_made_for_slack(site, source, look, receiver):
    change(site, look)
    notifying.deliver_due()
    notifying.deliver_due()
    ((headers, body),) = receiver.posted
    signed = hmac.new(b"clave", f"{headers['X-Timestamp']}.".encode() + body, hashlib.sha256)
    assert headers["X-Signature-256"] == f"sha256={signed.hexdigest()}"
    message = json.loads(body)
    assert "Circular" in message["text"]
    assert message["blocks"][0]["text"]["type"] == "mrkdwn"
    assert message["metadata"]["event_payload"]["number"] == "45"
    assert SiiDelivery.objects.get().delivered_at


def test_words_of_a_page_call_nobody_in_slack(site, source, look, receiver):
    change(site, look)
    SiiNotice.objects.update(summary="<!channel> <https://evil.example|aquí> & más")
    body = json.dumps(notifying.payload(SiiNotice.objects.get())["blocks"])
    assert "<!channel>" not in body
    assert "<https://evil" not in body


def test_failed_webhook_is_tried_again_and_then_given_up(site, source, look, receiver):
    receiver.post_statuses = [500] * 3
    change(site, look)
    for attempt in range(1, 5):
        notifying.deliver_due()
        delivery = SiiDelivery.objects.get()
        assert delivery.attempts == attempt
        assert bool(delivery.delivered_at) == (attempt == 4)
        if attempt < 4:
            assert "500" in delivery.error
            assert delivery.due_at > timezone.now() + timedelta(seconds=1)
        SiiDelivery.objects.update(due_at=timezone.now())
    assert len({headers["X-Notice-Id"] for headers, _ in receiver.posted}) == 1

    SiiDelivery.objects.update(delivered_at=None, attempts=len(notifying.RETRIES))
    receiver.post_statuses = [500]
    notifying.deliver_due()
    assert SiiDelivery.objects.get().due_at is None


def test_mail_says_what_and_where(site, source, look, settings):
    settings.SII_MONITOR_EMAILS = ["normas@acme.cl"]
    change(site, look)
    SiiNotice.objects.update(number="45\r\nBcc: x@evil.example")
    notifying.deliver_due()
    (message,) = mail.outbox
    assert message.to == ["normas@acme.cl"]
    assert "\n" not in message.subject
    assert f"{site.url}{PATH}" in message.body
    assert "+* Circular N° 45" in message.body


def test_nobody_configured_is_nobody_told(site, source, look):
    change(site, look)
    assert not SiiDelivery.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_receiver_that_hangs_does_not_hold_up_the_run(
    transactional_db, site, source, receiver, settings, monkeypatch
):
    monkeypatch.setattr(notifying, "WEBHOOK_SECONDS", 2)
    monkeypatch.setattr(notifying, "LINGER_SECONDS", 0.5)
    receiver.put("/hook", "x")
    original = receiver.posted

    class Slow(list[object]):
        def append(self, item: object) -> None:
            time.sleep(3)
            original.append(item)

    receiver.posted = Slow()
    site.put(PATH, sii_site.page(FIRST))
    running.run(running.acquire(force=False))
    site.put(PATH, sii_site.page(SECOND))
    begun = running.acquire(force=False)
    running.run(begun)
    begun.refresh_from_db()
    assert begun.notices == 1
    assert (begun.finished_at - begun.started_at).total_seconds() < 1.5
    delivery = SiiDelivery.objects.get()
    assert delivery.delivered_at is None
    assert "Timeout" in delivery.error
    receiver.posted = original
    SiiDelivery.objects.update(due_at=timezone.now())
    running.run(running.acquire(force=False))  # a later run delivers it
    assert SiiDelivery.objects.get().delivered_at
