"""Routes of usage."""

from django.urls import path

from usage.summary import SummaryView
from usage.views import EstimateView, UsageView

urlpatterns = [
    path("api/usage", UsageView.as_view(), name="usage"),
    path("api/usage/summary", SummaryView.as_view(), name="usage-summary"),
    path("api/usage/estimate", EstimateView.as_view(), name="usage-estimate"),
]
