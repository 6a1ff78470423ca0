from django.apps import AppConfig
from prometheus_client import REGISTRY


class KnowledgeConfig(AppConfig):
    """What the service knows, and how to find it."""

    name = "knowledge"
    verbose_name = "Base de conocimiento"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register what is measured when Prometheus asks."""
        # Needs the models, which are loaded only now.
        from knowledge.metrics import PassagesCollector
        from knowledge.monitoring.metrics import MonitorCollector

        REGISTRY.register(PassagesCollector())
        REGISTRY.register(MonitorCollector())
