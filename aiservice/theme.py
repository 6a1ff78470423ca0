"""How the admin looks: its templates, and what django-unfold is told."""

from pathlib import Path
from typing import Final

from django.templatetags.static import static


def templates(directory: Path) -> list[dict[str, object]]:
    """Return ``TEMPLATES``: those of a directory come before every application's."""
    return [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [directory],  # before the theme's own
            "APP_DIRS": True,
            "OPTIONS": {
                "context_processors": [
                    "django.template.context_processors.request",
                    "django.contrib.auth.context_processors.auth",
                    "django.contrib.messages.context_processors.messages",
                    "aiservice.oidc.offered",
                ],
            },
        },
    ]


def shades(*, hue: int, chroma: float) -> dict[str, str]:
    """Return the theme's shades of a colour; 600 is the one that white text is put on (5.9:1)."""
    lightness = {
        50: 98, 100: 95, 200: 90, 300: 83, 400: 75, 500: 70, 600: 46, 700: 40, 800: 35, 900: 30, 950: 24
    }  # fmt: skip
    return {str(name): f"oklch({light}% {chroma} {hue})" for name, light in lightness.items()}


UNFOLD: Final[dict[str, object]] = {
    "SITE_TITLE": "Servicio de IA para facturación electrónica",
    "SITE_HEADER": "IA para facturación",
    "SITE_SUBHEADER": "Administración",
    "SITE_SYMBOL": "receipt_long",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda _: static("chat/favicon.svg")}
    ],
    "COLORS": {"primary": shades(hue=224, chroma=0.09)},
    "STYLES": [lambda _: static("aiservice/admin.css")],
    "SCRIPTS": [lambda _: static("aiservice/admin.js")],
    "DASHBOARD_CALLBACK": "aiservice.dashboard.fill",
    "SIDEBAR": {"show_search": True, "navigation": "aiservice.navigation.sections"},
}
