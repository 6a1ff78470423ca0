"""Waiting for money that is only held: most of a hold comes back when its call is settled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from weakref import WeakValueDictionary

from django.conf import settings

from usage.accounting.ledger import OpenCall
from usage.errors import BudgetExceeded

_POLL_SECONDS: Final = 0.05

Try = Callable[[], Awaitable[OpenCall]]


class Patience:
    """The callers of one event loop that wait, one queue for each key.

    Only the first of a queue asks the database again; the others wait for their turn, so that a hundred
    of them cost no more than one.
    """

    def __init__(self) -> None:
        self._turns: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    async def until_granted(self, api_key_id: int, attempt: Try) -> OpenCall:
        """Reserve, again and again for ``BUDGET_WAIT_SECONDS`` while only what is held is in the way.

        Raises:
            BudgetExceeded: There was no room in time, or what is spent already leaves none.
        """
        try:
            return await attempt()
        except BudgetExceeded as exc:
            if not exc.only_held:
                raise
            refusal = exc
        turn = self._turns.setdefault(api_key_id, asyncio.Lock())
        try:
            async with asyncio.timeout(settings.BUDGET_WAIT_SECONDS), turn:
                while True:
                    await asyncio.sleep(_POLL_SECONDS)
                    try:
                        return await attempt()
                    except BudgetExceeded as exc:
                        if not exc.only_held:
                            raise
                        refusal = exc
        except TimeoutError:
            raise refusal from None
