"""WebSocket routes."""

from django.urls import path

from chat.consumers import ChatConsumer, OriginIfPresent

websocket_urlpatterns = [path("ws/chat/", OriginIfPresent(ChatConsumer.as_asgi()))]
