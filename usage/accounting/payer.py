"""Who pays for a call: a key, its account, and the account's own user that it is made for."""

import hashlib
from dataclasses import dataclass

from usage.models import ApiKey, UsageRecord
from usage.models.budget import Holder


@dataclass(frozen=True, slots=True)
class Payer:
    """Everybody whose limit a call has to fit in."""

    api_key_id: int
    account_id: int
    end_user: str = ""

    @property
    def holders(self) -> list[Holder]:
        """Whose limits they are: the key's, the end user's, the account's, and that of all keys."""
        user = [Holder(account_id=self.account_id, end_user=self.end_user)] if self.end_user else []
        account = Holder(account_id=self.account_id)
        return [Holder(api_key_id=self.api_key_id), *user, account, Holder()]

    @property
    def name(self) -> str:
        """What a cache may call the payer: an end user's name may hold anything."""
        user = hashlib.blake2b(self.end_user.encode(), digest_size=16).hexdigest()
        return f"{self.api_key_id}:{self.account_id}:{user if self.end_user else ''}"


def payer_of(api_key: ApiKey) -> Payer:
    """Return who pays for what a key asks for."""
    return Payer(api_key.pk, api_key.account_id, api_key.end_user)


def payer_of_row(record: UsageRecord) -> Payer:
    """Return who pays for a row of the ledger; reads its key, unless that was selected with it."""
    return Payer(record.api_key_id, record.api_key.account_id, record.end_user)
