"""The desk where a submission is judged for a key: rules, then history.

One synchronous hop does the work that needs the processor and the database.
"""

from uuid import uuid4

from channels.db import database_sync_to_async

from dte.history import KeyHistory, Origin, record
from dte.intake import Options, Submission, UnreadableDocument
from dte.report import Report, judge_json, judge_xml
from dte.unreadable import Unreadable
from dte.xml import read_xml
from usage.models import ApiKey


async def validate(submission: Submission, options: Options, api_key: ApiKey) -> Report:
    """Judge a submission and store the answer.

    Raises:
        UnreadableDocument: There is no document to judge.
    """
    report: Report = await database_sync_to_async(_judge_and_store)(submission, options, api_key)
    return report


def _judge_and_store(submission: Submission, options: Options, api_key: ApiKey) -> Report:
    report = _judge(submission, options, api_key)
    batch = uuid4() if report.envelope else None
    record(report.everything, Origin(api_key, options.mode, batch))
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
