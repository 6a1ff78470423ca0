"""HTTP routes."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from aiservice import health

admin.site.site_title = admin.site.site_header = "Servicio de IA para facturación electrónica"
admin.site.index_title = "Administración"

handler400 = "aiservice.errors.bad_request"
handler403 = "aiservice.errors.permission_denied"
handler404 = "aiservice.errors.not_found"
handler500 = "aiservice.errors.server_error"

urlpatterns = [
    # What is asked most comes first: a request keeps the patterns that were tried for as long as it lasts.
    path("", include("chat.urls")),
    path("", include("dte.urls")),
    path("", include("knowledge.urls")),
    path("", include("usage.urls")),
    path("", include("aiservice.oidc")),  # before the admin, which takes every other path below it
    path("admin/", admin.site.urls),
    path("health", health.HealthView.as_view(), name="health"),
    path("ready", health.ReadyView.as_view(), name="ready"),
    path("live", health.LiveView.as_view(), name="live"),
    path("metrics", health.metrics, name="metrics"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path(
        "api/docs/",
        # No OPTIONS: DRF's answer to it would have to be rendered by a template.
        SpectacularSwaggerSplitView.as_view(url_name="schema", http_method_names=["get", "head"]),
        name="docs",
    ),
    # Of the admin's other pages Django itself appends the slash.
    *(
        path(name, RedirectView.as_view(url=f"/{name}/", query_string=True))
        for name in ("admin", "api/docs", "api/schema")
    ),
]
