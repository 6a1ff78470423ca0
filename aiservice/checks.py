"""Deployment checks in place of Django's, which knows its middleware by name and not by class."""

from django.conf import settings
from django.core.checks import CheckMessage, Warning


def check_transport(**kwargs: object) -> list[CheckMessage]:
    """Warn of what may be turned off only where a proxy does it instead."""
    found: list[CheckMessage] = []
    if not settings.SECURE_HSTS_SECONDS:
        found.append(Warning("SECURE_HSTS_SECONDS is 0: no HSTS header.", id="aiservice.W001"))
    if not settings.SECURE_SSL_REDIRECT:
        found.append(
            Warning("SECURE_SSL_REDIRECT is off: pages are served over HTTP.", id="aiservice.W002")
        )
    return found
