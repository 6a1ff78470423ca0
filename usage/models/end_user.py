"""Whom a request is made for: an account's own user, as the account names him."""

from typing import Any, Final

from django.db import models

LONGEST: Final = 100


class EndUserField(models.CharField):  # type: ignore[type-arg]
    """A name that means something to the account alone; empty where the caller sent none."""

    def __init__(self, **options: object) -> None:
        settled: dict[str, Any] = {
            "verbose_name": "usuario final",
            "max_length": LONGEST,
            "blank": True,
            "default": "",
            "db_default": "",  # a release that does not know the column goes on writing rows
        }
        super().__init__(**(settled | options))
