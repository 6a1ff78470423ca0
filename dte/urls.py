"""Routes of the validation API."""

from django.urls import path

from dte import api

urlpatterns = [
    path("api/ai/validate", api.LegacyValidateView.as_view(), name="dte-validate-legacy"),
    path("api/dte/validate", api.ValidateView.as_view(), name="dte-validate"),
    path("api/dte/validations", api.ValidationsView.as_view(), name="dte-validations"),
    path("api/dte/validations/<uuid:pk>", api.ValidationView.as_view(), name="dte-validation"),
    path("api/dte/validate/batch", api.BatchView.as_view(), name="dte-validate-batch"),
    path(
        "api/dte/validations/<uuid:pk>/outcome",
        api.OutcomeView.as_view(),
        name="dte-validation-outcome",
    ),
]
