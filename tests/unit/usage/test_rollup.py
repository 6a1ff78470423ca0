"""The sums by day are the ledger's, whatever is done to its rows and whoever does it."""

import io
import os
import random
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import F
from django.utils import timezone

from usage.accounting import prices, rollup
from usage.accounting.corrections import correct
from usage.models import ApiKey, DailyUsage, ModelPrice, Operation, Outcome, UsageRecord
from usage.models.record import TOKEN_CLASSES
from usage.tokens import TokenUsage

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

NOON = datetime(2026, 11, 20, 15, tzinfo=UTC)
ROOT = Path(__file__).parents[3]


def saved(record):
    """What the cache saved of a row, by the price module rather than by SQL."""
    if record.price is None:
        return Decimal(0)
    usage = TokenUsage(**{name: getattr(record, name) for name in TOKEN_CLASSES})
    uncached = TokenUsage(input_tokens=usage.prompt, output_tokens=usage.output_tokens)
    geo = record.inference_geo
    with_cache = prices.cost(usage, record.price, inference_geo=geo)
    return prices.cost(uncached, record.price, inference_geo=geo) - with_cache


def expected():
    sums: Counter[tuple[object, ...]] = Counter()
    for row in UsageRecord.objects.filter(state="settled").select_related("price"):
        day = timezone.localtime(row.started_at).date()
        group = (day, row.api_key_id, row.operation, row.model, row.outcome)
        values = [1, int(not row.usage_complete), *(getattr(row, name) for name in TOKEN_CLASSES)]
        for name, value in zip(rollup.SUMS, [*values, row.cost_usd, saved(row)], strict=True):
            sums[(*group, name)] += value
    return {name: value for name, value in sums.items() if value}


def found():
    sums: Counter[tuple[object, ...]] = Counter()
    for row in DailyUsage.objects.all():
        for name in rollup.SUMS:
            sums[(*(getattr(row, part) for part in rollup.GROUP), name)] += getattr(row, name)
    return {name: value for name, value in sums.items() if value}


def row(chance, key, price, **fields):
    usage = TokenUsage(*(chance.choice([0, chance.randint(1, 300_000)]) for _ in TOKEN_CLASSES))
    settled = fields.pop("settled", chance.random() < 0.8)
    started = NOON + timedelta(minutes=chance.randint(-6000, 6000))
    geo = chance.choice(["", "us"])
    return UsageRecord(
        api_key=key, operation=chance.choice(Operation.values), model=price.model, price=price,
        state="settled" if settled else "open", outcome=chance.choice(Outcome.values) if settled else "",
        settled_at=started if settled else None, started_at=started, inference_geo=geo,
        cost_usd=prices.cost(usage, price, inference_geo=geo), total_tokens=usage.total,
        usage_complete=chance.random() < 0.9,
        **{name: getattr(usage, name) for name in TOKEN_CLASSES}, **fields,
    )  # fmt: skip


def churn(seed, steps):
    """Do at random what happens to rows, and more; look at every tenth step."""
    chance = random.Random(seed)
    keys = [ApiKey.objects.issue(name=name)[0] for name in "ab"]
    tariffs = list(ModelPrice.objects.filter(model__in=["claude-sonnet-5-5", "claude-haiku-5-5"]))
    for step in range(steps):
        rows = UsageRecord.objects.order_by("?")[: chance.randint(1, 3)]
        match chance.choice(["insert", "bulk", "settle", "correct", "move", "delete", "fold"]):
            case "insert":
                row(chance, chance.choice(keys), chance.choice(tariffs)).save()
            case "bulk":
                new = [row(chance, chance.choice(keys), chance.choice(tariffs)) for _ in range(5)]
                UsageRecord.objects.bulk_create(new)
            case "settle":
                UsageRecord.objects.filter(state="open").update(
                    state="settled", outcome="swept", settled_at=NOON
                )
            case "correct":
                for record in rows:
                    record.output_tokens += 7
                    record.total_tokens += 7
                    record.cost_usd += Decimal("0.000000000001")
                    record.save()
            case "move":
                UsageRecord.objects.filter(pk__in=[r.pk for r in rows]).update(
                    started_at=F("started_at") + timedelta(days=1), api_key=chance.choice(keys)
                )
            case "delete":
                UsageRecord.objects.filter(pk__in=[r.pk for r in rows]).delete()
            case "fold":
                rollup.fold()
        if step % 10 == 0:
            assert found() == expected()
    assert found() == expected()
    rollup.fold()
    assert found() == expected()
    assert not DailyUsage.objects.filter(folded=False).exists()


@pytest.mark.parametrize("seed", range(3))
def test_the_sums_by_day_are_those_of_the_rows(seed):
    churn(seed, 120)


def test_erased_rows_stay_added_up():
    chance = random.Random(5)
    keys = [ApiKey.objects.issue(name=name)[0] for name in "ab"]
    tariffs = list(ModelPrice.objects.filter(model__in=["claude-sonnet-5-5", "claude-haiku-5-5"]))
    UsageRecord.objects.bulk_create(
        row(chance, chance.choice(keys), chance.choice(tariffs)) for _ in range(120)
    )
    before = found()
    assert before == expected()
    settled = UsageRecord.objects.filter(state="settled", started_at__lt=NOON)
    gone = settled.count()
    assert [*rollup.erase(NOON, batch=25)] == [25] * (gone // 25) + [gone % 25] * bool(gone % 25)
    assert not settled.exists()
    assert found() == before
    rollup.fold()
    assert found() == before
    rollup.rebuild()
    assert found() == before
    UsageRecord.objects.filter(state="settled").first().delete()
    kept = Counter(before)
    assert found() != kept  # what is deleted by hand is still taken off


def test_old_rows_are_erased_by_a_command_and_corrected_ones_are_not(django_user_model):
    chance = random.Random(6)
    key = ApiKey.objects.issue(name="a")[0]
    price = ModelPrice.objects.current("claude-sonnet-5-5", NOON.date())
    now = timezone.now()
    old, corrected, recent = (row(chance, key, price, settled=True) for _ in range(3))
    corrected.usage_complete = False
    for record, days in ((old, 100), (corrected, 100), (recent, 60)):
        record.started_at = now - timedelta(days=days)
        record.save()
    correct(
        corrected.pk, TokenUsage(1), reason="bill", by=django_user_model.objects.create_user("x")
    )
    before = found()
    out = io.StringIO()
    call_command("erase_usage", older_than=90, stdout=out)
    assert "borrados: 1," in out.getvalue()
    assert {record.pk for record in UsageRecord.objects.all()} == {corrected.pk, recent.pk}
    assert found() == before
    with pytest.raises(CommandError):
        call_command("erase_usage", older_than=30)


CHANGES = 50_000


@pytest.mark.load
def test_fifty_thousand_changes_leave_the_sums_equal_to_the_rows(record_property):
    """Insert, settle, correct and delete in random order, one to 200 rows a statement, and fold in between."""
    chance = random.Random(7)
    keys = [ApiKey.objects.issue(name=name)[0] for name in "abcde"]
    tariffs = list(ModelPrice.objects.filter(model__in=["claude-sonnet-5-5", "claude-haiku-5-5"]))
    there: list[UsageRecord] = []
    done: Counter[str] = Counter()
    statements = 0
    while (left := CHANGES - done.total()) > 0:
        many = min(left, chance.choice([1, 2, 20, 200]))
        what = chance.choice(["insert", "insert", "settle", "correct", "delete"])
        if what == "insert" or len(there) < 1000:
            new = [row(chance, chance.choice(keys), chance.choice(tariffs)) for _ in range(many)]
            there += UsageRecord.objects.bulk_create(new)
            done["insert"] += many
        else:
            chance.shuffle(there)
            changed = change(what, there[:many], chance)
            done[what] += changed
            if what == "delete":
                del there[:changed]
        statements += 1
        if statements % 50 == 0:
            rollup.fold()
        if statements % 200 == 0:
            assert found() == expected()
    assert found() == expected()
    rollup.fold()
    assert found() == expected()
    assert UsageRecord.objects.count() == len(there)
    record_property("changes", dict(done))


def change(what, rows, chance):
    """Do one thing to rows in one statement; return to how many."""
    if what == "delete":
        return UsageRecord.objects.filter(pk__in=[r.pk for r in rows]).delete()[0]
    rows = [r for r in rows if (r.state == "open") == (what == "settle")]
    for record in rows:
        if what == "settle":
            record.state, record.outcome, record.settled_at = "settled", "answered", NOON
        else:
            record.output_tokens += chance.randint(1, 9)
        usage = TokenUsage(**{name: getattr(record, name) for name in TOKEN_CLASSES})
        record.total_tokens = usage.total
        record.cost_usd = prices.cost(usage, record.price, inference_geo=record.inference_geo)
    fields = ["state", "outcome", "settled_at", "output_tokens", "total_tokens", "cost_usd"]
    return UsageRecord.objects.bulk_update(rows, fields) if rows else 0


def test_folding_leaves_one_row_for_each_group():
    chance = random.Random(1)
    key = ApiKey.objects.issue(name="a")[0]
    price = ModelPrice.objects.current("claude-sonnet-5-5", NOON.date())
    for _ in range(30):
        row(chance, key, price, settled=True).save()
    rollup.fold()
    groups = list(DailyUsage.objects.values_list(*rollup.GROUP))
    assert len(groups) == len(set(groups))
    UsageRecord.objects.all().delete()
    rollup.fold()
    assert not DailyUsage.objects.exists()


def test_lost_triggers_are_made_again_with_the_sums_of_what_they_missed():
    chance = random.Random(2)
    key = ApiKey.objects.issue(name="a")[0]
    price = ModelPrice.objects.current("claude-sonnet-5-5", NOON.date())
    rollup.remove()
    row(chance, key, price, settled=True).save()
    assert not DailyUsage.objects.exists()
    rollup.ensure()
    assert found() == expected() != {}
    row(chance, key, price, settled=True).save()
    assert found() == expected()


def test_the_sums_of_a_rolled_back_change_are_rolled_back():
    chance = random.Random(3)
    key = ApiKey.objects.issue(name="a")[0]
    price = ModelPrice.objects.current("claude-sonnet-5-5", NOON.date())
    row(chance, key, price, settled=True).save()
    before = found()
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT here")
        UsageRecord.objects.all().delete()
        assert found() == {}
        cursor.execute("ROLLBACK TO here")
    assert found() == before == expected()


def test_sqlite_keeps_the_same_sums(tmp_path):
    program = (
        "import django; django.setup()\n"
        "from django.core.management import call_command\n"
        "call_command('migrate', verbosity=0)\n"
        "from django.db import connection; assert connection.vendor == 'sqlite'\n"
        "from tests.unit.usage.test_rollup import churn; churn(4, 60)\n"
    )
    variables = {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3", "STATE_DIR": str(tmp_path)}
    settings = {"DJANGO_SETTINGS_MODULE": "aiservice.settings", "ENVIRONMENT": "development"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | variables | settings,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
