"""What the service knows, what search reads of it, and what the SII published."""

from knowledge.models.documents import (
    Document,
    DocumentFields,
    DocumentQuerySet,
    DocumentVersion,
    Passage,
    PassageQuerySet,
)
from knowledge.models.index import Embedding, Expression, ExpressionQuerySet, SearchIndex
from knowledge.models.questions import Evaluation, Question
from knowledge.models.sii import (
    Kind,
    SiiDelivery,
    SiiNotice,
    SiiRun,
    SiiSnapshot,
    SiiSource,
)

__all__ = [
    "Document",
    "DocumentFields",
    "DocumentQuerySet",
    "DocumentVersion",
    "Embedding",
    "Evaluation",
    "Expression",
    "ExpressionQuerySet",
    "Kind",
    "Passage",
    "PassageQuerySet",
    "Question",
    "SearchIndex",
    "SiiDelivery",
    "SiiNotice",
    "SiiRun",
    "SiiSnapshot",
    "SiiSource",
]
