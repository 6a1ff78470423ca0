"""What the OpenAPI schema says of every call: how it is authenticated and how it is refused."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class RefusalSerializer(serializers.Serializer[Any]):
    """The one error shape."""

    detail = serializers.CharField(help_text="Qué pasó, para mostrarlo.")
    code = serializers.CharField(help_text="Lo mismo, para programas.")
    errors = serializers.JSONField(  # type: ignore[assignment]  # shadows Serializer.errors
        required=False, help_text="Por campo, si hay datos que corregir."
    )


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """``Authorization: Bearer <secret>``; drf-spectacular finds the class by import."""

    target_class = "usage.access.keys.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer", "description": "Clave de API del servicio."}


def document_errors(result: Any, generator: Any, **kwargs: Any) -> Any:
    """Say of every operation that any other answer is a refusal; named in ``SPECTACULAR_SETTINGS``."""
    refusal = {
        "description": "Cualquier rechazo.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}},
    }
    for operations in result["paths"].values():
        for operation in operations.values():
            operation["responses"].setdefault("default", refusal)
    return result
