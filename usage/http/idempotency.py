"""``Idempotency-Key`` on POSTs: the same key gives the same answer and one charge.

The first request claims the key by inserting a row. A repetition gets the stored answer, with
``Idempotent-Replayed: true``; 409 while the first one is still at work; 422 when it asks for something
else. Only complete answers are kept, for a day: what failed, broke off or was answered without the model
may be tried again with its key. A claim belongs to its process: when that dies, the key is free again.
"""

import hashlib
import io
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from rest_framework import status

from usage.accounting import process
from usage.errors import Refusal
from usage.hops import finish, hop
from usage.models import ApiKey, IdempotentAnswer

HEADER: Final = "Idempotency-Key"
LONGEST_KEY: Final = 200
KEPT: Final = timedelta(hours=24)


class IdempotencyConflict(Refusal):
    """The first request with this key is still at work."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "La primera solicitud con esta Idempotency-Key aún está en curso."
    default_code = "idempotency_in_progress"
    wait = 1.0


class IdempotencyMismatch(Refusal):
    """The key was used for a different request."""

    status_code = status.HTTP_422_UNPROCESSABLE_ENTITY
    default_detail = "La Idempotency-Key ya se usó con otra solicitud."
    default_code = "idempotency_mismatch"


class Claim:
    """A key claimed by this request, to be kept with its answer or given up."""

    def __init__(self, row_id: int) -> None:
        self._row_id = row_id

    def keep(self, content_type: str, body: bytes, subject: str = "") -> None:
        """Store the answer, under the name of what it is to be erased with, if anything."""
        IdempotentAnswer.objects.filter(pk=self._row_id).update(
            finished_at=timezone.now(), content_type=content_type[:100], body=body, subject=subject
        )

    def give_up(self) -> None:
        """Let the key be used again: there is no answer to repeat."""
        IdempotentAnswer.objects.filter(pk=self._row_id).delete()


def claim(request: HttpRequest, api_key: ApiKey, key: str) -> Claim | HttpResponse:
    """Claim a key, or return the answer that it already has; synchronous.

    Raises:
        IdempotencyConflict: The first request is still at work.
        IdempotencyMismatch: The key belongs to another request, or is not one.
    """
    if not key or len(key) > LONGEST_KEY or not key.isprintable():
        raise IdempotencyMismatch(
            f"La Idempotency-Key debe tener entre 1 y {LONGEST_KEY} caracteres visibles."
        )
    fingerprint = _fingerprint(request)
    try:
        with transaction.atomic():
            row = IdempotentAnswer.objects.create(
                api_key=api_key, key=key, fingerprint=fingerprint, process=process.announce()
            )
    except IntegrityError:
        return _repeat(api_key, key, fingerprint)
    return Claim(row.pk)


def _repeat(api_key: ApiKey, key: str, fingerprint: str) -> Claim | HttpResponse:
    row = IdempotentAnswer.objects.filter(api_key=api_key, key=key).first()
    if row is None:  # given up just now
        raise IdempotencyConflict
    if row.fingerprint != fingerprint:
        raise IdempotencyMismatch
    if row.finished_at is not None:
        response = HttpResponse(bytes(row.body), content_type=row.content_type)
        response.headers["Idempotent-Replayed"] = "true"
        return response
    if _is_abandoned(row):
        # Of several heirs one gets it.
        inherited = IdempotentAnswer.objects.filter(
            pk=row.pk, finished_at=None, claimed_at=row.claimed_at
        ).update(claimed_at=timezone.now(), process=process.announce())
        if inherited:
            return Claim(row.pk)
    raise IdempotencyConflict


def _is_abandoned(row: IdempotentAnswer) -> bool:
    """Tell whether nobody is at work on it: its process died, or one of another host took too long."""
    longest = timedelta(seconds=settings.ANTHROPIC_TOTAL_TIMEOUT + 60)
    return process.has_died(row.process) or row.claimed_at < timezone.now() - longest


def _fingerprint(request: HttpRequest) -> str:
    content = f"{request.method} {request.get_full_path()}\n".encode() + _whole_body(request)
    return hashlib.sha256(content).hexdigest()


def _whole_body(request: HttpRequest) -> bytes:
    """Return the body and leave it to be read again; a batch's is larger than ``body`` may be.

    The server has already refused what no endpoint takes (``MAX_REQUEST_BYTES``).
    """
    try:
        return request.body
    except RequestDataTooBig:
        request._body = request.read()
        request._stream = io.BytesIO(request._body)  # as Django's own ``body`` does
        return request._body


def mark(response: HttpResponseBase, is_complete: Callable[[], bool], *, subject: str = "") -> None:
    """Say how to tell, once a response with status 200 has come to its end, whether to keep it.

    A response without this is complete: its status says all.

    Args:
        response: The response.
        is_complete: Asked at its end.
        subject: What the answer is erased with, such as a conversation.
    """
    response.is_complete = is_complete  # type: ignore[attr-defined]
    response.idempotency_subject = subject  # type: ignore[attr-defined]


def _subject(response: HttpResponseBase) -> str:
    return getattr(response, "idempotency_subject", "")


def _is_complete(response: HttpResponseBase) -> bool:
    judge: Callable[[], bool] | None = getattr(response, "is_complete", None)
    return response.status_code == status.HTTP_200_OK and (judge is None or judge())


async def conclude(found: Claim, response: HttpResponseBase) -> HttpResponseBase:
    """Keep a complete answer; of one that streams this is known when it has come to its end."""
    if isinstance(response, StreamingHttpResponse) and response.status_code == status.HTTP_200_OK:
        recorded = _recorded(found, response, response.streaming_content)
        await anext(recorded)
        response.streaming_content = recorded
    elif isinstance(response, HttpResponse) and _is_complete(response):
        body = _rendered(response)
        await finish(hop(found.keep, _content_type(response), body, _subject(response)))
    else:
        await finish(hop(found.give_up))
    return response


def conclude_at_once(found: Claim, response: HttpResponse) -> HttpResponse:
    """Keep the answer of a synchronous view."""
    if _is_complete(response):
        body = _rendered(response)
        found.keep(_content_type(response), body)
    else:
        found.give_up()
    return response


async def _recorded(found: Claim, response: HttpResponseBase, source: Any) -> AsyncIterator[bytes]:
    chunks: list[bytes] = []
    complete = False
    try:
        yield b""  # begun at once: what nobody begins to read is never closed, and holds its key
        async for chunk in source:
            chunks.append(chunk)
            yield chunk
        complete = _is_complete(response)
    finally:
        if complete:
            body = b"".join(chunks)
            await finish(hop(found.keep, _content_type(response), body, _subject(response)))
        else:
            await finish(hop(found.give_up))


def _rendered(response: HttpResponse) -> bytes:
    if not getattr(response, "is_rendered", True):
        response.render()  # type: ignore[attr-defined]  # a DRF response, still unrendered
    return response.content


def _content_type(response: HttpResponseBase) -> str:
    return response.headers.get("Content-Type", "application/json")


def forget_old() -> int:
    """Delete what has been kept long enough."""
    deleted, _ = IdempotentAnswer.objects.filter(claimed_at__lt=timezone.now() - KEPT).delete()
    return deleted
