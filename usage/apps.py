from importlib import import_module

from django.apps import AppConfig
from django.core.checks import register
from django.db.models.signals import post_migrate


class UsageConfig(AppConfig):
    """Who may call, how much, and what it cost."""

    name = "usage"
    verbose_name = "Uso y costos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the OpenAPI extension, the system check and the seeding of prices."""
        import_module("usage.http.openapi")
        checks = import_module("usage.checks")
        prices = import_module("usage.accounting.prices")
        register(checks.check_models)
        post_migrate.connect(prices.seed, sender=self, dispatch_uid="usage.prices.seed")
