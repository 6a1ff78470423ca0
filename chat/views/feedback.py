"""What people think of answers."""

from channels.db import database_sync_to_async
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from chat.answering.feedback import rate
from chat.serializers import FeedbackSerializer
from chat.views.caller import TAGS, caller_of
from usage.access.limits import Limited
from usage.http.metered import MeteredAPIView
from usage.models.scope import Scope


class FeedbackView(MeteredAPIView):
    """What the user thought of an answer."""

    scope = Scope.CHAT
    limited_as = Limited.CHAT

    @extend_schema(
        operation_id="chat_message_feedback",
        summary="Valorar una respuesta",
        request=FeedbackSerializer,
        responses=FeedbackSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request, message_id: int) -> Response:
        """Keep the rating, or take it back with null; a bad one puts the question on the editors' list."""
        serializer = FeedbackSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        rating = serializer.validated_data["rating"] or ""
        reason = serializer.validated_data.get("reason") or "" if rating else ""
        await database_sync_to_async(rate)(caller_of(request), message_id, rating, reason)
        return Response({"rating": rating or None, "reason": reason})
