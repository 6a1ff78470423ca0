"""Whoever pays is told of a budget that is nearly used up: once for each window and threshold."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core import mail
from django.db import connections
from django.utils import timezone
from structlog.testing import capture_logs

from usage import notifying
from usage.accounting import warnings
from usage.models import Account, ApiKey, Budget, BudgetWindow

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def receiver(settings):
    """A webhook's receiver; ``status`` is what it answers."""
    taken = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            taken.append((dict(self.headers), body))
            self.send_response(server.status)
            self.end_headers()

        def log_message(self, *args):
            pass

    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.status, server.taken = 200, taken
    threading.Thread(target=server.serve_forever, daemon=True).start()
    settings.BUDGET_WEBHOOK_URL = f"http://127.0.0.1:{server.server_port}/"
    settings.BUDGET_WEBHOOK_SECRET = "secret"
    settings.BUDGET_EMAILS = ["finanzas@acme.cl"]
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def window():
    account = Account.objects.create(name="Acme")
    ApiKey.objects.issue(name="acme", account=account)
    Budget.objects.create(account=account, period="month", limit_usd=Decimal(10), soft_percent=50)
    start = timezone.localdate().replace(day=1)
    return BudgetWindow.objects.create(account=account, period="month", starts_on=start)


def spend(window, amount):
    BudgetWindow.objects.filter(pk=window.pk).update(spent_usd=Decimal(amount))


def events(receiver):
    return [json.loads(body)["metadata"]["event_payload"] for _, body in receiver.taken]


def test_each_threshold_is_told_once(receiver, window):
    warnings.watch(timezone.now())
    assert not receiver.taken
    spend(window, "5.00")
    with capture_logs() as logs:
        for _ in range(3):
            warnings.watch(timezone.now())
    spend(window, "10.00")
    for _ in range(3):
        warnings.watch(timezone.now())
    assert [event["threshold_percent"] for event in events(receiver)] == [50, 100]
    assert events(receiver)[0] | {"window_starts": ""} == {
        "threshold_percent": 50, "scope": "account", "api_key": None, "account": "Acme",
        "end_user": "", "window": "month", "window_starts": "", "limit_usd": "10",
        "used_usd": "5", "held_usd": "0",
    }  # fmt: skip
    headers, body = receiver.taken[0]
    assert headers["X-Signature-256"] == notifying.signature(body, headers["X-Timestamp"], "secret")
    assert [m.subject for m in mail.outbox] == [
        "Presupuesto al 50 %: Cuenta Acme, por mes",
        "Presupuesto al 100 %: Cuenta Acme, por mes",
    ]
    assert "5,00 gastados de 10,00 USD" in mail.outbox[0].body
    assert [line["event"] for line in logs] == ["budget_near_limit"]


def test_of_several_processes_one_tells(receiver, window):
    spend(window, "6")

    def look(_):
        warnings.watch(timezone.now())
        connections.close_all()

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(look, range(12)))
    assert len(receiver.taken) == 1


def test_what_was_not_taken_is_told_again(receiver, window):
    spend(window, "6")
    receiver.status = 500
    warnings.watch(timezone.now())
    receiver.status = 200
    warnings.watch(timezone.now())
    warnings.watch(timezone.now())
    assert len(receiver.taken) == 2
    assert len(mail.outbox) == 1
