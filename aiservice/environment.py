"""Typed reading of environment variables: each is read as it was meant, or refused in one sentence.

Settings are typed by people into shells, Compose files and secrets: with a space after a comma, a
newline at the end, a dollar sign in front, in capitals, or empty. Whatever has one meaning is taken;
anything else ends the start with a sentence that names the variable and says what it takes, because a
default in its place would be found out much later.
"""

import os
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

import environ
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key

TRUE: Final = frozenset({"1", "true", "t", "yes", "y", "on", "ok"})
FALSE: Final = frozenset({"0", "false", "f", "no", "n", "off"})
# Longer than any wait that is meant, and less than what timers of the platform can hold.
LONGEST_SECONDS: Final = 86_400.0
MAIL_SECONDS: Final = 20
LARGEST_AMOUNT: Final = Decimal(10) ** 9
ENGINES: Final = frozenset({"django.db.backends.postgresql", "django.db.backends.sqlite3"})
HOST_NAME: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")
SERVED_NAME: Final = re.compile(r"\*|\.?[A-Za-z0-9-]+(\.[A-Za-z0-9*-]+)*\.?|\[[0-9A-Fa-f:.]+\]")


class Environment:
    """The variables of one environment.

    Any variable ``NAME`` may be given as ``NAME_FILE``, the path of a file that holds the value. White
    space around a value means nothing. An empty value means that the variable is not set, except for
    an amount of money, where it means that there is no limit.

    Every method raises ``ImproperlyConfigured`` for a value that it cannot read.

    Args:
        variables: By name; ``os.environ`` outside tests.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.variables = variables

    def given(self, name: str) -> str | None:
        """Return the value as it was given, or the content of its file; ``None`` if it is not set."""
        path = self.variables.get(f"{name}_FILE", "").strip()
        if not path:
            value = self.variables.get(name)
        else:
            try:
                value = Path(path).read_text(encoding="utf-8")
            except OSError as exc:
                refuse(f"{name}_FILE", f"the path of a readable file ({exc.strerror})", path)
            except UnicodeDecodeError:
                refuse(f"{name}_FILE", "the path of a file of text in UTF-8", path)
        return None if value is None else value.strip()

    def text(self, name: str, *, default: str = "") -> str:
        """Read a value that may be anything: a name, a password, a path."""
        return self.given(name) or default

    def choice(self, name: str, *choices: str, default: str = "") -> str:
        """Read one of a few words, however capitalised."""
        value = self.given(name)
        if not value:
            return default
        known = {choice.casefold(): choice for choice in choices}
        if value.casefold() not in known:
            refuse(name, " or ".join(choices), value)
        return known[value.casefold()]

    def flag(self, name: str, *, default: bool) -> bool:
        """Read yes or no."""
        value = self.given(name)
        if not value:
            return default
        if value.casefold() not in TRUE | FALSE:
            refuse(name, "true or false", value)
        return value.casefold() in TRUE

    def integer(self, name: str, *, default: int, low: int = 0, high: int | None = None) -> int:
        """Read a whole number from ``low`` up to ``high``."""
        value = self.given(name)
        if not value:
            return default
        try:
            number = int(value)
        except ValueError:
            number = low - 1
        if number < low or (high is not None and number > high):
            refuse(name, f"a whole number {span(low, high)}", value)
        return number

    def seconds(self, name: str, *, default: float, low: float = 0) -> float:
        """Read a time in seconds, up to a day."""
        value = self.given(name)
        if not value:
            return default
        try:
            number = float(value)
        except ValueError:
            number = -1.0
        if not low <= number <= LONGEST_SECONDS:  # nan is in no range
            refuse(name, f"a number of seconds {span(low, round(LONGEST_SECONDS))}", value)
        return number

    def rate(self, name: str, *, default: tuple[int, int] | None = None) -> tuple[int, int] | None:
        """Read requests per minute and how many may come at once: ``60/20``; ``0/1`` is no limit."""
        value = self.given(name)
        if not value:
            return default
        match = re.fullmatch(r"(\d{1,9})\s*/\s*([1-9]\d{0,8})", value)
        if match is None:
            refuse(name, "requests per minute and how many may come at once, such as 60/20", value)
        return int(match[1]), int(match[2])

    def dollars(self, name: str, *, default: str) -> Decimal | None:
        """Read an amount of US dollars; ``None`` is no limit."""
        given = self.given(name)
        value = default if given is None else given
        if not value:
            return None
        try:
            amount = Decimal(value.removeprefix("US").removeprefix("$"))
        except InvalidOperation:
            amount = Decimal("nan")
        if not (amount.is_finite() and 0 <= amount <= LARGEST_AMOUNT):
            refuse(name, "an amount of US dollars such as 12.50, or nothing for no limit", value)
        return amount

    def words(self, name: str, *, default: Sequence[str] = ()) -> list[str]:
        """Read a list, separated by commas or lines."""
        value = self.given(name)
        if not value:
            return list(default)
        return [word for part in re.split(r"[,\n]", value) if (word := part.strip())]

    def served_names(self, name: str, *, default: Sequence[str] = ()) -> list[str]:
        """Read names for Django's ``ALLOWED_HOSTS``, which fit no request if they bring a port."""
        names = self.words(name, default=default)
        for word in names:
            if not SERVED_NAME.fullmatch(word):
                refuse(name, "host names, separated by commas, without scheme, port or path", word)
        return names

    def origins(self, name: str) -> list[str]:
        """Read web origins, which Django compares whole: a slash at the end would fit none."""
        origins = [word.rstrip("/") for word in self.words(name)]
        for origin in origins:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                refuse(name, "origins such as https://dte.example.cl, separated by commas", origin)
        return origins

    def host(self, name: str, *, default: str) -> str:
        """Read the address or name of one host; IPv6 with or without its brackets."""
        value = self.text(name, default=default)
        host = value.removeprefix("[").removesuffix("]")
        if not is_host(host):
            refuse(name, "an IP address or a host name, without a port", value)
        return host

    def addresses(self, name: str, *, port: int) -> list[tuple[str, int]]:
        """Read ``host:port`` pairs; a host alone gets ``port``. IPv6 with a port needs brackets."""
        return [self._address(name, word, port) for word in self.words(name)]

    def _address(self, name: str, word: str, port: int) -> tuple[str, int]:
        bare_ipv6 = word.count(":") > 1 and not word.startswith("[")
        match = re.fullmatch(r"(?:\[(.+)\]|([^:\[\]]+))(?::(\d{1,5}))?", word)
        host = word if bare_ipv6 else (match[1] or match[2] if match else "")
        number = int(match[3]) if match and match[3] else port
        if not is_host(host) or not 1 <= number <= 65_535:
            refuse(
                name, "addresses such as redis-1:26379 or [::1]:26379, separated by commas", word
            )
        return host, number

    def url(self, name: str, *schemes: str, default: str = "") -> str:
        """Read an address of one of these schemes; it is not repeated, for it may hold a password."""
        value = self.text(name, default=default)
        try:
            url = urlsplit(value)
            fits = (
                url.scheme in schemes
                and bool(url.hostname or url.scheme == "unix")
                and url.port != 0
            )
        except ValueError:  # of a port, or of brackets
            fits = False
        if value and not fits:
            begins = " or ".join(f"{scheme}://" for scheme in schemes)
            refuse(name, f"an address that begins with {begins}, and its port is a number")
        return value

    def mail(self, name: str) -> dict[str, object]:
        """Read the URL of a mail server into Django's settings; without one, mail is printed."""
        url = self.url(name, "smtp", "smtp+tls", "smtp+ssl")
        config: dict[str, object] = environ.Env.email_url_config(url or "consolemail://")
        named = {key: value for key, value in config.items() if value is not None}
        return {**named, "EMAIL_TIMEOUT": MAIL_SECONDS}

    def database(self, name: str) -> dict[str, Any] | None:
        """Read the URL of a database into Django's configuration; ``None`` if it is not set."""
        url = self.text(name)
        if not url:
            return None
        takes = "postgres://user:password@host:5432/name or sqlite:////path/of/file.sqlite3"
        if not re.match(r"(postgres(ql)?|pgsql|sqlite)://", url):
            refuse(name, takes)
        try:
            config: dict[str, Any] = environ.Env.db_url_config(url)
        except ValueError as exc:  # of a port
            refuse(name, f"{takes}; {exc}")
        if not config.get("NAME"):
            refuse(name, f"{takes}; it names no database")
        return config

    def directory(self, name: str, *, default: Path) -> Path:
        """Read the path of a directory that exists or can be made."""
        path = Path(self.text(name, default=str(default))).expanduser().absolute()
        try:
            nearest = next(place for place in (path, *path.parents) if place.exists())
        except OSError as exc:
            refuse(name, f"the path of a directory ({exc.strerror})", str(path))
        if not nearest.is_dir():
            refuse(name, f"the path of a directory, and {nearest} is a file")
        if not os.access(nearest, os.W_OK | os.X_OK):
            refuse(name, f"the path of a directory, and {nearest} may not be written to")
        return path


def refuse(name: str, takes: str, value: str | None = None) -> NoReturn:
    """End the start with the sentence that names the variable.

    Raises:
        ImproperlyConfigured: Always.
    """
    seen = "" if value is None else f", not {value!r}"
    raise ImproperlyConfigured(f"{name} takes {takes}{seen}.")


def span(low: float, high: float | None) -> str:
    """Describe a range of numbers."""
    return f"of at least {low}" if high is None else f"from {low} to {high}"


def is_host(text: str) -> bool:
    """Whether this can be the name or the address of a host."""
    try:
        ip_address(text)
    except ValueError:
        return bool(HOST_NAME.fullmatch(text))
    return True


def development_secret_key(state: Path) -> str:
    """Keep one random key per checkout, so that a restart does not log the developer out."""
    path = state / "secret_key"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(get_random_secret_key())
    return path.read_text()
