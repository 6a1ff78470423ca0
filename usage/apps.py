from importlib import import_module

from django.apps import AppConfig
from django.core.checks import register
from django.db.models.signals import post_delete, post_migrate, post_save


class UsageConfig(AppConfig):
    """Who may call, how much, and what it cost."""

    name = "usage"
    verbose_name = "Uso y costos"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the OpenAPI extension, the system check, and what follows a change of the tables."""
        import_module("usage.http.openapi")
        checks = import_module("usage.checks")
        prices = import_module("usage.accounting.prices")
        rollup = import_module("usage.accounting.rollup")
        remembered = import_module("usage.accounting.remembered")
        register(checks.check_models)
        for changed in (post_save, post_delete):
            for model in (self.get_model("Budget"), self.get_model("ModelPrice")):
                changed.connect(remembered.forget, sender=model, dispatch_uid=f"usage.{model}")
        post_migrate.connect(prices.seed, sender=self, dispatch_uid="usage.prices.seed")
        post_migrate.connect(rollup.ensure, sender=self, dispatch_uid="usage.rollup.ensure")
