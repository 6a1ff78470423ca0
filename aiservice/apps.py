from django.apps import AppConfig


class AiserviceConfig(AppConfig):
    """The composition root: wires the other applications, decides nothing itself."""

    name = "aiservice"
    verbose_name = "Servicio de IA"
