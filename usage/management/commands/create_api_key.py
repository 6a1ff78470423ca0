"""``manage.py create_api_key``: issue a key where there is no admin at hand."""

from argparse import ArgumentParser
from datetime import timedelta

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from usage.models import Account, ApiKey
from usage.models.api_key import check_networks
from usage.models.scope import Scope


class Command(BaseCommand):
    help = "Crea una clave de API y muestra su secreto, una sola vez, en la última línea."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="Para quién es la clave.")
        parser.add_argument("--days", type=int, help="Días de validez; sin plazo si se omite.")
        parser.add_argument(
            "--account", help="Nombre de una cuenta que ya existe; sin él se crea una."
        )
        parser.add_argument(
            "--scope",
            action="append",
            choices=Scope.values,
            help="Un permiso; se repite. Sin él, todos menos usage-all.",
        )
        parser.add_argument("--networks", default="", help="Redes permitidas, separadas por comas.")

    def handle(
        self,
        *args: object,
        name: str,
        days: int | None,
        account: str | None,
        scope: list[str] | None,
        networks: str,
        **options: object,
    ) -> None:
        if not name.strip() or len(name) > 100:
            raise CommandError("El nombre debe tener entre 1 y 100 caracteres.")
        if days is not None and days <= 0:
            raise CommandError("Los días de validez deben ser positivos.")
        try:
            check_networks(networks)
        except ValidationError as exc:
            raise CommandError(exc.messages[0]) from None
        fields: dict[str, object] = {"scopes": scope} if scope else {}
        key, secret = ApiKey.objects.issue(
            name=name.strip(),
            account=None if account is None else _account(account),
            expires_at=timezone.now() + timedelta(days=days) if days else None,
            networks=networks,
            **fields,
        )
        self.stdout.write(f"Clave creada: {key}. Guárdela: no se volverá a mostrar.")
        self.stdout.write(secret)


def _account(name: str) -> Account:
    found = list(Account.objects.filter(name=name)[:2])
    if len(found) != 1:
        what = "Hay varias cuentas con" if found else "No hay ninguna cuenta con"
        raise CommandError(f"{what} ese nombre.")
    return found[0]
