"""What is compiled once says what the ORM says."""

from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat.models import Conversation, Message
from usage.models import ApiKey, Operation, State, UsageRecord
from usage.statements import Prepared, insert, insert_together, send, send_update

pytestmark = [pytest.mark.unit, pytest.mark.django_db]


@pytest.fixture
def key() -> ApiKey:
    return ApiKey.objects.issue(name="statements")[0]


def test_a_row_comes_back_as_it_was_inserted(key: ApiKey) -> None:
    record = UsageRecord(
        api_key=key,
        operation=Operation.CHAT_REPLY,
        model="100 %s",
        held_usd=Decimal("0.000000000001"),
    )
    insert(record)
    found = UsageRecord.objects.get(pk=record.pk)
    for field in UsageRecord._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(record, field.attname)
    assert not record._state.adding


def test_the_database_makes_the_key_of_a_row(key: ApiKey) -> None:
    conversation = Conversation(api_key=key, session_id="a", user_context={"ñ": [1, None]})
    insert(conversation)
    found = Conversation.objects.get(pk=conversation.pk)
    assert found.user_context == {"ñ": [1, None]}


def test_a_row_that_is_sent_comes_back_as_the_orm_would_make_it(key: ApiKey) -> None:
    pk = uuid4()
    values = {
        "id": pk,
        "api_key_id": key.pk,
        "operation": Operation.CHAT_REPLY,
        "model": "100 %s",
        "held_usd": Decimal("0.000000000001"),
        "price": None,
    }
    begun = timezone.now()
    send(UsageRecord, values)
    found, like = UsageRecord.objects.get(pk=pk), UsageRecord(**values)
    for field in UsageRecord._meta.concrete_fields:
        if field.attname in values or not (field.has_default() and callable(field.default)):
            assert getattr(found, field.attname) == getattr(like, field.attname)
    assert begun < found.started_at < timezone.now()
    assert found.call_id != like.call_id


def test_what_is_made_for_each_row_is_made_anew(key: ApiKey) -> None:
    values = {"api_key_id": key.pk, "operation": Operation.CHAT_REPLY}
    send(UsageRecord, values)
    send(UsageRecord, values)
    first, second = UsageRecord.objects.order_by("started_at")
    assert first.pk != second.pk
    assert first.started_at < second.started_at


def test_where_there_is_such_a_row_it_is_changed(key: ApiKey) -> None:
    first = Conversation(api_key=key, session_id="a", specialist="known")
    insert(first)
    begun = timezone.now()
    again = send(
        Conversation,
        {"api_key_id": key.pk, "session_id": "a", "specialist": "lost", "user_context": {"a": 1}},
        conflict=["api_key", "session_id"],
        update=["user_context", "updated_at"],
    )
    found = Conversation.objects.get()
    assert again.result().rows == [(first.pk,)] == [(found.pk,)]
    assert (found.specialist, found.user_context) == ("known", {"a": 1})
    assert found.updated_at > begun


def test_a_row_that_a_constraint_forbids_is_refused(key: ApiKey) -> None:
    values = {"api_key_id": key.pk, "session_id": "a"}
    send(Conversation, values)
    with pytest.raises(LookupError), transaction.atomic():
        send(Conversation, values, refusal=LookupError).result()
    assert Conversation.objects.count() == 1


def test_rows_inserted_together_come_back_as_they_were(key: ApiKey) -> None:
    record = UsageRecord(api_key=key, operation=Operation.CHAT_REPLY, model="100 %s; 'x'")
    conversation = Conversation(api_key=key, session_id="a; b", user_context={"ñ": [1, None]})
    insert_together(record, conversation)
    assert UsageRecord.objects.get().model == record.model
    found = Conversation.objects.get()
    assert (found.session_id, found.user_context) == ("a; b", {"ñ": [1, None]})
    assert not record._state.adding


@pytest.mark.django_db(transaction=True)
def test_of_rows_inserted_together_none_is_left_where_one_is_refused() -> None:
    key = ApiKey.objects.issue(name="statements")[0]
    with pytest.raises(IntegrityError):
        insert_together(
            Conversation(api_key=key, session_id="first"),
            Conversation(api_key=key, session_id="same"),
            Conversation(api_key=key, session_id="same"),
        )
    assert not Conversation.objects.exists()


def test_constraints_hold(key: ApiKey) -> None:
    conversation = Conversation(api_key=key, session_id="a")
    insert(conversation)
    with pytest.raises(IntegrityError):
        insert(Conversation(api_key=key, session_id="a"))


def test_an_update_changes_the_rows_that_are_meant_and_counts_them(key: ApiKey) -> None:
    records = [UsageRecord(api_key=key, operation=Operation.CHAT_REPLY) for _ in range(2)]
    for record in records:
        insert(record)
    where = {"id": records[0].pk, "state": State.OPEN}
    changes = {
        "state": State.SETTLED,
        "outcome": "answered",
        "settled_at": timezone.now(),
        "cost_usd": Decimal("1.5"),
        "latency_ms": None,
    }
    first, second = (send_update(UsageRecord, where, changes) for _ in range(2))
    assert (first.result().number, second.result().number) == (1, 0)
    found = UsageRecord.objects.get(pk=records[0].pk)
    assert {name: getattr(found, name) for name in changes} == changes
    assert UsageRecord.objects.get(pk=records[1].pk).state == State.OPEN


def test_a_query_is_compiled_once_and_run_with_each_value(key: ApiKey) -> None:
    other = ApiKey.objects.issue(name="other")[0]
    by_prefix = Prepared(
        lambda prefix, since: ApiKey.objects.filter(prefix=prefix, created_at__gte=since),
        "no prefix",
        timezone.now() - timedelta(days=9_999),
    )
    past = timezone.now() - timedelta(days=1)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert by_prefix.rows(key.prefix, past) == [key]
        assert by_prefix.rows(other.prefix, past) == [other]
    assert len(queries) == 2
    assert by_prefix.rows(other.prefix, timezone.now() + timedelta(days=1)) == []
    assert by_prefix.rows("'; --", past) == []
    found = by_prefix.rows(key.prefix, past)[0]
    for field in ApiKey._meta.concrete_fields:
        assert getattr(found, field.attname) == getattr(key, field.attname)


def test_related_rows_come_with_a_query(key: ApiKey) -> None:
    conversation = Conversation.objects.create(api_key=key, session_id="a")
    Message.objects.create(conversation=conversation, role="user", content="x")
    query = Prepared(
        lambda content: Message.objects.filter(content=content).select_related("conversation"), "-"
    )
    (message,) = query.rows("x")
    with CaptureQueriesContext(connection) as queries:
        assert message.conversation == conversation
    assert not queries


def test_values_come_converted(key: ApiKey) -> None:
    insert(UsageRecord(api_key=key, operation="chat.reply", held_usd=Decimal("0.25")))
    query = Prepared(
        lambda pk: UsageRecord.objects.filter(api_key=pk).values_list("held_usd", "id"), -7
    )
    assert query.rows(key.pk) == list(UsageRecord.objects.values_list("held_usd", "id"))
