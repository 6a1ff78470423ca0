"""Routes of the chat."""

from django.templatetags.static import static
from django.urls import path
from django.utils.functional import lazy
from django.views.generic import RedirectView

from chat.page import page
from chat.views import asking, feedback, sessions, widget

urlpatterns = [
    path("", page, name="page"),
    # Browsers ask for it on pages that name no icon. Lazy: static names are known after collectstatic.
    path("favicon.ico", RedirectView.as_view(url=lazy(static, str)("chat/favicon.svg"))),
    path(
        "api/chat/session/new",
        sessions.NewSessionView.as_view(),
        {"session_id": "new"},  # which a conversation may be called, too
        name="chat-session-new",
    ),
    path("api/chat/widget/token", widget.TokenView.as_view(), name="chat-widget-token"),
    path(
        "api/chat/conversations",
        sessions.ConversationsView.as_view(),
        name="chat-conversations",
    ),
    path("api/chat", asking.AssistantView.as_view(), name="chat-assistant"),
    path("api/chat/message", asking.MessageView.as_view(), name="chat-message"),
    path("api/chat/message/stream", asking.MessageStreamView.as_view(), name="chat-message-stream"),
    path(
        "api/chat/message/<int:message_id>/feedback",
        feedback.FeedbackView.as_view(),
        name="chat-message-feedback",
    ),
    # A session id is any text, slashes included.
    path(
        "api/chat/session/<path:session_id>/events",
        asking.ResumeView.as_view(),
        name="chat-session-events",
    ),
    path(
        "api/chat/session/<path:session_id>/stop",
        asking.StopView.as_view(),
        name="chat-session-stop",
    ),
    path(
        "api/chat/session/<path:session_id>/export",
        sessions.ExportView.as_view(),
        name="chat-session-export",
    ),
    path("api/chat/session/<path:session_id>", sessions.SessionView.as_view(), name="chat-session"),
]
