"""The desk where a submission is judged for a key: rules, Claude's review if it can help, history.

One synchronous hop does the work that needs the processor and the database; only a review, which waits
for the provider for seconds, happens between two hops, with no connection held.
"""

from uuid import UUID, uuid4

from django.db import transaction
from django.shortcuts import get_object_or_404

from dte import review
from dte.examining.examination import Kind
from dte.examining.given import Given
from dte.history.known import KeyRecords, follow, remember_upload
from dte.history.record import KeyHistory, Origin, record
from dte.intake import Options, Submission, UnreadableDocument, submission_of
from dte.judging.examined import Examined, examine
from dte.judging.foreign import judge_any_json
from dte.judging.report import Report, judge_xml
from dte.kinds import recognise
from dte.models import Validation
from dte.parsing.unreadable import Unreadable
from dte.parsing.xml import read_xml
from dte.rules.registry import Mode
from usage.accounting.ledger import offline_row, record_offline
from usage.hops import apart
from usage.models import ApiKey
from usage.threads import in_thread


async def answer(given: Given, options: Options, api_key: ApiKey) -> Report | Examined:
    """Say what a file is and what it is worth, whatever its kind, and store the answer.

    Raises:
        UnreadableDocument: It is of no kind that can be read.
    """
    kind = await apart(len(given.content), _recognise, given, options.mode)
    if kind is None:
        submission = await apart(len(given.content), submission_of, given)
        return await validate(submission, options, api_key)
    examined: Examined = await in_thread(_examine, kind, given, options, api_key)
    return examined


def answer_at_once(given: Given, options: Options, api_key: ApiKey) -> Report | Examined:
    """Say the same in this thread, by the rules alone.

    Raises:
        UnreadableDocument: It is of no kind that can be read.
    """
    kind = _recognise(given, options.mode)
    if kind is not None:
        return _examine(kind, given, options, api_key)
    return _judge_and_store(submission_of(given), options, api_key)


def _recognise(given: Given, mode: Mode) -> Kind | None:
    try:
        return recognise(given)
    except Unreadable as exc:
        raise UnreadableDocument(exc, mode) from exc


def _examine(kind: Kind, given: Given, options: Options, api_key: ApiKey) -> Examined:
    try:
        examined = examine(kind, given, options.case(KeyRecords(api_key)))
    except Unreadable as exc:
        raise UnreadableDocument(exc, options.mode) from exc
    about = None
    if options.validation is not None:
        about = get_object_or_404(
            Validation, pk=options.validation, api_key__account=api_key.account_id
        )
    track_id = examined.summary.get("track_id", "")
    with transaction.atomic():
        links = remember_upload(about, track_id) if about is not None and track_id else []
        links += follow(api_key, examined.examination.answered, about)
        examined.links = list({link["id"]: link for link in links}.values())
        usage = record_offline(api_key, review.OPERATION)
        record([examined], Origin(api_key, options.mode, usage.pk, track_id=options.track_id))
    return examined


async def validate(submission: Submission, options: Options, api_key: ApiKey) -> Report:
    """Judge a document, ask for a review where it can matter, and store the answer.

    Raises:
        UnreadableDocument: There is no document to judge.
    """
    report: Report
    if not review.possible(options.ai):
        report = await in_thread(_judge_and_store, submission, options, api_key)
        return report
    report = await in_thread(_judge, submission, options, api_key)
    usage_id = await review.add_to(report, options.ai, api_key, submission.history)
    await in_thread(_store, report, options, api_key, usage_id)
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
        return judge_any_json(
            submission.json, context, content=submission.content, odd_text=submission.odd_text
        )
    except Unreadable as exc:
        raise UnreadableDocument(exc, options.mode) from exc


def _store(report: Report, options: Options, api_key: ApiKey, usage_id: UUID | None) -> None:
    """Keep the answer and say what it cost, with exactly one row in the ledger: the review's, or one that cost nothing."""
    report.account = review.account(report)
    batch = uuid4() if report.envelope else None
    free = offline_row(api_key, review.OPERATION) if usage_id is None else None
    origin = Origin(api_key, options.mode, free.pk if free else usage_id, batch, options.track_id)
    record(
        report.everything, origin, free
    )  # at once: the commit is the slowest part of a validation
