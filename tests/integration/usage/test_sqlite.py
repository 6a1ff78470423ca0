"""The budgets on SQLite, where a first start keeps its books."""

import os
import shlex
from pathlib import Path

import pytest

from tests import servers

pytestmark = pytest.mark.integration

HOLD_AND_SETTLE = """
from decimal import Decimal
from django.db import transaction
from django.utils import timezone
from usage.accounting import budgets
from usage.accounting.payer import payer_of
from usage.models import ApiKey, Budget, BudgetWindow
key, _ = ApiKey.objects.issue(name="acme")
Budget.objects.create(api_key=key, period="day", limit_usd=Decimal(3))
now = timezone.now()
with transaction.atomic():
    print("held" if budgets.hold(payer_of(key), Decimal(2), now) is None else "refused")
with transaction.atomic():
    print("held" if budgets.hold(payer_of(key), Decimal(2), now) is None else "refused")
budgets.settle(payer_of(key), Decimal(2), Decimal(1), now)
print(*sorted({f"{w.held_usd:f} {w.spent_usd:f}" for w in BudgetWindow.objects.all()}))
"""


def test_windows_are_taken_together_or_not_at_all(tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3"}
    then = shlex.join(["shell", "--verbosity", "0", "--command", HOLD_AND_SETTLE])
    output = servers.manage(environment, "migrate --verbosity 0", then)
    assert output.splitlines()[-3:] == ["held", "refused", "0.000000000000 1.000000000000"]
