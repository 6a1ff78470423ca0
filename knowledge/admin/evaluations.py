"""Results of the evaluation questions, and the button that asks them again."""

import json
from collections.abc import Callable
from typing import Final

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from knowledge import evaluating, scoring
from knowledge.models import Evaluation
from usage.admin.base import grouped, moment


def percent(share: float) -> str:
    """Write a share as people do here, 90,5 %; Django itself cuts figures off."""
    return f"{number_format(round(100 * share, 1), 1)} %"


CURVE_RUNS: Final = 40
# Failures, of which a few are many: shares of success would all be flat lines under 100.
_CURVES: Final[tuple[tuple[str, Callable[[Evaluation], float | None], str], ...]] = (
    ("Lo esperado no es lo primero", lambda run: 1 - run.hit_1, "#0e7490"),
    ("Lo esperado no está entre las cinco", lambda run: 1 - run.hit_5, "#d97706"),
    (
        "Ajenas respondidas",
        lambda run: None if run.refused is None else 1 - run.refused,
        "#7c3aed",
    ),
    ("Propias rechazadas", lambda run: run.falsely_refused, "#dc2626"),
)
_OPTIONS: Final = {
    "animation": False,
    "maintainAspectRatio": False,
    "interaction": {"mode": "index", "intersect": False},
    "locale": "es-CL",
    "plugins": {"legend": {"position": "bottom", "labels": {"color": "#7b8794", "boxWidth": 12}}},
    "scales": {
        "x": {"grid": {"display": False}, "ticks": {"color": "#7b8794", "maxRotation": 0}},
        "y": {"beginAtZero": True, "ticks": {"color": "#7b8794"}},
    },
}


def curve(semantic: bool) -> str | None:
    """Return the last runs as Chart.js data, oldest first; None where two points are missing."""
    last = Evaluation.objects.filter(semantic=semantic).order_by("-created_at")[:CURVE_RUNS]
    runs = list(reversed(last))
    if len(runs) < 2:
        return None
    return json.dumps(
        {
            "labels": [f"{timezone.localtime(run.created_at):%d-%m %H:%M}" for run in runs],
            "datasets": [
                {
                    "label": label,
                    "data": [
                        None if (share := failed(run)) is None else round(100 * share, 1)
                        for run in runs
                    ],
                    "borderColor": colour,
                    "backgroundColor": colour,
                    "pointRadius": 3,
                }
                for label, failed, colour in _CURVES
            ],
        }
    )


@admin.register(Evaluation)
class EvaluationAdmin(ModelAdmin):
    list_before_template = "admin/knowledge/evaluation/curves.html"
    list_display = (
        "evaluated",
        "semantic",
        "asked",
        "share_1",
        "share_5",
        "mrr_3",
        "refused_share",
        "falsely_refused_share",
    )
    fields = (*list_display, "share_3", "ndcg_3", "stamp", "failures")
    readonly_fields = fields

    class Media:
        css = {"all": ["knowledge/admin.css"]}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_POST(self.run))
        return [path("run/", view, name="knowledge_evaluation_run"), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, object] | None = None
    ) -> HttpResponse:
        """Show what the last changes did, above the runs themselves."""
        found = (("Por palabras y significado", curve(True)), ("Solo por palabras", curve(False)))
        curves = {
            "curves": [(title, data) for title, data in found if data],
            "curve_options": json.dumps(_OPTIONS),
            "evaluation": evaluating.progress(),
        }
        response: HttpResponse = super().changelist_view(request, (extra_context or {}) | curves)
        return response

    def run(self, request: HttpRequest) -> HttpResponse:
        """Ask the shipped questions again, with the documents as they are now."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            cases = scoring.read([scoring.SHIPPED])
        except (scoring.InvalidQuestionsError, OSError) as error:
            self.message_user(request, str(error), messages.ERROR)
        else:
            begun = evaluating.begin(cases)
            self.message_user(
                request,
                f"Se evalúan {grouped(len(cases))} preguntas; el resultado aparece en la lista."
                if begun
                else "Ya hay una evaluación en curso.",
                messages.INFO if begun else messages.WARNING,
            )
        return HttpResponseRedirect(reverse("admin:knowledge_evaluation_changelist"))

    @admin.display(description="fecha", ordering="created_at")
    def evaluated(self, evaluation: Evaluation) -> str:
        return moment(evaluation.created_at)

    @admin.display(description="preguntas", ordering="questions")
    def asked(self, evaluation: Evaluation) -> str:
        return grouped(evaluation.questions)

    @admin.display(description="hit@1", ordering="hit_1")
    def share_1(self, evaluation: Evaluation) -> str:
        return percent(evaluation.hit_1)

    @admin.display(description="hit@5", ordering="hit_5")
    def share_5(self, evaluation: Evaluation) -> str:
        return percent(evaluation.hit_5)

    @admin.display(description="MRR", ordering="mrr")
    def mrr_3(self, evaluation: Evaluation) -> str:
        return number_format(round(evaluation.mrr, 3), 3)

    @admin.display(description="ajenas rechazadas")
    def refused_share(self, evaluation: Evaluation) -> str:
        return "-" if evaluation.refused is None else percent(evaluation.refused)

    @admin.display(description="propias rechazadas")
    def falsely_refused_share(self, evaluation: Evaluation) -> str:
        return percent(evaluation.falsely_refused)

    @admin.display(description="hit@3")
    def share_3(self, evaluation: Evaluation) -> str:
        return percent(evaluation.hit_3)

    @admin.display(description="nDCG")
    def ndcg_3(self, evaluation: Evaluation) -> str:
        return number_format(round(evaluation.ndcg, 3), 3)

    @admin.display(description="las peores")
    def failures(self, evaluation: Evaluation) -> SafeString:
        rows = format_html_join(
            "",
            '<tr><td>{}</td><td><a href="{}?q={}">{}</a></td><td>{}</td><td>{}</td></tr>',
            (
                (
                    item["rank"] or "–",
                    reverse("admin:knowledge_try"),
                    item["question"],
                    item["question"],
                    ", ".join(item["expected"]) or "nada",
                    ", ".join(item["found"]) or "nada",
                )
                for item in evaluation.worst
            ),
        )
        return format_html(
            "<table><tr><th>Lugar</th><th>Pregunta</th><th>Esperado</th><th>Encontrado</th></tr>"
            "{}</table>",
            rows,
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False
