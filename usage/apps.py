from django.apps import AppConfig


class UsageConfig(AppConfig):
    """Who may call, how much, and what it cost."""

    name = "usage"
    verbose_name = "Uso y costos"
    default_auto_field = "django.db.models.BigAutoField"
