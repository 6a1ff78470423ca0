"""What users think of answers."""

from rest_framework.exceptions import NotFound

from chat import metrics, plugins
from chat.models import Conversation, Message
from knowledge import questions
from knowledge.questions import Reason
from usage.models import ApiKey

DOWN = "down"


def rate(api_key: ApiKey, message_id: int, rating: str, reason: str = "") -> None:
    """Keep the rating of an answer; the first bad one puts its question on the editors' list.

    Args:
        api_key: The caller.
        message_id: The answer.
        rating: ``up``, ``down``, or empty to take it back.
        reason: Why, in the user's words.

    Raises:
        NotFound: The key's account has no such answer.
    """
    answers = Message.objects.filter(
        role=Message.Role.ASSISTANT, conversation__in=Conversation.objects.owned_by(api_key)
    )
    answer = answers.select_related("reply_to").filter(pk=message_id).first()
    if answer is None or answer.reply_to is None:
        raise NotFound("No existe esa respuesta para esta clave de API.")
    known = Message.objects.filter(pk=message_id)
    changed = known.exclude(rating=rating).update(rating=rating)
    known.update(rating_reason=reason if rating else "")
    if changed and rating:
        metrics.RATINGS.labels(rating).inc()
    if changed and rating == DOWN:
        specialist = plugins.by_name(answer.specialist)
        questions.record(
            answer.reply_to.content,
            Reason.THUMBS_DOWN,
            module=specialist.module if specialist else "",
        )
