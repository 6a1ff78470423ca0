from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_delete, post_save


class DteConfig(AppConfig):
    """Chilean electronic tax documents and the rules they must meet."""

    name = "dte"
    verbose_name = "Documentos tributarios"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Stop the process at its start if the configured keys or certificates cannot be read.

        Found later, inside a rule, the mistake would only make every document a case for review.
        """
        from usage.accounting import remembered

        for changed in (post_save, post_delete):
            policy = self.get_model("KeyPolicy")
            changed.connect(remembered.forget, sender=policy, dispatch_uid="dte.KeyPolicy")
        if settings.DTE_CAF_AUTHORITY_KEYS or settings.DTE_TRUSTED_CERTIFICATES:
            from dte.crypto.authorities import caf_authority_keys, trusted_issuers

            caf_authority_keys()
            trusted_issuers()
