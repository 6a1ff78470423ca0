"""The knowledge base over HTTP: search it, read it.

Reading costs no model call, but a key and the request rate of its reads. Every answer carries an ETag
made of the index's stamp: a client that asks again for what has not changed gets 304.
"""

import hashlib
from collections.abc import Callable
from typing import Any, Final

from channels.db import database_sync_to_async
from django.db.models import Count, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field, inline_serializer
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from knowledge.models import Document, Passage
from knowledge.searching import search
from knowledge.searching.engine import engine
from usage.http.metered import MeteredAPIView
from usage.models.scope import Scope

MAX_QUERY: Final = 2_000
TAGS: Final = ["Conocimiento"]


class SearchParameters(serializers.Serializer[None]):
    """What a search may ask."""

    query = serializers.CharField(max_length=MAX_QUERY, help_text="Pregunta o palabras a buscar.")
    top_k = serializers.IntegerField(
        min_value=1,
        max_value=search.MAX_RESULTS,
        default=search.DEFAULT_RESULTS,
        help_text="Cuántos pasajes como máximo.",
    )
    module = serializers.CharField(
        required=False, help_text="Solo estos módulos, separados por comas."
    )
    tags = serializers.CharField(
        required=False, help_text="Solo con alguna de estas etiquetas, separadas por comas."
    )


class HitSerializer(serializers.Serializer[Any]):
    """A passage found."""

    document_id = serializers.CharField()
    title = serializers.CharField()
    module = serializers.CharField()
    section = serializers.CharField(help_text="Encabezados bajo los que está el pasaje.")
    content = serializers.CharField()
    score = serializers.FloatField(help_text="De 0 a 1: parte del mejor calce posible.")
    source = serializers.CharField(  # type: ignore[assignment]  # DRF's Field.source is another
        help_text="Fuente oficial de la que se redactó."
    )
    source_path = serializers.CharField()
    tags = serializers.ListField(child=serializers.CharField())
    version = serializers.IntegerField()
    anchor = serializers.CharField(help_text="Identificador de la sección en su documento.")
    url = serializers.CharField()


class SectionSerializer(serializers.ModelSerializer[Passage]):
    class Meta:
        model = Passage
        fields = ["anchor", "section", "content"]


class DocumentSummarySerializer(serializers.ModelSerializer[Document]):
    document_id = serializers.CharField(source="slug")
    url = serializers.CharField(source="get_absolute_url")

    class Meta:
        model = Document
        fields = [
            "document_id",
            "title",
            "module",
            "tags",
            "source",
            "source_path",
            "valid_from",
            "valid_to",
            "checked_on",
            "version",
            "updated_at",
            "url",
        ]


class DocumentSerializer(DocumentSummarySerializer):
    """A document with its sections, in order."""

    sections = serializers.SerializerMethodField()

    class Meta(DocumentSummarySerializer.Meta):
        fields = [*DocumentSummarySerializer.Meta.fields, "sections"]

    @extend_schema_field(SectionSerializer(many=True))
    def get_sections(self, document: Document) -> object:
        """Return the sections of the current version."""
        return SectionSerializer(_sections(document), many=True).data


class ReadingView(MeteredAPIView):
    """A view that reads the knowledge base: with a key, at the rate of reads, with an ETag."""

    scope = Scope.KNOWLEDGE

    async def answer(self, request: Request, read: Callable[[], object]) -> Response:
        """Answer with what ``read`` returns, or 304 when the caller has it already.

        Args:
            request: The request, whose path and query are part of the ETag.
            read: Runs in a thread that may use the database.
        """

        def step() -> Response:
            etag = _etag(request, engine.index.current().stamp)
            if etag in request.headers.get("If-None-Match", ""):
                return Response(status=status.HTTP_304_NOT_MODIFIED, headers={"ETag": etag})
            return Response(read(), headers={"ETag": etag, "Cache-Control": "private, no-cache"})

        response: Response = await database_sync_to_async(step)()
        return response


class SearchView(ReadingView):
    """Search the knowledge base."""

    @extend_schema(
        summary="Buscar en la base de conocimiento",
        tags=TAGS,
        parameters=[SearchParameters],
        responses=inline_serializer(
            "SearchResponse",
            {
                "query": serializers.CharField(),
                "results_found": serializers.IntegerField(),
                "results": HitSerializer(many=True),
            },
        ),
    )
    async def get(self, request: Request) -> Response:
        """Return the best passages."""
        parameters = SearchParameters(data=request.query_params.dict())
        parameters.is_valid(raise_exception=True)
        asked = parameters.validated_data

        def read() -> dict[str, object]:
            hits = search.search(
                asked["query"],
                top_k=asked["top_k"],
                modules=_names(asked.get("module")),
                tags=_names(asked.get("tags")),
            )
            return {
                "query": asked["query"],
                "results_found": len(hits),
                "results": HitSerializer(hits, many=True).data,
            }

        return await self.answer(request, read)


class DocumentsView(ReadingView):
    """The documents in use."""

    @extend_schema(
        operation_id="api_knowledge_documents_list",
        summary="Listar los documentos",
        tags=TAGS,
        responses=inline_serializer(
            "DocumentList", {"documents": DocumentSummarySerializer(many=True)}
        ),
    )
    async def get(self, request: Request) -> Response:
        """Return every document without its text."""

        def read() -> dict[str, object]:
            documents = Document.objects.active().defer("body")
            return {"documents": DocumentSummarySerializer(documents, many=True).data}

        return await self.answer(request, read)


class DocumentView(ReadingView):
    @extend_schema(summary="Leer un documento", tags=TAGS, responses=DocumentSerializer)
    async def get(self, request: Request, slug: str) -> Response:
        """Return a document and its sections."""

        def read() -> object:
            document = _document(slug)
            return DocumentSerializer(document).data

        return await self.answer(request, read)


class SectionView(ReadingView):
    @extend_schema(
        summary="Leer una sección",
        tags=TAGS,
        responses=inline_serializer(
            "SectionOfDocument",
            {
                "document": DocumentSummarySerializer(),
                "anchor": serializers.CharField(),
                "section": serializers.CharField(),
                "content": serializers.CharField(),
            },
        ),
    )
    async def get(self, request: Request, slug: str, anchor: str) -> Response:
        """Return a section of the current version of a document."""

        def read() -> dict[str, object]:
            document = _document(slug)
            passage = get_object_or_404(_sections(document), anchor=_storable(anchor))
            summary = DocumentSummarySerializer(document).data
            return {"document": summary, **SectionSerializer(passage).data}

        return await self.answer(request, read)


class ModulesView(ReadingView):
    """The modules that documents belong to."""

    @extend_schema(
        summary="Listar los módulos",
        tags=TAGS,
        responses=inline_serializer(
            "Modules",
            {
                "modules": inline_serializer(
                    "Module",
                    {"name": serializers.CharField(), "documents": serializers.IntegerField()},
                    many=True,
                )
            },
        ),
    )
    async def get(self, request: Request) -> Response:
        """Return every module and how many documents it has."""

        def read() -> dict[str, object]:
            counted = (
                Document.objects.active()
                .order_by("module")
                .values("module")
                .annotate(documents=Count("id"))
            )
            return {
                "modules": [
                    {"name": row["module"], "documents": row["documents"]} for row in counted
                ]
            }

        return await self.answer(request, read)


def _document(slug: str) -> Document:
    return get_object_or_404(Document.objects.active(), slug=_storable(slug))


def _storable(text: str) -> str:
    """Refuse a NUL, which a percent-encoded path may hold and PostgreSQL cannot compare with."""
    if "\x00" in text:
        raise Http404
    return text


def _sections(document: Document) -> QuerySet[Passage]:
    return Passage.objects.filter(version__document=document, version__is_current=True)


def _etag(request: Request, stamp: object) -> str:
    # The day belongs to it: documents begin and cease to be valid at midnight.
    seen = f"{stamp} {timezone.localdate()} {request.get_full_path()}"
    return f'"{hashlib.sha256(seen.encode()).hexdigest()[:32]}"'


def _names(value: str | None) -> list[str]:
    return [name.strip() for name in (value or "").split(",") if name.strip()]
