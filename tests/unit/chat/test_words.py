"""What a search in messages asks of PostgreSQL: its index, whether the word is rare or everybody's."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from chat.models import Conversation, Message
from chat.words import latest, saying
from usage.models import ApiKey

pytestmark = [pytest.mark.unit, pytest.mark.django_db]

MESSAGES = 6_000


@pytest.fixture
def many():
    """Fill the table: one message in two says "factura", the third says what none other does."""
    key = ApiKey.objects.issue(name="acme")[0]
    conversation = Conversation.objects.create(api_key=key, session_id="larga")
    made = Message.objects.bulk_create(
        Message(
            conversation=conversation,
            role="user",
            content=f"{'factura' if n % 2 else 'boleta'} número{n} {'ornitorrinco' if n == 2 else ''}",
        )
        for n in range(MESSAGES)
    )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE chat_message")
    return made


def plans(queries):
    """Return how the searches among some statements are carried out."""
    found = []
    for query in queries:
        if "chat_words" in query["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN {query['sql']}")
                found.append("\n".join(line for (line,) in cursor.fetchall()))
    return found


def test_a_rare_word_is_looked_up_rather_than_looked_for(many):
    with CaptureQueriesContext(connection) as queries:
        assert latest(saying("ornitorrincos"), "pk", 200) == [many[2].pk]
    *near, whole = plans(queries)
    assert "chat_message_folded" in whole
    for plan in (*near, whole):
        assert "Seq Scan" not in plan
        assert "Index Scan Backward" not in plan


def test_a_word_that_half_of_all_say_is_found_near(many):
    with CaptureQueriesContext(connection) as queries:
        found = latest(saying("facturas"), "pk", 200)
    assert found == [message.pk for message in reversed(many) if "factura" in message.content][:200]
    assert len(plans(queries)) == 1


def test_what_lies_far_back_is_found_in_order(many):
    found = latest(saying("boletas"), "pk", 2_000)
    assert found == [message.pk for message in reversed(many) if "boleta" in message.content][:2000]


def test_the_planner_is_told_what_reading_words_costs(many):
    """At PostgreSQL's own price it reads a million rows for a rare word, which no test here could see."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT procost FROM pg_proc WHERE proname = 'chat_words'")
        assert cursor.fetchone()[0] >= 1_000
