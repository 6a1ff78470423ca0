"""The chat's endpoints: parse, hand over to the domain, answer. Nothing is decided here."""

import uuid
from collections.abc import AsyncGenerator
from typing import Any, Final, cast

from channels.db import database_sync_to_async
from django.db import transaction
from django.db.models import Count, Q
from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat.answering.exchange import Question
from chat.answering.feedback import rate
from chat.ending import Ending
from chat.engine import answer
from chat.events import Done, Event, Text
from chat.models import Conversation, Message
from chat.serializers import (
    AssistantQuestionSerializer,
    ChatAnswerSerializer,
    ClearedSerializer,
    ConversationSerializer,
    FeedbackSerializer,
    MessageSerializer,
    NewSessionSerializer,
    QuestionSerializer,
    SessionSerializer,
)
from chat.sse import event_stream
from usage.access.limits import Limited
from usage.http import idempotency
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey

WELCOME: Final = (
    "¡Hola! Soy su asistente de facturación electrónica: DTE, SII y Odoo. "
    "Pregúnteme, por ejemplo, por un rechazo, por folios o por una nota de crédito."
)
TAGS: Final = ["Asistente"]
# A client that shows a conversation needs its end; the whole of a long one is in the admin.
LATEST: Final = 200


def new_session_id() -> str:
    """Return an id that nobody can guess."""
    return uuid.uuid4().hex


def question_from(data: Any, api_key: ApiKey) -> Question:
    """Check what a caller sent, by REST or WebSocket, and return the question in it.

    Raises:
        ValidationError: Field by field.
    """
    serializer = QuestionSerializer(data=data)
    serializer.is_valid(raise_exception=True)
    fields = serializer.validated_data
    return Question(
        api_key=api_key,
        session_id=fields.get("session_id") or new_session_id(),
        text=fields["message"],
        user_context=fields.get("user_context") or {},
    )


class MessageView(MeteredAPIView):
    """Ask, and get the answer in one piece."""

    limited_as = Limited.CHAT

    @extend_schema(
        operation_id="chat_message",
        summary="Preguntar",
        request=QuestionSerializer,
        responses=ChatAnswerSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request) -> Response:
        """Answer at status 200, from the model or without it."""
        question = question_from(request.data, _caller(request))
        ended = Ending()
        body = await _collect(ended.watch(answer(question, streaming=False)))
        response = Response(body)
        idempotency.mark(response, ended.is_complete)
        return response


class AssistantView(MeteredAPIView):
    """The same answer for clients of the universal assistant."""

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
            },
            _caller(request),
        )
        return Response(await _collect(answer(question, streaming=False)))


class MessageStreamView(MeteredAPIView):
    """Ask, and get the answer as it is written."""

    limited_as = Limited.CHAT

    @extend_schema(
        operation_id="chat_message_stream",
        summary="Preguntar y recibir la respuesta a medida que se escribe",
        request=QuestionSerializer,
        responses={
            (200, "text/event-stream"): OpenApiResponse(
                OpenApiTypes.STR,
                description='Líneas `data: {"type": "text" | "done" | "error", …}`; la última es '
                "siempre `done`, con los mismos campos que la respuesta en una pieza, o `error`.",
            )
        },
        tags=TAGS,
    )
    async def post(self, request: Request) -> StreamingHttpResponse:
        """Answer as Server-Sent Events."""
        question = question_from(request.data, _caller(request))
        ended = Ending()
        response = event_stream(ended.watch(answer(question, streaming=True)))
        idempotency.mark(response, ended.is_complete)
        return response


class FeedbackView(MeteredAPIView):
    """What the user thought of an answer."""

    limited_as = Limited.CHAT

    @extend_schema(
        operation_id="chat_message_feedback",
        summary="Valorar una respuesta",
        request=FeedbackSerializer,
        responses=FeedbackSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request, message_id: int) -> Response:
        """Keep the rating; a bad one puts the question on the editors' list."""
        serializer = FeedbackSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        rating = serializer.validated_data["rating"]
        await database_sync_to_async(rate)(_caller(request), message_id, rating)
        return Response({"rating": rating})


class SessionView(MeteredAPIView):
    """A conversation of the caller's key."""

    @extend_schema(
        operation_id="chat_session",
        summary="Leer una conversación",
        responses=ConversationSerializer,
        tags=TAGS,
    )
    async def get(self, request: Request, session_id: str) -> Response:
        """Return the conversation with its latest messages."""
        return Response(await database_sync_to_async(_read)(_caller(request), session_id))

    @extend_schema(
        operation_id="chat_session_delete",
        summary="Borrar una conversación",
        responses={200: ClearedSerializer},
        tags=TAGS,
    )
    async def delete(self, request: Request, session_id: str) -> Response:
        """Delete the conversation; what it cost stays in the usage records."""
        await database_sync_to_async(_delete)(_caller(request), session_id)
        # 200 with a body, not 204: existing clients take anything else for a failure.
        return Response(
            {"status": "cleared", "session_id": session_id, "message": "Conversación borrada."}
        )


class NewSessionView(SessionView):
    """Open a session; and read the one that is called «new», which is a text like any other."""

    limited_as = Limited.CHAT

    @extend_schema(
        operation_id="chat_session_new",
        summary="Abrir una sesión",
        request=SessionSerializer,
        responses=NewSessionSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request, session_id: str) -> Response:
        """Create the conversation and greet."""
        serializer = SessionSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        context = serializer.validated_data.get("user_context") or {}
        opened = new_session_id()
        await database_sync_to_async(Conversation.objects.create)(
            api_key=_caller(request), session_id=opened, user_context=context
        )
        return Response({"session_id": opened, "welcome_message": WELCOME})

    @extend_schema(exclude=True)
    async def get(self, request: Request, session_id: str) -> Response:
        """Read the conversation called «new»."""
        return await super().get(request, session_id)

    @extend_schema(exclude=True)
    async def delete(self, request: Request, session_id: str) -> Response:
        """Delete the conversation called «new»."""
        return await super().delete(request, session_id)


def _caller(request: Request) -> ApiKey:
    return cast(ApiKey, request.auth)


async def _collect(events: AsyncGenerator[Event, None]) -> dict[str, Any]:
    pieces: list[str] = []
    metadata: dict[str, Any] = {}
    async for event in events:
        match event:
            case Text():
                pieces.append(event.content)
            case Done():
                metadata = event.metadata
    return {"message": "".join(pieces), **metadata}


def _read(api_key: ApiKey, session_id: str) -> dict[str, Any]:
    conversation = Conversation.objects.of(api_key, session_id)
    messages = conversation.messages.all()
    counts = messages.aggregate(
        total=Count("pk"), asked=Count("pk", filter=Q(role=Message.Role.USER))
    )
    total, asked = counts["total"], counts["asked"]
    latest = list(messages.order_by("-id")[:LATEST])[::-1]
    return {
        "session_id": conversation.session_id,
        "created_at": conversation.created_at,
        "message_count": total,
        "messages": MessageSerializer(latest, many=True).data,
        "stats": {
            "total_messages": total,
            "user_messages": asked,
            "assistant_messages": total - asked,
        },
    }


@transaction.atomic
def _delete(api_key: ApiKey, session_id: str) -> None:
    # Locked, so that an answer just being stored is either deleted with it or never stored.
    Conversation.objects.select_for_update().of(api_key, session_id).delete()
