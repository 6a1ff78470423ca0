"""The Prometheus names of validation. Labels are closed sets: nothing a client sends becomes a series."""

from typing import Final

from prometheus_client import Counter

VALIDATIONS: Final = Counter(
    "aiservice_dte_validations_total",
    "What was judged, by kind, type of document, form, mode and what was recommended.",
    ["kind", "tipo", "form", "mode", "recommendation"],
)
FINDINGS: Final = Counter(
    "aiservice_dte_findings_total", "Documents in which a rule found something.", ["code"]
)
REVIEWS: Final = Counter(
    "aiservice_dte_reviews_total", "What became of Claude's review.", ["status"]
)
RULE_FAILURES: Final = Counter(
    "aiservice_dte_rule_failures_total", "Rules that broke on a document: a bug of ours.", ["code"]
)
