"""How REST and its description are set up: what no environment changes."""


def rest_framework(*, proxies: int) -> dict[str, object]:
    """Return ``REST_FRAMEWORK``.

    Args:
        proxies: Reverse proxies in front.
    """
    return {
        "DEFAULT_AUTHENTICATION_CLASSES": ["usage.access.keys.ApiKeyAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["usage.access.keys.HasApiKey"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["usage.http.parsers.JSONParser"],
        "DEFAULT_SCHEMA_CLASS": "aiservice.documentation.Schema",
        "EXCEPTION_HANDLER": "usage.errors.exception_handler",
        "NUM_PROXIES": proxies,
        "UNAUTHENTICATED_USER": None,
    }


def spectacular(*, version: str) -> dict[str, object]:
    """Return ``SPECTACULAR_SETTINGS``.

    Args:
        version: Of the service.
    """
    return {
        "TITLE": "Servicio de IA para facturación electrónica chilena",
        "DESCRIPTION": "Validación de DTE, respuestas con fuentes y contabilidad exacta del uso.",
        "VERSION": version,
        "SERVE_INCLUDE_SCHEMA": False,
        "SERVE_AUTHENTICATION": [],
        "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
        "SWAGGER_UI_DIST": "SIDECAR",
        # Each operation's button would hold a link, which whoever reads by ear cannot tell apart.
        "SWAGGER_UI_SETTINGS": {"deepLinking": False},
        "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
        "COMPONENT_SPLIT_REQUEST": True,
        "COMPONENT_SPLIT_PATCH": False,  # what a PATCH needs is needed
        # Both of a call and of a validation are called "outcome".
        "ENUM_NAME_OVERRIDES": {
            "CallOutcomeEnum": "usage.models.record.Outcome",
            "OutcomeEnum": "dte.models.Validation.SiiOutcome",
        },
        "POSTPROCESSING_HOOKS": [
            "drf_spectacular.hooks.postprocess_schema_enums",
            "usage.http.openapi.document_errors",
            "aiservice.documentation.complete",
        ],
    }
