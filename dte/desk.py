"""The desk where a submission is judged for a key: rules, Claude's review if it can help, history.

One synchronous hop does the work that needs the processor and the database; only a review, which waits
for the provider for seconds, happens between two hops, with no connection held.
"""

from uuid import UUID, uuid4

from channels.db import database_sync_to_async
from django.db import transaction

from dte import review
from dte.history.record import KeyHistory, Origin, record
from dte.intake import Options, Submission, UnreadableDocument
from dte.judging.report import Report, judge_json, judge_xml
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from usage.accounting.ledger import record_offline
from usage.models import ApiKey


async def validate(submission: Submission, options: Options, api_key: ApiKey) -> Report:
    """Judge a submission, ask for a review where it can matter, and store the answer.

    Raises:
        UnreadableDocument: There is no document to judge.
    """
    report: Report
    if not review.possible(options.ai):
        report = await database_sync_to_async(_judge_and_store)(submission, options, api_key)
        return report
    report = await database_sync_to_async(_judge)(submission, options, api_key)
    usage_id = await review.add_to(report, options.ai, api_key, submission.history)
    await database_sync_to_async(_store)(report, options, api_key, usage_id)
    return report


def _judge_and_store(submission: Submission, options: Options, api_key: ApiKey) -> Report:
    report = _judge(submission, options, api_key)
    review.note_absence(report, options.ai)
    _store(report, options, api_key, None)
    return report


def _judge(submission: Submission, options: Options, api_key: ApiKey) -> Report:
    context = options.context(KeyHistory(api_key))
    try:
        if submission.xml is not None:
            return judge_xml(read_xml(submission.xml), context)
        return judge_json(
            submission.json, context, content=submission.content, odd_text=submission.odd_text
        )
    except Unreadable as exc:
        raise UnreadableDocument(exc) from exc


def _store(report: Report, options: Options, api_key: ApiKey, usage_id: UUID | None) -> None:
    """Keep the answer, with exactly one row in the ledger: the review's, or one that cost nothing."""
    batch = uuid4() if report.envelope else None
    with transaction.atomic():  # one commit: it is the slowest part of a validation
        if usage_id is None:
            usage_id = record_offline(api_key, review.OPERATION).pk
        record(report.everything, Origin(api_key, options.mode, usage_id, batch))
