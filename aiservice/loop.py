"""The server's event loop: uvloop's, on which a message costs a tenth less than on asyncio's own.

Imported before daphne, which otherwise runs Twisted on a loop of asyncio's (docs/adr/0011-daphne-on-uvloop.md).
"""

import uvloop
from twisted.internet import asyncioreactor

asyncioreactor.install(uvloop.new_event_loop())  # type: ignore[no-untyped-call]
