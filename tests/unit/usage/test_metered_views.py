import asyncio

import pytest
from asgiref.sync import ThreadSensitiveContext
from channels.db import database_sync_to_async
from django.db import connection
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

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
        def get(self, request):
            return Response({})

    request = APIRequestFactory().get("/", headers={"X-Api-Key": api_key[1]})
    assert Quick.as_view()(request).status_code == 200
    refused = Quick.as_view()(request)
    assert refused.status_code == 429
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    assert refused.data["code"] == "rate_limited"
    assert set(refused.data) == {"detail", "code", "retry_after"}
