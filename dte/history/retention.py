"""How long validations are kept, and how they are erased (Ley 19.628: no longer than needed)."""

from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils import timezone

from dte.documents.rut import tidy
from dte.models import KeyPolicy, Validation


def erase_expired(now: datetime | None = None) -> int:
    """Erase what is older than its key's retention, or than the service's; return how many."""
    now = now or timezone.now()
    policies = KeyPolicy.objects.exclude(retention_days=None)
    own = dict(policies.values_list("api_key_id", "retention_days"))
    default = Validation.objects.exclude(api_key_id__in=own)
    erased = _erase_before(default, now - timedelta(days=settings.DTE_RETENTION_DAYS))
    for api_key_id, days in own.items():
        of_key = Validation.objects.filter(api_key_id=api_key_id)
        erased += _erase_before(of_key, now - timedelta(days=days or 0))
    return erased


def _erase_before(validations: QuerySet[Validation], moment: datetime) -> int:
    return _erase(validations.filter(created_at__lt=moment))


def erase_taxpayer(rut: str) -> int:
    """Erase every validation in which a taxpayer is issuer or receiver; return how many."""
    rut = tidy(rut)
    return _erase(Validation.objects.filter(Q(issuer=rut) | Q(receiver=rut)))


def _erase(validations: QuerySet[Validation]) -> int:
    _, by_model = validations.delete()
    return by_model.get("dte.Validation", 0)
