"""``manage.py sweep_calls``: settle what a crash left open. The server does it by itself as well."""

from django.core.management.base import BaseCommand

from usage.accounting.sweep import sweep


class Command(BaseCommand):
    help = "Liquida las llamadas que un proceso interrumpido dejó abiertas."

    def handle(self, *args: object, **options: object) -> None:
        swept = sweep()
        self.stdout.write(
            f"Reproducidas: {swept.replayed}. Interrumpidas: {swept.settled}. "
            f"Abiertas, en curso: {swept.open}."
        )
