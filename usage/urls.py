"""Routes of usage."""

from django.urls import path

from usage.end_users import EndUsersView
from usage.records import RecordsView
from usage.summary import SummaryView
from usage.views import EstimateView, UsageView

urlpatterns = [
    path("api/usage", UsageView.as_view(), name="usage"),
    path("api/usage/summary", SummaryView.as_view(), name="usage-summary"),
    path("api/usage/records", RecordsView.as_view(), name="usage-records"),
    path("metrics/costs", SummaryView.as_view(), name="usage-costs"),  # where it was before
    path("api/usage/end-users", EndUsersView.as_view(), name="usage-end-users"),
    path("api/usage/estimate", EstimateView.as_view(), name="usage-estimate"),
]
