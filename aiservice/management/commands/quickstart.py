"""Prepare a development installation and serve it: what ``make run`` does."""

import logging
import secrets
import shlex
import socket
import sys
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from aiservice.serve import serve
from usage.models import ApiKey

KEY_NAME: Final = "development"
ADMIN_NAME: Final = "admin"
QUESTION: Final = "¿Cuándo vence un CAF?"
EXAMPLE: Final = "chat/static/chat/samples/factura.xml"


@dataclass(frozen=True)
class Credentials:
    """What was made just now and can be shown only once; ``None`` for what existed already."""

    key: str | None
    password: str | None


class Command(BaseCommand):
    help = (
        "Migrate, load the knowledge, make a development key and an administrator once, and serve "
        "on HOST and PORT."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--prepare-only", action="store_true", help="do not serve")

    def handle(self, *args: object, prepare_only: bool, **options: object) -> None:
        if settings.PRODUCTION:
            raise CommandError("quickstart is for development; see docs/operations.md.")
        if not prepare_only:
            require_free_address(settings.HOST, settings.PORT)
        self.stdout.write(
            "Preparing database and knowledge: seconds; at the first start up to a minute"
        )
        self.stdout.flush()
        call_command("migrate", verbosity=0)
        self.stdout.write("Knowledge ", ending="")
        with quiet("knowledge"):
            # The shipped documents bring their vectors; computing others would take minutes.
            call_command("load_knowledge", no_embed=True, stdout=self.stdout)
        credentials = Credentials(key=make_key(), password=make_administrator())
        self.stdout.write(guide(credentials, base_url(settings.HOST, settings.PORT)))
        self.stdout.flush()
        if not prepare_only:
            serve(settings.HOST, settings.PORT)


@contextmanager
def quiet(name: str) -> Iterator[None]:
    """Keep a logger's progress out of what a newcomer reads."""
    logger = logging.getLogger(name)
    level = logger.level
    logger.setLevel(logging.WARNING)
    yield
    logger.setLevel(level)


def require_free_address(host: str, port: int) -> None:
    """Fail before anything is made: a secret shown above an error message is easily missed.

    Raises:
        CommandError: Another process listens there, or the address is not ours.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            # As the server does: an address in TIME_WAIT after a restart is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else exc
        raise CommandError(
            f"Cannot listen on {host}:{port}: {reason}. "
            "Choose a free address: make run HOST=127.0.0.1 PORT=8001"
        ) from None


def make_key() -> str | None:
    """Issue the development key unless it exists; return its secret if it is new."""
    if ApiKey.objects.filter(name=KEY_NAME).exists():
        return None
    _, secret = ApiKey.objects.issue(name=KEY_NAME)
    return secret


def make_administrator() -> str | None:
    """Create the administrator unless there is one; return the password if it is new."""
    users = get_user_model().objects
    if users.filter(is_superuser=True).exists():
        return None
    password = secrets.token_urlsafe(12)
    users.create_superuser(ADMIN_NAME, password=password)
    return password


def base_url(host: str, port: int) -> str:
    """Return the address to type into a browser on this machine."""
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def manage_command() -> str:
    """Return what to type in another shell, with the variables that decide on the database."""
    variables = ""
    if settings.STATE_DIR != settings.BASE_DIR / "var":
        variables += f"STATE_DIR={shlex.quote(str(settings.STATE_DIR))} "
    if settings.DATABASES["default"]["NAME"] != settings.STATE_DIR / "aiservice.sqlite3":
        variables += "DATABASE_URL=… "  # it may hold a password
    return f"{variables}{shlex.quote(sys.executable)} manage.py"


def guide(credentials: Credentials, url: str) -> str:
    """Say what to try next."""
    manage = manage_command()
    if credentials.key:
        key = f"export KEY={credentials.key}    # shown once, stored hashed"
    else:
        key = (
            f"export KEY=…    # shown at the first start; another one: {manage} create_api_key NAME"
        )
    page = f"{url}/#key={credentials.key}" if credentials.key else f"{url}/"
    if credentials.password:
        login = f"user {ADMIN_NAME}, password {credentials.password} (shown once)"
    else:
        login = (
            f"password shown at the first start; a new one: {manage} changepassword {ADMIN_NAME}"
        )
    return f"""
  API key    {key}
  Chat page  {page}
  Admin      {url}/admin/    {login}
  API        {url}/api/docs/

  Validate a sample DTE:
    curl {url}/api/dte/validate -H "Authorization: Bearer $KEY" \\
      -H "Content-Type: application/xml" --data-binary @{EXAMPLE}

  Stream an answer:
    curl -N {url}/api/chat/message/stream -H "Authorization: Bearer $KEY" \\
      -H "Content-Type: application/json" -d '{{"message": "{QUESTION}"}}'

  Serving on {url} – Ctrl-C stops it.
"""
