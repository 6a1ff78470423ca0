"""Routes of the knowledge base."""

from django.urls import path

from knowledge import sii_views, views

urlpatterns = [
    path("api/ai/sii/status", sii_views.StatusView.as_view(), name="sii-status"),
    path("api/ai/sii/monitor", sii_views.MonitorView.as_view(), name="sii-monitor"),
    # The address that existing clients call.
    path("api/chat/knowledge/search", views.SearchView.as_view(), name="knowledge-search"),
    path("api/knowledge/modules", views.ModulesView.as_view(), name="knowledge-modules"),
    path("api/knowledge/documents", views.DocumentsView.as_view(), name="knowledge-documents"),
    path(
        "api/knowledge/documents/<path:slug>/sections/<str:anchor>",
        views.SectionView.as_view(),
        name="knowledge-section",
    ),
    path(
        "api/knowledge/documents/<path:slug>",
        views.DocumentView.as_view(),
        name="knowledge-document",
    ),
]
