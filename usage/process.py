"""The identity of this process, which the ledger writes on every row it opens."""

import uuid
from typing import Final

PROCESS_ID: Final = uuid.uuid4().hex
