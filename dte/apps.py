from django.apps import AppConfig
from django.conf import settings


class DteConfig(AppConfig):
    """Chilean electronic tax documents and the rules they must meet."""

    name = "dte"
    verbose_name = "Documentos tributarios"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Stop the process at its start if the configured keys or certificates cannot be read.

        Found later, inside a rule, the mistake would only make every document a case for review.
        """
        if settings.DTE_CAF_AUTHORITY_KEYS or settings.DTE_TRUSTED_CERTIFICATES:
            from dte.crypto.authorities import caf_authority_keys, trusted_issuers

            caf_authority_keys()
            trusted_issuers()
