"""Conversations of the caller: read, open, delete."""

from collections.abc import Iterable
from typing import Final

from channels.db import database_sync_to_async
from django.db.models import Count, Q
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from chat import conversations
from chat.live import asking, stored
from chat.models import Conversation, Message
from chat.serializers import (
    AfterSerializer,
    ClearedSerializer,
    ConversationFilterSerializer,
    ConversationPageSerializer,
    ConversationSerializer,
    ExportedConversationSerializer,
    ExportFormatSerializer,
    ListedConversationSerializer,
    MessageSerializer,
    NewSessionSerializer,
    SessionSerializer,
    TitleSerializer,
)
from chat.views.caller import TAGS, caller_of, new_session_id
from usage.access.limits import Limited
from usage.http.metered import JsonAnyway, MeteredAPIView
from usage.models import ApiKey
from usage.models.scope import Scope

WELCOME: Final = (
    "¡Hola! Soy su asistente de facturación electrónica: DTE, SII y Odoo. "
    "Pregúnteme, por ejemplo, por un rechazo, por folios o por una nota de crédito."
)
# A client that shows a conversation needs its end; the whole of a long one is in the admin.
LATEST: Final = 200
JSON: Final = "application/json"


class SessionView(MeteredAPIView):
    """A conversation of the caller's key."""

    scope = Scope.CHAT

    @extend_schema(
        operation_id="chat_session",
        summary="Leer una conversación",
        parameters=[AfterSerializer],
        responses=ConversationSerializer,
        tags=TAGS,
    )
    async def get(self, request: Request, session_id: str) -> Response:
        """Return the conversation with its latest messages, or those after one."""
        form = AfterSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        after = form.validated_data.get("after", 0)
        caller = caller_of(request)
        body, latest = await database_sync_to_async(_read)(caller, session_id, after)
        turn_id = await asking.running_turn(caller, session_id, latest)
        return Response(body | {"running": {"turn_id": turn_id} if turn_id else None})

    @extend_schema(
        operation_id="chat_session_delete",
        summary="Borrar una conversación",
        responses={200: ClearedSerializer},
        tags=TAGS,
    )
    async def delete(self, request: Request, session_id: str) -> Response:
        """Delete the conversation; what it cost stays in the usage records."""
        turns = await database_sync_to_async(conversations.erase)(caller_of(request), session_id)
        await asking.forget(turns)
        # 200 with a body, not 204: existing clients take anything else for a failure.
        return Response(
            {"status": "cleared", "session_id": session_id, "message": "Conversación borrada."}
        )

    @extend_schema(
        operation_id="chat_session_rename",
        summary="Cambiar el título de una conversación",
        request=TitleSerializer,
        responses=TitleSerializer,
        tags=TAGS,
    )
    async def patch(self, request: Request, session_id: str) -> Response:
        """Rename the conversation."""
        form = TitleSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        rename = database_sync_to_async(conversations.rename)
        title = await rename(caller_of(request), session_id, form.validated_data["title"])
        return Response({"session_id": session_id, "title": title})


class ConversationsView(MeteredAPIView):
    """The conversations of the caller."""

    scope = Scope.CHAT

    @extend_schema(
        operation_id="chat_conversations",
        summary="Listar las conversaciones, la más reciente primero",
        parameters=[ConversationFilterSerializer],
        responses=ConversationPageSerializer,
        tags=TAGS,
    )
    async def get(self, request: Request) -> Response:
        """Return a page of them; `next` is the address of the one after."""
        response: Response = await database_sync_to_async(self._page)(request)
        return response

    def _page(self, request: Request) -> Response:
        form = ConversationFilterSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        pages = conversations.Pages()
        page = conversations.listed(caller_of(request), pages, request, **form.validated_data)
        rows = ListedConversationSerializer(page, many=True).data
        return pages.get_paginated_response(rows)


class AsAsked(JsonAnyway):
    """Leaves ``format`` to the view: to DRF it names a renderer."""

    def filter_renderers(
        self, renderers: Iterable[BaseRenderer], format: str | None
    ) -> list[BaseRenderer]:
        """Return all."""
        return list(renderers)


class ExportView(MeteredAPIView):
    """A conversation to keep elsewhere."""

    scope = Scope.CHAT
    content_negotiation_class = AsAsked

    @extend_schema(
        operation_id="chat_session_export",
        summary="Exportar una conversación",
        parameters=[ExportFormatSerializer],
        responses={
            (200, "application/json"): ExportedConversationSerializer,
            (200, "text/markdown"): str,
        },
        tags=TAGS,
    )
    async def get(self, request: Request, session_id: str) -> HttpResponse:
        """Return the whole conversation as a file."""
        form = ExportFormatSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        wanted = form.validated_data["format"]
        response: HttpResponse = await database_sync_to_async(_exported)(
            caller_of(request), session_id, wanted
        )
        return response


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
        caller = caller_of(request).acting_for(serializer.validated_data["end_user"])
        await database_sync_to_async(Conversation.objects.create)(
            api_key=caller,
            session_id=opened,
            user_context=context,
            end_user=caller.end_user,
        )
        return Response({"session_id": opened, "welcome_message": WELCOME})

    @extend_schema(exclude=True)
    async def get(self, request: Request, session_id: str) -> Response:
        """Read the conversation called «new»."""
        return await super().get(request, session_id)

    @extend_schema(exclude=True)
    async def patch(self, request: Request, session_id: str) -> Response:
        """Rename the conversation called «new»."""
        return await super().patch(request, session_id)

    @extend_schema(exclude=True)
    async def delete(self, request: Request, session_id: str) -> Response:
        """Delete the conversation called «new»."""
        return await super().delete(request, session_id)


def _exported(api_key: ApiKey, session_id: str, form: str) -> HttpResponse:
    found = conversations.exported(api_key, session_id)
    if form == "markdown":
        body: str | bytes = conversations.as_markdown(found)
        kind, ending = "text/markdown; charset=utf-8", "md"
    else:
        messages = MessageSerializer(found["messages"], many=True).data
        body, kind, ending = JSONRenderer().render({**found, "messages": messages}), JSON, "json"
    name = f"conversacion-{timezone.localdate():%Y-%m-%d}.{ending}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(body, content_type=kind, headers=headers)


def _read(
    api_key: ApiKey, session_id: str, after: int
) -> tuple[dict[str, object], stored.Stored | None]:
    conversation = Conversation.objects.of(api_key, session_id)
    messages = conversation.messages.all()
    counts = messages.aggregate(
        total=Count("pk"), asked=Count("pk", filter=Q(role=Message.Role.USER))
    )
    total, asked = counts["total"], counts["asked"]
    wanted = messages.filter(pk__gt=after) if after else messages
    latest = list(wanted.select_related("usage").order_by("-id")[:LATEST])[::-1]
    body = {
        "session_id": conversation.session_id,
        "title": conversations.shown_title(conversation, latest if total <= LATEST else None),
        "created_at": conversation.created_at,
        "updated_at": conversation.updated_at,
        "message_count": total,
        "messages": MessageSerializer(latest, many=True).data,
        "stats": {
            "total_messages": total,
            "user_messages": asked,
            "assistant_messages": total - asked,
        },
    }
    return body, stored.unanswered(api_key, conversation, latest)
