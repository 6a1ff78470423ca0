"""JSON bodies as their schema says: a text is a text, a number a number, true neither 1 nor "yes".

DRF's fields take what an HTML form sends, where everything is text. A program that sends 0 for a text
has a mistake in it, and hears of it here rather than from what is made of its request.
"""

from collections.abc import Mapping
from typing import Any, Final

from django.http import QueryDict
from django.utils.functional import cached_property
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail

# What JSON a field takes, and what it says of other. A whole number is one, written 3 or 3.0.
_TAKEN: Final[Mapping[type, tuple[tuple[type, ...], str]]] = {
    serializers.BooleanField: ((bool,), "Debe ser true o false, sin comillas."),
    serializers.IntegerField: ((int, float), "Debe ser un número entero, sin comillas."),
    serializers.FloatField: ((int, float), "Debe ser un número, sin comillas."),
    serializers.ChoiceField: ((str,), "Debe ser un texto."),
    serializers.CharField: ((str,), "Debe ser un texto."),
}


_fields: Final[dict[type, dict[str, Any]]] = {}


class StrictSerializer(serializers.Serializer[Any]):
    """A serializer of a JSON body."""

    @cached_property
    def fields(self) -> Any:
        """Return the fields; for a body those of its class, which DRF would copy anew for each.

        They are only asked to read: what they make of a body they return, and keep nothing of it.
        """
        if not hasattr(self, "initial_data") or self.context or self.partial:
            return super().fields
        kind = type(self)
        if kind not in _fields:
            _fields[kind] = kind().fields
        return _fields[kind]

    def to_internal_value(self, data: Any) -> Any:
        """Refuse values of another type than their field's, then read as any serializer."""
        if isinstance(data, Mapping) and not isinstance(data, QueryDict):
            found = {name: _problem(field, data.get(name)) for name, field in self.fields.items()}
            if wrong := {name: [problem] for name, problem in found.items() if problem}:
                raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)


def _problem(field: serializers.Field[Any, Any, Any, Any], value: object) -> str:
    if value is None:  # absent, or for the field to judge
        return ""
    if isinstance(field, serializers.ListField) and isinstance(value, list):
        return next(filter(None, (_problem(field.child, item) for item in value)), "")
    for kind, (types, problem) in _TAKEN.items():
        if isinstance(field, kind):
            fits = isinstance(value, types) and (bool in types or not isinstance(value, bool))
            return _too_long(field, value) if fits else problem
    return ""


def _too_long(field: serializers.Field[Any, Any, Any, Any], value: object) -> str:
    """Refuse a text by its length alone: DRF's own validators also look at each of five million letters."""
    most = getattr(field, "max_length", None)
    if not isinstance(value, str) or most is None or len(value.strip()) <= most:
        return ""
    problem = field.error_messages["max_length"].format(max_length=most)
    return ErrorDetail(problem, code="max_length")
