"""Routes of the chat."""

from django.urls import path

from chat import views
from chat.page import page

urlpatterns = [
    path("", page, name="page"),
    path("api/chat/session/new", views.NewSessionView.as_view(), name="chat-session-new"),
    path("api/chat/message", views.MessageView.as_view(), name="chat-message"),
    path("api/chat/message/stream", views.MessageStreamView.as_view(), name="chat-message-stream"),
    path(
        "api/chat/message/<int:message_id>/feedback",
        views.FeedbackView.as_view(),
        name="chat-message-feedback",
    ),
    # A session id is any text, slashes included.
    path("api/chat/session/<path:session_id>", views.SessionView.as_view(), name="chat-session"),
]
