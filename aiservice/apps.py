from django.apps import AppConfig
from django.core.checks import Tags, register
from prometheus_client import REGISTRY

from aiservice.checks import check_transport


class AiserviceConfig(AppConfig):
    """The composition root: wires the other applications, decides nothing itself."""

    name = "aiservice"
    verbose_name = "Servicio de IA"

    def ready(self) -> None:
        """Register what is measured when Prometheus asks, and the deployment check."""
        register(check_transport, Tags.security, deploy=True)
        # Needs the models, which are loaded only now.
        from aiservice.metrics import DependencyCollector

        REGISTRY.register(DependencyCollector())
