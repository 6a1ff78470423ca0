"""``manage.py create_api_key NAME``: issue an API key and print its secret as the last line."""

from argparse import ArgumentParser
from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from usage.models import ApiKey


class Command(BaseCommand):
    help = "Crea una clave de API y muestra su secreto, una sola vez, en la última línea."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="Para quién es la clave.")
        parser.add_argument("--days", type=int, help="Días de validez; sin plazo si se omite.")

    def handle(self, *args: Any, name: str, days: int | None, **options: Any) -> None:
        if not name.strip() or len(name) > 100:
            raise CommandError("El nombre debe tener entre 1 y 100 caracteres.")
        if days is not None and days <= 0:
            raise CommandError("Los días de validez deben ser positivos.")
        expires_at = timezone.now() + timedelta(days=days) if days else None
        key, secret = ApiKey.objects.issue(name=name.strip(), expires_at=expires_at)
        self.stdout.write(f"Clave creada: {key}. Guárdela: no se volverá a mostrar.")
        self.stdout.write(secret)
