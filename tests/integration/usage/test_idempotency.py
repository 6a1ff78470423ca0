import asyncio
import gc
import threading
from datetime import timedelta

import pytest
from asgiref.sync import ThreadSensitiveContext
from channels.db import database_sync_to_async as on_database
from django.db import connection, transaction
from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from usage.accounting import process, upkeep
from usage.http import idempotency
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey, IdempotentAnswer

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True)]


class Counted(MeteredAPIView):
    """Answers how often it was really asked."""

    asked = 0
    status = 200
    gate: asyncio.Event | None = None

    async def post(self, request):
        Counted.asked += 1
        if Counted.gate:
            await Counted.gate.wait()
        return Response({"asked": Counted.asked, "said": request.data}, status=Counted.status)


class CountedPlain(MeteredAPIView):
    def post(self, request):
        Counted.asked += 1
        return Response({"asked": Counted.asked}, status=Counted.status)


class CountedStream(MeteredAPIView):
    async def post(self, request):
        async def chunks():
            Counted.asked += 1
            yield b"data: uno\n\n"
            yield f"data: {Counted.asked}\n\n".encode()

        return StreamingHttpResponse(chunks(), content_type="text/event-stream")


@pytest.fixture(autouse=True)
def fresh(settings):
    settings.RATE_LIMIT_PER_MINUTE = 0
    Counted.asked, Counted.status, Counted.gate = 0, 200, None


@pytest.fixture
async def secret():
    return (await on_database(ApiKey.objects.issue)(name="acme"))[1]


async def post(secret, key="k1", data=None, view=Counted):
    request = APIRequestFactory().post(
        "/x",
        data or {"q": 1},
        format="json",
        headers={"X-Api-Key": secret} | ({} if key is None else {"Idempotency-Key": key}),
    )
    async with ThreadSensitiveContext():
        handler = view.as_view()
        response = handler(request)
        if asyncio.iscoroutine(response):
            response = await response
        if not getattr(response, "is_rendered", True):
            response.render()
        if response.streaming:
            response.body = b"".join([chunk async for chunk in response])
        return response


async def test_the_same_key_gives_the_same_answer_and_asks_once(secret):
    first = await post(secret)
    second = await post(secret)
    assert first.content == second.content
    assert second.headers["Content-Type"] == first.headers["Content-Type"]
    assert second.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert Counted.asked == 1


class CountedBatch(MeteredAPIView):
    """Reads its body itself, as a batch of documents does."""

    async def post(self, request):
        Counted.asked += 1
        return Response({"length": len(request._request.read())})


async def test_a_batch_may_be_larger_than_other_bodies(secret, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    documents = {"q": "x" * 200}
    first = await post(secret, data=documents, view=CountedBatch)
    second = await post(secret, data=documents, view=CountedBatch)
    other = await post(secret, data={"q": "y" * 200}, view=CountedBatch)
    assert first.content == second.content
    assert b"208" in first.content
    assert other.status_code == 422
    assert Counted.asked == 1


async def test_without_the_header_every_request_is_its_own(secret):
    await post(secret, key=None)
    await post(secret, key=None)
    assert Counted.asked == 2


async def test_a_plain_handler_keeps_its_answer_too(secret):
    call = on_database(lambda: CountedPlain.as_view()(plain_request(secret)).content)
    assert await call() == await call()
    assert Counted.asked == 1


def plain_request(secret):
    headers = {"X-Api-Key": secret, "Idempotency-Key": "k"}
    return APIRequestFactory().post("/x", {}, format="json", headers=headers)


async def test_a_stream_is_replayed_once_it_came_to_its_end(secret):
    first = await post(secret, view=CountedStream)
    second = await post(secret, view=CountedStream)
    assert first.body == second.content == b"data: uno\n\ndata: 1\n\n"
    assert second.headers["Content-Type"] == "text/event-stream"


class CountedIncomplete(MeteredAPIView):
    """Answers with 200 what is no complete answer, in one piece or as a stream."""

    streams = False

    async def post(self, request):
        async def chunks():
            yield b"data: uno\n\n"
            Counted.asked += 1

        complete = Counted.asked > 0
        response = (
            StreamingHttpResponse(chunks(), content_type="text/event-stream")
            if self.streams
            else Response({})
        )
        if not self.streams:
            Counted.asked += 1
        idempotency.mark(response, lambda: complete)
        return response


class CountedIncompleteStream(CountedIncomplete):
    streams = True


@pytest.mark.parametrize("view", [CountedIncomplete, CountedIncompleteStream])
async def test_only_a_complete_answer_is_kept(secret, view):
    await post(secret, view=view)
    again = await post(secret, view=view)
    assert "Idempotent-Replayed" not in again.headers
    assert Counted.asked == 2
    assert (await post(secret, view=view)).headers["Idempotent-Replayed"] == "true"
    assert Counted.asked == 2


async def test_a_key_whose_process_died_is_free_at_once(secret):
    await post(secret)
    died = process.directory() / "d1ed"
    died.parent.mkdir(parents=True, exist_ok=True)
    died.touch()  # a lock file that nobody holds
    await on_database(IdempotentAnswer.objects.update)(finished_at=None, process="d1ed")
    assert (await post(secret)).data["asked"] == 2
    died.unlink()


async def test_a_stream_whose_reader_left_may_be_asked_again(secret):
    request = APIRequestFactory().post(
        "/x", {"q": 1}, format="json", headers={"X-Api-Key": secret, "Idempotency-Key": "k1"}
    )
    response = await CountedStream.as_view()(request)
    chunks = aiter(response.streaming_content)
    await anext(chunks)
    del chunks, response  # as the server does; the event loop then closes what was left
    await given_up()
    assert (await post(secret, view=CountedStream)).body == b"data: uno\n\ndata: 2\n\n"


async def test_a_stream_that_nobody_began_to_read_may_be_asked_again(secret):
    request = APIRequestFactory().post(
        "/x", {"q": 1}, format="json", headers={"X-Api-Key": secret, "Idempotency-Key": "k1"}
    )
    response = await CountedStream.as_view()(request)
    del response  # the client left while the middleware looked at it
    await given_up()
    assert (await post(secret, view=CountedStream)).body == b"data: uno\n\ndata: 1\n\n"


async def given_up():
    async with asyncio.timeout(20):
        while await on_database(IdempotentAnswer.objects.exists)():
            gc.collect()
            await asyncio.sleep(0.01)


async def test_a_second_request_while_the_first_is_at_work_is_refused(secret):
    Counted.gate = asyncio.Event()
    first = asyncio.ensure_future(post(secret))
    async with asyncio.timeout(20):
        while not Counted.asked:  # noqa: ASYNC110  # set by the handler
            await asyncio.sleep(0.01)
    refused = await post(secret)
    assert (refused.status_code, refused.data["code"]) == (409, "idempotency_in_progress")
    assert refused.headers["Retry-After"] == "1"
    Counted.gate.set()
    assert (await first).status_code == 200
    assert (await post(secret)).headers["Idempotent-Replayed"] == "true"


async def test_of_parallel_requests_with_one_key_one_is_asked(secret):
    responses = await asyncio.gather(*(post(secret) for _ in range(20)))
    assert Counted.asked == 1
    assert {response.status_code for response in responses} <= {200, 409}


async def test_a_request_that_is_cancelled_gives_its_key_up(secret):
    Counted.gate = asyncio.Event()
    task = asyncio.ensure_future(post(secret))
    async with asyncio.timeout(20):
        while not Counted.asked:  # noqa: ASYNC110  # set by the handler
            await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    Counted.gate = None
    assert (await post(secret)).data["asked"] == 2


async def test_a_request_that_is_cancelled_while_it_claims_gives_its_key_up(secret):
    begun, end = threading.Event(), threading.Event()

    def hold_the_key():
        with transaction.atomic():
            api_key = ApiKey.objects.get()
            IdempotentAnswer.objects.create(api_key=api_key, key="k1", fingerprint="")
            begun.set()
            end.wait(20)
            transaction.set_rollback(True)

    holder = asyncio.ensure_future(on_database(hold_the_key, thread_sensitive=False)())
    await asyncio.to_thread(begun.wait, 20)
    task = asyncio.ensure_future(post(secret))
    async with asyncio.timeout(20):
        while not await on_database(somebody_waits_for_a_lock)():  # noqa: ASYNC110  # by PostgreSQL
            await asyncio.sleep(0.01)
    task.cancel()
    asyncio.get_running_loop().call_soon(end.set)
    with pytest.raises(asyncio.CancelledError):
        await task
    await holder
    assert (await post(secret)).data["asked"] == 1


def somebody_waits_for_a_lock():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return cursor.fetchone()[0]


async def test_a_failed_answer_is_not_kept(secret):
    Counted.status = 503
    await post(secret)
    Counted.status = 200
    assert (await post(secret)).data["asked"] == 2


async def test_another_request_with_the_same_key_is_a_mistake(secret):
    await post(secret)
    refused = await post(secret, data={"q": 2})
    assert (refused.status_code, refused.data["code"]) == (422, "idempotency_mismatch")
    assert Counted.asked == 1


async def test_keys_of_different_callers_are_different(secret):
    other = (await on_database(ApiKey.objects.issue)(name="other"))[1]
    await post(secret)
    assert (await post(other)).data["asked"] == 2


@pytest.mark.parametrize("key", ["", "x" * 201, "a\x00b"])
async def test_a_key_that_is_none_is_refused(secret, key):
    assert (await post(secret, key=key)).status_code == 422
    assert Counted.asked == 0


async def test_a_key_whose_first_request_crashed_is_inherited(secret, settings):
    await post(secret)
    long_ago = timezone.now() - timedelta(seconds=settings.ANTHROPIC_TOTAL_TIMEOUT + 61)
    await on_database(IdempotentAnswer.objects.update)(finished_at=None, claimed_at=long_ago)
    assert (await post(secret)).data["asked"] == 2


async def test_answers_are_forgotten_after_a_day(secret):
    await post(secret)
    await on_database(IdempotentAnswer.objects.update)(
        claimed_at=timezone.now() - idempotency.KEPT - timedelta(seconds=1)
    )
    await on_database(upkeep.once)()
    assert not await on_database(IdempotentAnswer.objects.exists)()
