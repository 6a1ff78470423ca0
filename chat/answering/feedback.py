"""What users think of answers."""

from rest_framework.exceptions import NotFound

from chat import plugins
from chat.models import Message
from knowledge import questions
from knowledge.questions import Reason
from usage.models import ApiKey

DOWN = "down"


def rate(api_key: ApiKey, message_id: int, rating: str) -> None:
    """Keep the rating of an answer; the first bad one puts its question on the editors' list.

    Raises:
        NotFound: The key has no such answer.
    """
    answers = Message.objects.filter(role=Message.Role.ASSISTANT, conversation__api_key=api_key)
    answer = answers.select_related("reply_to").filter(pk=message_id).first()
    if answer is None or answer.reply_to is None:
        raise NotFound("No existe esa respuesta para esta clave de API.")
    changed = answers.filter(pk=message_id).exclude(rating=rating).update(rating=rating)
    if changed and rating == DOWN:
        specialist = plugins.by_name(answer.specialist)
        questions.record(
            answer.reply_to.content,
            Reason.THUMBS_DOWN,
            module=specialist.module if specialist else "",
        )
