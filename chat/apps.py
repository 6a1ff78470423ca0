from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Conversations answered from the knowledge base."""

    name = "chat"
    verbose_name = "Conversaciones"
    default_auto_field = "django.db.models.BigAutoField"
