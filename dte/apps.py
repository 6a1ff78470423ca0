from django.apps import AppConfig


class DteConfig(AppConfig):
    """Chilean electronic tax documents and the rules they must meet."""

    name = "dte"
    verbose_name = "Documentos tributarios"
    default_auto_field = "django.db.models.BigAutoField"
