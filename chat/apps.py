from importlib import import_module

from django.apps import AppConfig
from django.db.backends.signals import connection_created

from usage.accounting import attachments


class ChatConfig(AppConfig):
    """Conversations answered from the knowledge base."""

    name = "chat"
    verbose_name = "Conversaciones"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Say what stores an answer with the settlement of its call, and teach SQLite to fold words."""
        record = import_module("chat.answering.record")
        attachments.register(record.ATTACHMENT, record.store)
        connection_created.connect(import_module("chat.words").teach_to_fold)
