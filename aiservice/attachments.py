"""What a file attached to a question is worth, for the chat.

Here, because it joins the chat with the validation of documents, which the chat must not know; settings
name it.
"""

import re
from typing import Any, Final

from dte.desk import answer
from dte.examining.given import Given
from dte.intake import Options, UnreadableDocument
from usage.models import ApiKey

_ENCODING: Final = re.compile(r"""<\?xml[^>]{0,80}encoding=["']([A-Za-z0-9._-]{1,20})["']""")


async def examine(api_key: ApiKey, filename: str, content: str) -> dict[str, Any]:
    """Validate a file as the API does, without the model, and return the answer.

    Args:
        api_key: Whose document, for folios used before.
        filename: Its name.
        content: Its text, which is examined in the encoding that it says it has.
    """
    given = Given(_encoded(content), filename=filename)
    try:
        found = await answer(given, Options(ai="never"), api_key)
    except UnreadableDocument as exc:
        return exc.body()
    return found.as_dict()


def _encoded(content: str) -> bytes:
    declared = _ENCODING.match(content.lstrip("\ufeff"))
    try:
        return content.encode(declared[1] if declared else "utf-8")
    except (LookupError, UnicodeEncodeError):
        return content.encode()
