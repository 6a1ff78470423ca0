"""What a test that commits leaves behind is gone, and what was there before is back."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.management import call_command
from django.db import connection, transaction

from tests.integration.usage.books import reservation
from usage.accounting import ledger
from usage.accounting.ledger import Settlement
from usage.models import ApiKey, DailyUsage, ModelPrice, Outcome, UsageRecord
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.unit, pytest.mark.django_db(transaction=True)]


def flush() -> None:
    call_command("flush", verbosity=0, interactive=False)


def reference() -> list[list[dict[str, object]]]:
    kept = (Group, Permission, ModelPrice, Group.permissions.through)
    return [list(model._default_manager.order_by("pk").values()) for model in kept]


def test_rows_of_every_kind_are_removed_and_those_of_the_migration_are_as_they_were():
    flush()
    before = reference()
    assert all(before)
    key, _ = ApiKey.objects.issue(name="acme")
    call = ledger.reserve(reservation(key))
    ledger.settle(call, Settlement(Outcome.ANSWERED, TokenUsage(7)))
    assert DailyUsage.objects.exists()
    Group.objects.create(name="Turno de noche")
    Group.objects.exclude(name="Turno de noche").first().delete()
    ModelPrice.objects.update(input=1)
    flush()
    assert reference() == before
    for model in (ApiKey, UsageRecord, DailyUsage):
        assert not model.objects.exists(), model


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_who_sums_up_calls_meanwhile_is_waited_for():
    key, _ = ApiKey.objects.issue(name="acme")
    ledger.settle(ledger.reserve(reservation(key)), Settlement(Outcome.ANSWERED, TokenUsage(7)))
    locked = threading.Event()

    def sum_up() -> None:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '1min'")  # the other one is given up
            UsageRecord.objects.update(latency_ms=1)
            locked.set()
            time.sleep(0.5)
            DailyUsage.objects.update(calls=1)
        connection.close()

    with ThreadPoolExecutor(1) as threads:
        summing = threads.submit(sum_up)
        assert locked.wait(5)
        flush()
        summing.result()
    assert not UsageRecord.objects.exists()
