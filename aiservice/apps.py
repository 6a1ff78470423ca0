from axes.apps import AppConfig as Axes
from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate
from prometheus_client import REGISTRY

from aiservice.checks import check_transport
from usage import tracing


class AiserviceConfig(AppConfig):
    """The composition root: wires the other applications, decides nothing itself."""

    default = True  # beside the classes of axes, which this module imports and names
    name = "aiservice"
    verbose_name = "Servicio de IA"

    def ready(self) -> None:
        """Register what is measured when Prometheus asks, and the deployment check."""
        register(check_transport, Tags.security, deploy=True)
        # Needs the models, which are loaded only now.
        from aiservice import audit, groups
        from aiservice.metrics import DependencyCollector

        audit.start()
        # Of the applications with tables chat is the last: by then every permission is there.
        last = apps.get_app_config("chat")
        post_migrate.connect(groups.ensure, sender=last, dispatch_uid="aiservice.groups")

        REGISTRY.register(DependencyCollector())
        if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
            tracing.start(settings.OTEL_EXPORTER_OTLP_ENDPOINT, settings.VERSION)


class LoginsConfig(Axes):  # type: ignore[misc]  # axes ships no types
    """Attempts to enter the admin, under a name that people know."""

    default = False
    verbose_name = "Ingresos a la administración"
