import asyncio
import json

import pytest
from asgiref.sync import ThreadSensitiveContext
from channels.db import database_sync_to_async
from django.db import connection
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory
from structlog.testing import capture_logs

from usage.access.limits import Limited
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey

pytestmark = [pytest.mark.unit]


class Slow(MeteredAPIView):
    """Waits on something that is not the database, as a model call does."""

    waiting: asyncio.Barrier
    release: asyncio.Event

    async def post(self, request):
        await self.waiting.wait()
        await self.release.wait()
        return Response({"keys": await database_sync_to_async(ApiKey.objects.count)()})


@pytest.mark.django_db(transaction=True)
async def test_waiting_handlers_hold_no_database_connection(settings):
    """More handlers wait at once than the pool has connections, and all of them are answered."""
    settings.RATE_LIMIT_PER_MINUTE = 0
    _, secret = await database_sync_to_async(ApiKey.objects.issue)(name="acme")
    Slow.waiting, Slow.release = asyncio.Barrier(31), asyncio.Event()
    request = APIRequestFactory().post("/", headers={"X-Api-Key": secret})
    tasks = [asyncio.ensure_future(served(request)) for _ in range(30)]
    async with asyncio.timeout(20):
        await Slow.waiting.wait()
        # The test's own and the question's; for a moment the pool may still be making another.
        while await database_sync_to_async(busy_connections)() > 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    Slow.release.set()
    assert [response.data for response in await asyncio.gather(*tasks)] == [{"keys": 1}] * 30


async def served(request):
    async with ThreadSensitiveContext():  # a thread for each request, as under ASGI
        return await Slow.as_view()(request)


def busy_connections():
    """Count the pool's connections that are out, the one of this question included."""
    connection.ensure_connection()
    stats = connection.pool.get_stats()  # type: ignore[attr-defined]
    return stats["pool_size"] - stats["pool_available"]


@pytest.mark.django_db
def test_the_limit_answers_429_with_retry_after_in_the_error_shape(settings, api_key):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 1, 1

    class Quick(MeteredAPIView):
        limited_as = Limited.CHAT

        def get(self, request):
            return Response({})

    request = APIRequestFactory().get("/", headers={"X-Api-Key": api_key[1]})
    assert Quick.as_view()(request).status_code == 200
    refused = Quick.as_view()(request)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    body = json.loads(refused.content)
    assert body["code"] == "rate_limited"
    assert set(body) == {"detail", "code", "retry_after"}


@pytest.mark.django_db
def test_every_limited_answer_says_how_much_is_left(settings, api_client):
    settings.RATE_LIMIT_PER_MINUTE, settings.RATE_LIMIT_BURST = 60, 3
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"reads": (60, 3)}
    left = [api_client.get("/api/usage") for _ in range(4)]
    assert [answer.status_code for answer in left] == [200, 200, 200, 429]
    assert [answer.headers["RateLimit-Remaining"] for answer in left] == ["2", "1", "0", "0"]
    assert {answer.headers["RateLimit-Limit"] for answer in left} == {"3"}
    assert all(1 <= int(answer.headers["RateLimit-Reset"]) <= 3 for answer in left)
    assert left[-1].headers["Retry-After"] == "1"  # never rounded down to 0
    assert left[-1].json()["code"] == "rate_limited"


@pytest.mark.django_db
def test_wrong_keys_are_limited_by_address_before_they_are_looked_up(
    client, api_client, django_assert_num_queries
):
    wrong = [
        client.get("/api/usage", headers={"X-Api-Key": f"ai_abcdefgh_{n}"}).status_code
        for n in range(300)
    ]
    assert 10 <= wrong.count(401) <= 30
    assert set(wrong) == {401, 429}
    with django_assert_num_queries(0):
        assert client.get("/api/usage").status_code == 429
    # Another address is another matter.
    assert client.get("/api/usage", REMOTE_ADDR="192.0.2.9").status_code == 401


@pytest.mark.django_db
def test_a_key_in_use_is_let_in_from_an_address_that_tries_wrong_ones(client, api_client):
    assert api_client.get("/api/usage").status_code == 200
    for n in range(100):
        client.get("/api/usage", headers={"X-Api-Key": f"ai_abcdefgh_{n}"})
    assert client.get("/api/usage", headers={"X-Api-Key": "ai_a_b"}).status_code == 429
    assert api_client.get("/api/usage").status_code == 200


@pytest.mark.django_db
def test_the_access_line_names_address_and_key_but_never_the_secret(client, api_key):
    row, secret = api_key
    with capture_logs() as lines:
        client.get("/api/usage", headers={"X-Api-Key": secret})
        client.get("/api/usage", headers={"X-Api-Key": "ai_tried234_guess"})
        client.get("/api/usage", headers={"X-Api-Key": "otra cosa"})
    access = [line for line in lines if line["event"] == "request"]
    assert [line["key"] for line in access] == [row.prefix, "tried234", None]
    assert {line["address"] for line in access} == {"127.0.0.1"}
    assert secret not in str(access)
