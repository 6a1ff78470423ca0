"""Asking: a question in, its answer out, in one piece or as it is written; resuming and stopping it."""

from contextlib import aclosing
from typing import Any, Final

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from chat.answering.attachments import File
from chat.answering.exchange import Exchange, Question
from chat.answering.turns import Action
from chat.ending import Ending
from chat.events import AnswerFailed, Last, Text
from chat.live import asking
from chat.live.asking import Events
from chat.live.turns import turn_id_of
from chat.serializers import (
    AssistantQuestionSerializer,
    ChatAnswerSerializer,
    QuestionSerializer,
    StoppedSerializer,
)
from chat.sse import event_stream
from chat.views.caller import TAGS, caller_of, new_session_id
from usage.access.limits import Limited
from usage.http import idempotency
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey
from usage.models.scope import Scope


def question_from(data: Any, api_key: ApiKey, idempotency_key: str | None = None) -> Question:
    """Check what a caller sent, by REST or WebSocket, and return the question in it.

    Raises:
        ValidationError: Field by field.
    """
    serializer = QuestionSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    fields = serializer.validated_data
    turn_id = fields.get("turn_id") or ""
    return Question(
        api_key=api_key.acting_for(fields["end_user"]),
        session_id=fields.get("session_id") or new_session_id(),
        text=fields.get("message") or "",
        user_context=fields.get("user_context") or {},
        action=Action(fields["action"]),
        files=tuple(File(**one) for one in fields.get("attachments") or ()),
        turn_id=turn_id or (turn_id_of(idempotency_key) if idempotency_key else ""),
    )


STOPPED: Final = {"detail": "Respuesta detenida.", "code": "stopped", "status": 409}
STREAM: Final = (
    'Líneas `data: {"type": "text" | "done" | "stopped" | "error", …}`; la última es siempre `done`, con '
    "los mismos campos que la respuesta en una pieza, `stopped` o `error`. Cada evento lleva un `id` con "
    "que se reanuda."
)
EVENT: Final = {
    "type": "object",
    "description": "Los campos de un evento.",
    "properties": {
        "id": {"type": "string"},
        "data": {"type": "string", "description": "JSON, con su clase en `type`."},
    },
}


class QuestionView(MeteredAPIView):
    """Takes a question, and prepares it in the hop in which its request is checked."""

    scope = Scope.CHAT
    limited_as = Limited.CHAT
    question: Question
    exchange: Exchange | None

    def at_once(self, request: Request) -> None:
        """Take the question; the answer is the handler's."""
        if request.method == "POST":
            key = request.headers.get(idempotency.HEADER)
            self.question = question_from(request.data, caller_of(request), key)
            self.exchange = asking.prepared_at_once(self.question)

    async def events(self, *, streaming: bool) -> Events:
        """Begin to answer."""
        return await asking.ask(self.question, streaming=streaming, exchange=self.exchange)


class MessageView(QuestionView):
    """Ask, and get the answer in one piece."""

    @extend_schema(
        operation_id="chat_message",
        summary="Preguntar",
        request=QuestionSerializer,
        responses=ChatAnswerSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request) -> Response:
        """Answer at status 200, from the model or without it."""
        body, ending = await _collect(await self.events(streaming=False))
        response = Response(body)
        idempotency.mark(response, ending.is_complete, subject=self.question.session_id)
        return response


class AssistantView(MeteredAPIView):
    """The same answer for clients of the universal assistant."""

    scope = Scope.CHAT

    @extend_schema(
        operation_id="chat_assistant",
        summary="Preguntar al asistente universal",
        request=AssistantQuestionSerializer,
        responses=ChatAnswerSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request) -> Response:
        """Answer as JSON whatever ``stream`` says: existing clients read nothing else."""
        form = AssistantQuestionSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        asked = form.validated_data
        question = question_from(
            {
                "message": asked["message"],
                "session_id": asked.get("session_id"),
                "user_context": asked.get("context"),
                "end_user": asked["end_user"],
            },
            caller_of(request),
            request.headers.get(idempotency.HEADER),
        )
        body, _ = await _collect(await asking.ask(question, streaming=False))
        return Response(body)


class MessageStreamView(QuestionView):
    """Ask, and get the answer as it is written."""

    @extend_schema(
        operation_id="chat_message_stream",
        summary="Preguntar y recibir la respuesta a medida que se escribe",
        request=QuestionSerializer,
        responses={(200, "text/event-stream"): OpenApiResponse(EVENT, description=STREAM)},
        tags=TAGS,
    )
    async def post(self, request: Request) -> HttpResponseBase:
        """Answer as Server-Sent Events."""
        ending = Ending()
        events = await self.events(streaming=True)
        response = event_stream(events, self.question.session_id, ending)
        idempotency.mark(response, ending.is_complete, subject=self.question.session_id)
        return response


class ResumeView(MeteredAPIView):
    """Go on reading an answer after a lost connection or a reload."""

    scope = Scope.CHAT

    @extend_schema(
        operation_id="chat_session_events",
        summary="Reanudar una respuesta",
        parameters=[
            OpenApiParameter(
                "Last-Event-ID",
                location=OpenApiParameter.HEADER,
                description="El último `id` recibido. Sin él, la respuesta en curso desde su comienzo.",
            ),
            OpenApiParameter(
                "last_event_id", description="Lo mismo, para quien no puede enviarlo."
            ),
        ],
        responses={
            (200, "text/event-stream"): OpenApiResponse(EVENT, description=STREAM),
            204: OpenApiResponse(description="No hay nada más que recibir."),
        },
        tags=TAGS,
    )
    async def get(self, request: Request, session_id: str) -> HttpResponseBase:
        """Send the events after the last one seen."""
        last = request.headers.get("Last-Event-ID") or request.query_params.get("last_event_id")
        events = await asking.resume(caller_of(request), session_id, last or "")
        if events is None:
            return HttpResponse(status=status.HTTP_204_NO_CONTENT)
        return event_stream(events, session_id)


class StopView(MeteredAPIView):
    """End the answer that is being given: leaving does so only after a while."""

    scope = Scope.CHAT

    @extend_schema(
        operation_id="chat_session_stop",
        summary="Detener la respuesta en curso",
        request=None,
        responses=StoppedSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request, session_id: str) -> Response:
        """Stop it, from wherever it is read; what was said so far is stored."""
        stopped = await asking.stop(caller_of(request), session_id)
        return Response({"status": "stopped" if stopped else "idle"})


async def _collect(events: Events) -> tuple[dict[str, Any], Ending]:
    pieces: list[str] = []
    ending = Ending()
    last: dict[str, Any] = {}
    async with aclosing(events):
        async for event in events:
            match event:
                case Text():
                    pieces.append(event.content)
                case Last():
                    ending, last = Ending(event), event.body
    if last["type"] == "stopped":
        raise AnswerFailed(STOPPED)
    if last["type"] == "error":
        raise AnswerFailed(last)
    return {"message": "".join(pieces), **last["metadata"]}, ending
