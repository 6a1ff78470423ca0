from django.apps import AppConfig
from prometheus_client import REGISTRY


class AiserviceConfig(AppConfig):
    """The composition root: wires the other applications, decides nothing itself."""

    name = "aiservice"
    verbose_name = "Servicio de IA"

    def ready(self) -> None:
        """Register what is measured when Prometheus asks."""
        # Needs the models, which are loaded only now.
        from aiservice.metrics import DependencyCollector

        REGISTRY.register(DependencyCollector())
