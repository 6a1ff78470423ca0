"""Identical validations at the same time, on a service of two processes: one is paid."""

import asyncio
import json
from collections import Counter
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from tests.factories import signed
from usage.models import UsageRecord

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]

PATH = "/api/dte/validate?ai=always"


def test_ten_identical_validations_at_once_are_paid_once(start_service, fake_claude, api_key):
    fake_claude.say(json.dumps({"doubts": []}))
    fake_claude.pause = 0.2
    service = start_service(
        ANTHROPIC_BASE_URL=fake_claude.url, ANTHROPIC_API_KEY="sk-ant-test", PROCESSES="2"
    )
    headers = {"Authorization": f"Bearer {api_key[1]}", "Content-Type": "text/xml"}
    document = signed(33)

    async def ask() -> dict[str, Any]:
        async with httpx2.AsyncClient(timeout=60) as client:  # each over a connection of its own
            answer = await client.post(f"{service.url}{PATH}", content=document, headers=headers)
        assert answer.status_code == 200
        body: dict[str, Any] = answer.json()
        return body

    async def ten() -> list[dict[str, Any]]:
        return await asyncio.gather(*(ask() for _ in range(10)))

    answers = asyncio.run(ten())
    assert len(fake_claude.requests) == 1
    assert Counter(answer["cached"] for answer in answers) == {False: 1, True: 9}
    assert sum(Decimal(answer["cost_usd"]) for answer in answers) == fake_claude.billed_usd > 0
    outcomes = UsageRecord.objects.values_list("outcome", flat=True)
    assert Counter(outcomes) == {"answered": 1, "cached": 9}
