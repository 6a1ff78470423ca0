from importlib import import_module

from django.apps import AppConfig

from usage.accounting import attachments


class ChatConfig(AppConfig):
    """Conversations answered from the knowledge base."""

    name = "chat"
    verbose_name = "Conversaciones"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say what stores an answer with the settlement of its call."""
        record = import_module("chat.answering.record")
        attachments.register(record.ATTACHMENT, record.store)
