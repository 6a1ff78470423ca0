"""Reception over HTTP: which purchase order a received document bills."""

from typing import Final, cast

from asgiref.sync import sync_to_async
from channels.db import database_sync_to_async
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from dte.intake import parsed
from dte.ordenes.choice import choose
from dte.ordenes.matching import Match, match
from dte.ordenes.reading import LINES, MAX_LINES, MAX_ORDERS, Bill, read_request
from usage import llm
from usage.access.limits import Limited
from usage.accounting.ledger import record_offline
from usage.http.end_user import EndUserSerializer
from usage.http.metered import MeteredAPIView
from usage.http.openapi import RefusalSerializer
from usage.models import ApiKey, Operation
from usage.models.scope import Scope

TAGS: Final = ["Recepción"]
AI: Final = ["auto", "never"]


_LINES: Final = {
    name: {
        "anyOf": [
            {"type": "array", "items": {}, "maxItems": MAX_LINES},
            {"enum": [False, "", None]},  # as Odoo writes nothing
        ]
    }
    for name in LINES
}
_ID: Final = {
    "oneOf": [{"type": "integer", "format": "int64"}, {"type": "string", "pattern": r"\S"}]
}


@extend_schema_field({"type": "object", "properties": _LINES})
class BilledField(serializers.DictField):
    """A received document."""


@extend_schema_field({"type": "object", "required": ["id"], "properties": {"id": _ID, **_LINES}})
class OrderedField(serializers.DictField):
    """A purchase order."""


class MatchRequestSerializer(serializers.Serializer[None]):
    """What is asked; fields under the names that Odoo uses."""

    dte_data = BilledField(
        help_text="El documento recibido: partner_vat, partner_name, total_amount, date, reference, lines."
    )
    pending_pos = serializers.ListField(
        child=OrderedField(),
        max_length=MAX_ORDERS,
        help_text="Las órdenes abiertas: id, name, partner_name, amount_total, date_order, lines.",
    )
    company_id = serializers.JSONField(required=False, help_text="Se acepta y no se usa.")


class LineMatchSerializer(serializers.Serializer[None]):
    """A line of the document and the line of the order it bills; positions count from 0."""

    dte_line = serializers.IntegerField(help_text="Posición en dte_data.lines, desde 0.")
    po_line = serializers.IntegerField(help_text="Posición en las líneas de la orden, desde 0.")
    confidence = serializers.IntegerField(min_value=0, max_value=100)
    po_line_id = serializers.JSONField(help_text="El id de la línea de la orden, si lo trae.")
    dte_name = serializers.CharField()
    po_name = serializers.CharField()


class MatchSerializer(serializers.Serializer[None]):
    matched_po_id = serializers.JSONField(help_text="Uno de los id dados, o null.")
    confidence = serializers.IntegerField(
        min_value=0, max_value=100, help_text="Desde 90, segura; bajo 50 no se propone orden."
    )
    reasoning = serializers.CharField()
    line_matches = LineMatchSerializer(many=True)


class MatchOrderView(MeteredAPIView):
    """``POST /api/ai/reception/match_po``: the path and fields that Odoo clients already use."""

    scope = Scope.VALIDATE
    limited_as = Limited.VALIDATION

    @extend_schema(
        operation_id="match_purchase_order",
        summary="Calzar un documento recibido con una orden de compra",
        description="Primero por reglas: proveedor, montos, fechas, orden nombrada y líneas. Si dos "
        "órdenes quedan cerca y la IA está disponible, ella elige entre esas; nunca otra.",
        tags=TAGS,
        request=MatchRequestSerializer,
        parameters=[
            OpenApiParameter("ai", str, enum=AI, default="auto"),
            EndUserSerializer,
        ],
        responses={200: MatchSerializer, 400: RefusalSerializer},
    )
    async def post(self, request: Request) -> Response:
        """Answer from the evidence; ask Claude only between orders that it leaves close."""
        body = (await parsed(request._request)).json
        end_user = EndUserSerializer(data=request.query_params)
        end_user.is_valid(raise_exception=True)
        api_key = cast(ApiKey, request.auth).acting_for(end_user.validated_data["end_user"])
        bill, found = await sync_to_async(_compared)(body)  # thousands of lines take a while
        usage_id = None
        ai = request.query_params.get("ai", "auto")
        if ai not in AI:
            raise ValidationError({"ai": [f"Use {' o '.join(AI)}."]})
        if len(found.close) > 1 and ai == "auto" and llm.is_configured():
            found, usage_id = await choose(found, bill, api_key)
        if usage_id is None:
            await database_sync_to_async(record_offline)(api_key, Operation.ORDER_MATCH)
        return Response(found.as_dict())


def _compared(body: object) -> tuple[Bill, Match]:
    bill, orders = read_request(body)
    return bill, match(bill, orders)
