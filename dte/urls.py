"""Routes of the validation API."""

from django.urls import path

from dte import views
from dte.ordenes.views import MatchOrderView

urlpatterns = [
    path("api/ai/reception/match_po", MatchOrderView.as_view(), name="dte-match-po"),
    path("api/ai/validate", views.LegacyValidateView.as_view(), name="dte-validate-legacy"),
    path("api/dte/validate", views.ValidateView.as_view(), name="dte-validate"),
    path("api/dte/validations", views.ValidationsView.as_view(), name="dte-validations"),
    path("api/dte/validations/<uuid:pk>", views.ValidationView.as_view(), name="dte-validation"),
    path("api/dte/validate/batch", views.BatchView.as_view(), name="dte-validate-batch"),
    path(
        "api/dte/validations/<uuid:pk>/outcome",
        views.OutcomeView.as_view(),
        name="dte-validation-outcome",
    ),
]
