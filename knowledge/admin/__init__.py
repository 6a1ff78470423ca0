"""The knowledge base in the admin: write, compare, try out, measure."""

from knowledge.admin.documents import DocumentAdmin
from knowledge.admin.evaluations import EvaluationAdmin
from knowledge.admin.expressions import ExpressionAdmin
from knowledge.admin.questions import QuestionAdmin
from knowledge.admin.sii import SiiNoticeAdmin, SiiSourceAdmin
from knowledge.admin.versions import DocumentVersionAdmin

__all__ = [
    "DocumentAdmin",
    "DocumentVersionAdmin",
    "EvaluationAdmin",
    "ExpressionAdmin",
    "QuestionAdmin",
    "SiiNoticeAdmin",
    "SiiSourceAdmin",
]
