"""Routes of the knowledge base."""

from django.urls import path

from knowledge import api

urlpatterns = [
    # The address that existing clients call.
    path("api/chat/knowledge/search", api.SearchView.as_view(), name="knowledge-search"),
    path("api/knowledge/modules", api.ModulesView.as_view(), name="knowledge-modules"),
    path("api/knowledge/documents", api.DocumentsView.as_view(), name="knowledge-documents"),
    path(
        "api/knowledge/documents/<path:slug>/sections/<str:anchor>",
        api.SectionView.as_view(),
        name="knowledge-section",
    ),
    path(
        "api/knowledge/documents/<path:slug>",
        api.DocumentView.as_view(),
        name="knowledge-document",
    ),
]
