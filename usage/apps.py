from importlib import import_module

from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Who may call, how much, and what it cost."""

    name = "usage"
    verbose_name = "Uso y costos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what only has to be imported: the OpenAPI extension."""
        import_module("usage.schema")
