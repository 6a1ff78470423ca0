from django.apps import AppConfig


class KnowledgeConfig(AppConfig):
    """What the service knows, and how to find it."""

    name = "knowledge"
    verbose_name = "Base de conocimiento"
    default_auto_field = "django.db.models.BigAutoField"
