"""Validation over HTTP."""

from typing import cast
from uuid import UUID

from channels.db import database_sync_to_async
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dte import review, schema, serializers
from dte.desk import answer, answer_at_once, validate
from dte.examining.given import Given
from dte.history.listing import Pages, matching
from dte.history.record import report_outcome
from dte.intake import (
    Options,
    Submission,
    parsed,
    read_options,
    take_batch,
    take_given,
)
from dte.judging.batch import MAX_BATCH_BYTES, ZIP_MAGIC
from dte.judging.examined import Examined
from dte.judging.report import Report
from dte.models import Validation
from dte.parsing.json import is_document
from dte.stream import CONTENT_TYPE, Stream
from usage.access.limits import Limited
from usage.http import idempotency
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey
from usage.models.scope import Scope

_ABOUT_THE_CALL = frozenset(
    {"company_id", "history", "mode", "ai", "as_of", "receptor", "ambiente"}
)


class LegacyValidateView(MeteredAPIView):
    """``POST /api/ai/validate``: the path and fields that Odoo clients already use."""

    scope = Scope.VALIDATE
    limited_as = Limited.VALIDATION

    @extend_schema(**schema.LEGACY)
    async def post(self, request: Request) -> Response:
        """Judge the document in ``dte_data``."""
        body = (await parsed(request._request)).json
        if not isinstance(body, dict) or not ("dte_data" in body or is_document(body)):
            raise ValidationError({"dte_data": ["Este campo es obligatorio."]})
        # One client sends the document bare, what else it says beside it.
        bare = {name: value for name, value in body.items() if name not in _ABOUT_THE_CALL}
        data = body.get("dte_data", bare)
        told = body.get("history")
        history = tuple(told) if isinstance(told, list) else ()
        submission = Submission(json=data, history=history)
        if isinstance(data, str) and data.lstrip().startswith("<"):
            submission = Submission(xml=_encode(data), history=history)
        options = read_options({**body, **request.query_params.dict()})
        report = await validate(submission, options, _caller(request, options))
        return _respond(report, review.for_old_clients(report))


def _respond(found: Report | Examined, data: dict[str, object] | None = None) -> Response:
    """Return the answer; where a review is missing, its Idempotency-Key may be used for another try."""
    response = Response(found.as_dict() if data is None else data)
    if isinstance(found, Report):
        whole = review.is_whole(found)
        idempotency.mark(response, lambda: whole)
    return response


def _encode(text: str) -> bytes:
    """Return XML that came inside JSON as the bytes its declaration promises."""
    declared = "iso-8859-1" if "iso-8859-1" in text[:100].lower() else "utf-8"
    return text.encode(declared, errors="xmlcharrefreplace")


class ValidateView(MeteredAPIView):
    """``POST /api/dte/validate``: a document, or any file that an issuer has in hand."""

    scope = Scope.VALIDATE
    limited_as = Limited.VALIDATION

    given: Given
    asked: Options

    def at_once(self, request: Request) -> Response | None:
        """Judge the file in the hop in which the request is checked, if Claude is not to be asked."""
        if request.method != "POST" or _wants_lines(request):
            return None
        self.given = take_given(request._request)
        self.asked = read_options(self.given.fields)
        if self.given.content.startswith(ZIP_MAGIC) or review.possible(self.asked.ai):
            return None
        caller = _caller(request, self.asked)
        return _respond(answer_at_once(self.given, self.asked, caller))

    @extend_schema(**schema.VALIDATE)
    async def post(self, request: Request) -> HttpResponseBase:
        """Judge the file in the body; line by line for a client that accepts NDJSON."""
        if _wants_lines(request):
            return await _stream(request)
        caller = _caller(request, self.asked)
        if self.given.content.startswith(ZIP_MAGIC):
            return Response(await Stream(self.given.content, self.asked, caller).whole())
        return _respond(await answer(self.given, self.asked, caller))


def _wants_lines(request: Request) -> bool:
    return CONTENT_TYPE in request.headers.get("Accept", "")


class BatchView(MeteredAPIView):
    """``POST /api/dte/validate/batch``: a large envelope or a ZIP, answered line by line."""

    scope = Scope.VALIDATE
    limited_as = Limited.BATCH

    @extend_schema(**schema.BATCH)
    async def post(self, request: Request) -> HttpResponseBase:
        """Judge every document; results leave as they are ready."""
        return await _stream(request)


async def _stream(request: Request) -> StreamingHttpResponse:
    options = read_options(request.query_params.dict())
    caller = _caller(request, options)
    stream = Stream(take_batch(request._request, MAX_BATCH_BYTES), options, caller)
    return StreamingHttpResponse(await stream.lines(), content_type=CONTENT_TYPE)


class ValidationsView(MeteredAPIView):
    """``GET /api/dte/validations``: what the key has had validated, newest first."""

    scope = Scope.VALIDATE

    @extend_schema(**schema.LIST)
    async def get(self, request: Request) -> Response:
        """Return one page of the validations that the filters leave."""
        asked = serializers.ListParameters(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        response: Response = await database_sync_to_async(_page)(request, asked.validated_data)
        return response


class ValidationView(MeteredAPIView):
    """``/api/dte/validations/{id}``: a past answer, read again or erased."""

    scope = Scope.VALIDATE

    @extend_schema(**schema.READ)
    async def get(self, request: Request, pk: UUID) -> Response:
        """Return the stored answer."""
        return Response(await database_sync_to_async(_stored)(_caller(request), pk))

    @extend_schema(**schema.ERASE)
    async def delete(self, request: Request, pk: UUID) -> Response:
        """Erase the answer and everything kept of its document."""
        await database_sync_to_async(_erase)(_caller(request), pk)
        return Response(status=status.HTTP_204_NO_CONTENT)


class OutcomeView(MeteredAPIView):
    """``POST /api/dte/validations/{id}/outcome``: what the SII really answered."""

    scope = Scope.VALIDATE

    @extend_schema(**schema.OUTCOME)
    async def post(self, request: Request, pk: UUID) -> Response:
        """Keep the SII's answer, by which the rules' precision is measured."""
        given = serializers.OutcomeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        outcome: dict[str, object] = given.validated_data
        return Response(await database_sync_to_async(_answer)(_caller(request), pk, **outcome))


def _caller(request: Request, options: Options | None = None) -> ApiKey:
    key = cast(ApiKey, request.auth)
    return key if options is None else key.acting_for(options.end_user)


def _own(api_key: ApiKey, pk: UUID) -> Validation:
    """A validation belongs to the account whose key asked for it; to any other it does not exist."""
    return get_object_or_404(Validation, pk=pk, api_key__account=api_key.account_id)


def _page(request: Request, asked: dict[str, object]) -> Response:
    pages = Pages()
    rows = pages.paginate_queryset(matching(_caller(request), asked), request) or []
    return pages.get_paginated_response([row.as_row() for row in rows])


def _stored(api_key: ApiKey, pk: UUID) -> dict[str, object]:
    return _own(api_key, pk).as_dict()


def _erase(api_key: ApiKey, pk: UUID) -> None:
    _own(api_key, pk).delete()


def _answer(
    api_key: ApiKey, pk: UUID, *, outcome: str, codes: list[str], detail: str
) -> dict[str, object]:
    validation = _own(api_key, pk)
    report_outcome(validation, outcome, codes, detail)
    return validation.as_dict()
