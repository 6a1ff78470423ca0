"""Tokens for the chat on another site's page."""

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request
from rest_framework.response import Response

from chat.views.caller import TAGS, caller_of
from usage.access import visitors
from usage.access.limits import Limited
from usage.http.end_user import EndUserSerializer
from usage.http.metered import MeteredAPIView
from usage.http.strict import StrictSerializer
from usage.models.scope import Scope


class VisitorSerializer(StrictSerializer, EndUserSerializer):
    """For whom a token is."""


class TokenSerializer(serializers.Serializer[None]):
    """What a visitor's browser sends instead of a key."""

    token = serializers.CharField(
        help_text="Se envía como una clave; sirve solo para el asistente."
    )
    expires_in = serializers.IntegerField(help_text="Segundos.")


class TokenView(MeteredAPIView):
    """A site's server asks for a token for one of its visitors."""

    limited_as = Limited.CHAT
    scope = Scope.CHAT

    @extend_schema(
        operation_id="chat_widget_token",
        summary="Obtener un token para un visitante",
        request=VisitorSerializer,
        responses=TokenSerializer,
        tags=TAGS,
    )
    async def post(self, request: Request) -> Response:
        """Sign a token; nothing is stored."""
        if caller_of(request).is_visitor:
            raise PermissionDenied("Un token no sirve para obtener otro.", code="visitor")
        form = VisitorSerializer(data=request.data)
        form.is_valid(raise_exception=True)
        token = visitors.issue(caller_of(request), form.validated_data["end_user"])
        return Response({"token": token, "expires_in": int(settings.CHAT_TOKEN_SECONDS)})
