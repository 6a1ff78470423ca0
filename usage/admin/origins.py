"""Where calls came from. The applications above say it: usage knows neither conversations nor documents."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from django.http import HttpRequest

from usage.models import UsageRecord


@dataclass(frozen=True, slots=True)
class Origin:
    """What an application knows of the calls made for it."""

    links: Callable[[HttpRequest, UsageRecord], Iterable[tuple[str, str]]]
    """Returns the address and the name of what a row was for, as far as the user may see it."""
    search: Callable[[str], Iterable[UUID | None]]
    """Returns rows that belong to what was asked for, such as a conversation; some thousands at most."""


ORIGINS: Final[list[Origin]] = []
MOST: Final = 5_000
