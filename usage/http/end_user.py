"""Whom a request is made for, as callers say it."""

from typing import Any

from rest_framework import serializers

from usage.models.end_user import LONGEST


class EndUserField(serializers.CharField):
    """``end_user``: optional, and "" where the caller names nobody."""

    def __init__(self, **options: Any) -> None:
        settled: dict[str, Any] = {
            "max_length": LONGEST,
            "required": False,
            "allow_blank": True,
            "default": "",
            "help_text": "Para cuál de sus usuarios es, con el nombre que usted le da: su gasto, su "
            "límite y su historia se llevan aparte.",
        }
        super().__init__(**(settled | options))


class EndUserSerializer(serializers.Serializer[Any]):
    """The same, alone."""

    end_user = EndUserField()
