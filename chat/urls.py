"""Routes of the chat."""

from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from chat import views
from chat.page import page

urlpatterns = [
    path("", page, name="page"),
    # Browsers ask for it on pages that name no icon. Lazy: static names are known after collectstatic.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("chat/favicon.svg"))),
    path(
        "api/chat/session/new",
        views.NewSessionView.as_view(),
        {"session_id": "new"},  # which a conversation may be called, too
        name="chat-session-new",
    ),
    path("api/chat", views.AssistantView.as_view(), name="chat-assistant"),
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
