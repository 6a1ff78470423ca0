"""Routes of the chat."""

from django.urls import path

from chat import views
from chat.page import page

urlpatterns = [
    path("", page, name="page"),
    path("api/chat/session/new", views.NewSessionView.as_view(), name="chat-session-new"),
    path("api/chat/message", views.MessageView.as_view(), name="chat-message"),
    path("api/chat/message/stream", views.MessageStreamView.as_view(), name="chat-message-stream"),
    # A session id is any text, slashes included.
    path("api/chat/session/<path:session_id>", views.SessionView.as_view(), name="chat-session"),
]
