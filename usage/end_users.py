"""What an account's own users spent, over REST: read from their windows, never from the ledger."""

import datetime as dt
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response

from usage.access.limits import Limited
from usage.accounting import budgets
from usage.errors import ModelUnavailable
from usage.http.metered import MeteredAPIView
from usage.models import ApiKey, BudgetWindow, Period
from usage.models.end_user import LONGEST
from usage.models.scope import Scope
from usage.money import plain


class EndUserFilterSerializer(serializers.Serializer[None]):
    """Which windows are meant."""

    window = serializers.ChoiceField(
        Period.choices, default=Period.MONTH.value, help_text="Por día o por mes."
    )
    date = serializers.DateField(
        required=False, help_text="Un día de la ventana; hoy si se omite. No con `end_user`."
    )
    end_user = serializers.CharField(
        max_length=LONGEST, required=False, help_text="Su historia: todas sus ventanas."
    )


class EndUserSpendingSerializer(serializers.Serializer[Any]):
    """What one user spent in one window."""

    end_user = serializers.CharField()
    window = serializers.CharField(source="period")
    window_starts = serializers.DateField(source="starts_on")
    used_usd = serializers.SerializerMethodField(help_text="Dólares, exacto.")
    held_usd = serializers.SerializerMethodField(help_text="Reservado por llamadas en curso.")
    limit_usd = serializers.SerializerMethodField(help_text="Su límite de hoy, si tiene.")

    def get_used_usd(self, window: BudgetWindow) -> str:
        """Return what was spent."""
        return plain(window.spent_usd)

    def get_held_usd(self, window: BudgetWindow) -> str:
        """Return what calls under way hold."""
        return plain(window.held_usd)

    def get_limit_usd(self, window: BudgetWindow) -> str | None:
        """Return the limit that holds now."""
        limit = self.context["limit"](window)
        return None if limit is None else plain(limit)


class EndUserPageSerializer(serializers.Serializer[None]):
    """A page of them."""

    count = serializers.IntegerField()
    next = serializers.CharField(allow_null=True)
    previous = serializers.CharField(allow_null=True)
    results = EndUserSpendingSerializer(many=True)


class EndUserPages(PageNumberPagination):
    """An account has thousands of users at most, so a page has a number."""

    page_size = 100
    page_size_query_param = "page_size"
    max_page_size = 1_000


class EndUsersView(MeteredAPIView):
    """The users of the caller's account, the one who spent most first."""

    scope = Scope.USAGE
    limited_as = Limited.READS

    @extend_schema(
        operation_id="usage_end_users",
        summary="Gasto por usuario final de la cuenta",
        description="Los usuarios finales son los que sus llamadas nombran en `end_user`. Con el "
        "parámetro `end_user` responde la historia de uno, de la ventana más nueva a la más antigua; "
        "sus llamadas, una por una, están en `/api/usage/records?end_user=`.",
        tags=["Uso"],
        parameters=[
            EndUserFilterSerializer,
            OpenApiParameter("page", int, description="La página; 1 si se omite."),
            OpenApiParameter("page_size", int, description="Entre 1 y 1.000; 100 si se omite."),
        ],
        responses=EndUserPageSerializer,
    )
    def get(self, request: Request) -> Response:
        """Return one page."""
        if not isinstance(request.auth, ApiKey):
            raise ModelUnavailable
        form = EndUserFilterSerializer(data=request.query_params)
        form.is_valid(raise_exception=True)
        pages = EndUserPages()
        found = _windows(request.auth, **form.validated_data)
        page = pages.paginate_queryset(found, request, view=self)
        limit = budgets.limits_of_end_users(request.auth.account_id)
        rows = EndUserSpendingSerializer(page, many=True, context={"limit": limit}).data
        return pages.get_paginated_response(rows)


def _windows(
    key: ApiKey, *, window: str, date: dt.date | None = None, end_user: str | None = None
) -> QuerySet[BudgetWindow]:
    period = Period(window)
    found = BudgetWindow.objects.filter(account=key.account_id, period=period)
    if end_user is not None:
        return found.filter(end_user=end_user).order_by("-starts_on")
    day = date or timezone.localdate()
    start = day if period is Period.DAY else day.replace(day=1)
    users = found.exclude(end_user="").filter(starts_on=start)
    return users.order_by("-spent_usd", "end_user")
